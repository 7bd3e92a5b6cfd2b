"""Runs a compiled program."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import addressof, c_char
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
        self._stages = [_bound(stage, self._base, team) for stage in program.stages]

    def run(self, batch: Sequence[F32], out: Sequence[F32]) -> None:
        """Run the network once; as `dcz.runtime.execute.executor.Executor.run`."""
        arrays = [*map(np.ascontiguousarray, batch), *out]
        addresses = [*map(_address, arrays), self._base]
        for function, arguments in self._stages:
            function(*(arguments or addresses))


def _address(array: Any) -> int:
    """Address of a contiguous array: by its buffer, which with cold caches takes a quarter of the other way's time."""
    try:
        return addressof(c_char.from_buffer(array))
    except (TypeError, ValueError):  # it cannot be written, or is empty
        address: int = array.__array_interface__["data"][0]
        return address


def _bound(stage: Stage, base: int, team: Team | None) -> tuple[Any, tuple[Any, ...] | None]:
    """A function and its arguments; None for the addresses of inputs, outputs and arena."""
    if not stage.parts:
        return stage.whole, None
    if team is None:
        return stage.whole, (base,)
    return team.run, ([[(part, (base,))] for part in stage.parts], [(stage.whole, (base,))])
