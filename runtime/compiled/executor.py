"""Runs a compiled program."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from ctypes import c_void_p
from typing import TYPE_CHECKING, Any

import numpy as np

from ...core import memory
from .program import Program, Stage

if TYPE_CHECKING:
    from ..kernels.contract import F32
    from ..threads.team import Team


class ProgramExecutor:
    """A compiled program bound to its own arena. Serves one caller at a time; executors share the program's weights.

    It stands for `dcz.runtime.execute.executor.Executor`, and gives the same bits.

    Parameters
    ----------
    program : Program
    team : Team or None
        Threads that share stages; None where the caller works alone.
    """

    def __init__(self, program: Program, team: Team | None) -> None:
        self._arena = memory.room(program.elements, np.float32, zeroed=True)
        self._base = self._arena.ctypes.data
        stages = [program.alone] if team is None else program.stages
        self._stages = [_bound(stage, self._base, team) for stage in stages]

    def run(self, batch: Sequence[F32], out: Sequence[F32]) -> None:
        """Run the network once; as `dcz.runtime.execute.executor.Executor.run`."""
        arrays = [array if array.flags.c_contiguous else np.ascontiguousarray(array) for array in batch] + [*out]
        addresses = [*map(_address, arrays), self._base]
        for function, arguments in self._stages:
            function(*(arguments or addresses))


def _told_address(array: Any) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _read_address(array: Any) -> c_void_p:
    """Address of the data: the first field of NumPy's structure, behind the head of each object of CPython.

    With cold caches this takes a third of the time in which the array tells it.
    """
    return _pointer_at(id(array) + _HEAD)


_HEAD, _pointer_at, _probe = object.__basicsize__, c_void_p.from_address, np.ones(1, np.float32)
_IS_READ = sys.implementation.name == "cpython" and _read_address(_probe).value == _told_address(_probe)
_address = _read_address if _IS_READ else _told_address


def _bound(stage: Stage, base: int, team: Team | None) -> tuple[Any, tuple[Any, ...] | None]:
    """A function and its arguments; None for the addresses of inputs, outputs and arena."""
    if team is None or not stage.parts:
        return stage.whole, None
    return team.run, ([[(part, (base,))] for part in stage.parts], [(stage.whole, (base,))])
