"""Programs: what runs, as data.

A program is a list of calls of kernels for each step of a plan. An argument is a `Buffer`, a view of the arena; a
`Constant`, an array that the program holds, such as packed weights; a number; or a tag. Layers that several threads may
share are `Parallel`. So a program can be run in any arena (`resolve`), and it can be written down: it holds no
addresses, and its only functions are kernels, which have names.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .kernels.contract import F32, Call

Array = NDArray[Any]


class Buffer(NamedTuple):
    """A view of the arena."""

    offset: int
    """Bytes from the arena's start."""
    dtype: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    """In bytes."""


class Constant(NamedTuple):
    """An array of the program."""

    number: int


class Instruction(NamedTuple):
    """A call of a kernel. An argument is a `Buffer`, a `Constant`, a number, or a tag."""

    kernel: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Parallel:
    """Work that threads may share.

    Attributes
    ----------
    parts : sequence of sequence of Instruction, or of Call
        Run in any order and at once; those of a part in order.
    whole : sequence of Instruction, or of Call
        The same work for one thread.
    """

    parts: Sequence[Sequence[Any]]
    whole: Sequence[Any]


Bound = Call | Parallel
"""A call of a kernel on arrays, or several."""


@dataclass(frozen=True)
class Program:
    """The calls of all steps of a plan.

    Attributes
    ----------
    elements : int
        Size of the arena, in float32 elements.
    steps : list of list of Instruction or Parallel
    constants : list of ndarray
    """

    elements: int
    steps: list[list[Instruction | Parallel]] = field(default_factory=list)
    constants: list[Array] = field(default_factory=list)


class Recorder:
    """Makes a program of calls on arrays.

    Parameters
    ----------
    elements : int
        Size of the arena, in float32 elements.

    Attributes
    ----------
    program : Program
    arena : ndarray of float32, shape (elements,)
        Views of it become buffers. It is never read or written, so it takes no memory where it is large.
    """

    def __init__(self, elements: int) -> None:
        self.program, self.arena = Program(elements), np.empty(elements, np.float32)
        self._numbers: dict[int, int] = {}  # of constants, by the identity of the array

    def add_step(self, calls: Sequence[Bound]) -> None:
        """Add the calls of a step."""
        self.program.steps.append([self._operation(call) for call in calls])

    def _operation(self, call: Bound) -> Instruction | Parallel:
        if isinstance(call, Parallel):
            parts = [[self._instruction(each) for each in part] for part in call.parts]
            return Parallel(parts, [self._instruction(each) for each in call.whole])
        return self._instruction(call)

    def _instruction(self, call: Call) -> Instruction:
        kernel, arguments = call
        return Instruction(kernel, tuple(map(self._argument, arguments)))

    def _argument(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        if _owner(value) is self.arena:
            offset = value.ctypes.data - self.arena.ctypes.data
            return Buffer(offset, value.dtype.str, value.shape, value.strides)
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self.program.constants)
            self.program.constants.append(value)  # so that no other array gets its identity
        return Constant(self._numbers[id(value)])


def resolve(program: Program, arena: F32) -> list[list[Bound]]:
    """The calls of each step on views of an arena.

    Parameters
    ----------
    program : Program
    arena : ndarray of float32, shape (program.elements,)
    """
    made: dict[Buffer, Array] = {}

    def argument(value: Any) -> Any:
        if isinstance(value, Constant):
            return program.constants[value.number]
        if not isinstance(value, Buffer):
            return value
        if value not in made:
            offset, dtype, shape, strides = value
            made[value] = np.ndarray(shape, dtype, arena, offset, strides)
        return made[value]

    def call(instruction: Instruction) -> Call:
        return instruction.kernel, tuple(map(argument, instruction.arguments))

    def bound(operation: Instruction | Parallel) -> Bound:
        if isinstance(operation, Parallel):
            return Parallel([[*map(call, part)] for part in operation.parts], [*map(call, operation.whole)])
        return call(operation)

    return [[bound(operation) for operation in step] for step in program.steps]


def _owner(array: Array) -> Any:
    """The array whose memory a view shows."""
    owner: Any = array
    while getattr(owner, "base", None) is not None:
        owner = owner.base
    return owner
