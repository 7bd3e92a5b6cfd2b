"""A compiled program in memory."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from ..facts import Facts

if TYPE_CHECKING:
    from ..threads.team import Flags


class Stage(NamedTuple):
    """A stretch of a program.

    Attributes
    ----------
    whole : callable
        Without parts ``whole(*inputs, *outputs, arena)``, with parts ``whole(arena)``, all of them addresses.
    parts : list of callable
        The same work for several threads: each ``part(arena)``, in any order and at once.
    """

    whole: Any
    parts: Sequence[Any]


class Program:
    """A plan as machine code with its weights. Thread-safe: each run has an arena of its own.

    Parameters
    ----------
    path : str
        A shared library that ``dcz warm`` made. It is trusted: its code runs.

    Attributes
    ----------
    elements : int
        Size of the arena in float32.
    compilers : list of str
        What `dcz.core.compilers.compilers` gave when it was made.
    answers : bool
        Whether it has a function for `dcz.runtime.compiled.builtin`: it is for one sample, of one array in and one out.

    Raises
    ------
    OSError
        It cannot be loaded.
    """

    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)
        layout = json.loads(self._text("layout"))
        self.elements: int = layout["elements"]
        self.compilers: list[str] = layout["compilers"]
        self.answers: bool = layout["answers"]
        self._stages: list[tuple[str, list[str]]] = layout["stages"]
        self._alone: str = layout["alone"]

    @cached_property
    def facts(self) -> Facts:
        """What the model tells about itself."""
        return Facts.from_json(self._text("facts"))

    @cached_property
    def stages(self) -> list[Stage]:
        """The program in order of execution, for threads that share it."""
        return [
            Stage(self._function(whole, 1 if parts else self._ends + 1), [self._function(part, 1) for part in parts])
            for whole, parts in self._stages
        ]

    @cached_property
    def alone(self) -> Stage:
        """The whole program, for a thread that works alone."""
        return Stage(self._function(self._alone, self._ends + 1), [])

    @property
    def answer(self) -> Any:
        """The function for `dcz.runtime.compiled.builtin`, which alone knows how to call it."""
        return self._library.answer

    @property
    def shares(self) -> bool:
        """Whether several threads may share stages of it."""
        return any(parts for _, parts in self._stages)

    def watch(self, flags: Flags, place: int, value: int) -> None:
        """As `dcz.runtime.threads.spin_wait.watch`."""
        self._library.watch(ctypes.c_void_p(flags.ctypes.data), ctypes.c_int64(place), ctypes.c_int64(value))

    @property
    def _ends(self) -> int:
        """Number of its inputs and outputs."""
        return len(self.facts.inputs) + len(self.facts.outputs)

    def _function(self, name: str, addresses: int) -> Any:
        function = getattr(self._library, name)
        function.argtypes, function.restype = [ctypes.c_void_p] * addresses, None
        return function

    def _text(self, name: str) -> bytes:
        function = getattr(self._library, name)
        function.restype = ctypes.c_char_p
        text: bytes = function()
        return text
