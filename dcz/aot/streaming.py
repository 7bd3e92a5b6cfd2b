"""Streamed weights: coded among the constants, and decoded into the arena before the layer that reads them.

Behind the activations the arena has a workspace for the decoder, and a buffer as large as the weights of the largest
layer. What is coded is packed weights as their kernel reads them, so that answers do not depend on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dcformat.coding.records import LEAST_BYTES, WORK_BYTES, Coded, Workspace, decode_records, encode
from ..runtime.plan.plan import Plan
from ..runtime.program import Constant, Instruction
from .assembly import ALIGNMENT, FLOAT_BYTES, Array, Constants, Function

OP = "stream_weights"
"""Stands for the operator that decoding serves."""


@dataclass(frozen=True)
class Streamed:
    """Sizes of streamed weights.

    Attributes
    ----------
    coded_bytes, packed_bytes : int
        Of all coded weights: in the file, and as kernels read them.
    buffer_bytes : int
        Memory in the arena for decoding: the workspace, and the weights of the largest layer.
    unpacked : dict of str to int
        Names of weights that coding would not make smaller, and their packed bytes.
    """

    coded_bytes: int
    packed_bytes: int
    buffer_bytes: int
    unpacked: Mapping[str, int]


class Streaming:
    """The coded constants of a plan, and the memory that they are decoded into.

    Parameters
    ----------
    plan : Plan
        For one thread.
    constants : Constants
        Receives what is coded.

    Attributes
    ----------
    elements : int
        Size of the arena, in float32 elements, with that memory.
    """

    def __init__(self, plan: Plan, constants: Constants) -> None:
        self._constants, self._arrays = constants, plan.program.constants
        self._coded = {number: coded for number, array in enumerate(self._arrays) if (coded := encode(array))}
        steps = [_numbers(made) for made in plan.program.steps]
        self._work = plan.program.elements
        self._buffer = self._work + WORK_BYTES // FLOAT_BYTES
        self.elements = self._buffer + max(self._size(numbers) for numbers in steps) if self._coded else self._work
        self.sizes = Streamed(
            coded_bytes=sum(coded.coded_bytes for coded in self._coded.values()),
            packed_bytes=sum(self._arrays[number].nbytes for number in self._coded),
            buffer_bytes=FLOAT_BYTES * (self.elements - self._work),
            unpacked={
                step.weight: size
                for step, numbers in zip(plan.steps, steps, strict=True)
                if step.weight and (size := self._unpacked(numbers))
            },
        )

    def decode(self, function: Function, arena: Array, operations: Sequence[Any]) -> dict[int, str]:
        """Add calls that decode the coded constants of a step.

        Parameters
        ----------
        function : Function
        arena : ndarray of float32, shape (elements,)
        operations : sequence of Instruction
            Of the step.

        Returns
        -------
        dict of int to str
            The address of each coded constant in the arena, by its number.
        """
        moved, at = dict[int, str](), self._buffer
        for number in filter(self._coded.__contains__, _numbers(operations)):
            coded = self._coded[number]
            held: tuple[Array, ...] = coded.header, coded.lengths, coded.streams, coded.values
            work = Workspace.within(arena[self._work : self._buffer])
            written = *work, arena[at:].view(np.uint8)[: coded.nbytes]
            places = [function.in_arena(each.ctypes.data - arena.ctypes.data) for each in written]
            function.emit(OP, decode_records, (*held, *written), [*map(self._constants.address, held), *places])
            moved[number] = places[-1]
            at += _elements(coded)
        return moved

    def _size(self, numbers: Sequence[int]) -> int:
        """Elements of the buffer that the coded constants of a step take."""
        return sum(_elements(self._coded[number]) for number in numbers if number in self._coded)

    def _unpacked(self, numbers: Sequence[int]) -> int:
        """Bytes of a step's largest constant, where it is large and not coded."""
        nbytes, largest = max(((self._arrays[number].nbytes, number) for number in numbers), default=(0, 0))
        return 0 if largest in self._coded or nbytes < LEAST_BYTES else nbytes


def _numbers(operations: Sequence[Any]) -> list[int]:
    """Numbers of the constants that a step reads, each once."""
    calls = [operation for operation in operations if isinstance(operation, Instruction)]
    found = (each.number for call in calls for each in call.arguments if isinstance(each, Constant))
    return list(dict.fromkeys(found))


def _elements(coded: Coded) -> int:
    """Elements of memory for a decoded array, with its alignment."""
    return -(-coded.nbytes // ALIGNMENT) * ALIGNMENT // FLOAT_BYTES
