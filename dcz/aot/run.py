"""A run of a plan as functions in LLVM assembly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..runtime.kernels.layout import from_lanes, to_lanes
from ..runtime.plan.plan import Plan
from ..runtime.program import Instruction, Parallel, resolve
from .assembly import Array, Constants, Function, Kernels


class Stage(NamedTuple):
    """A stretch of a run.

    Attributes
    ----------
    whole : Function
        Without parts ``@NAME(input addresses, output addresses, arena)``, with parts ``@NAME(arena)``.
    parts : list of Function
        The same work for several threads: each ``@NAME(arena)``, in any order and at once.
    """

    whole: Function
    parts: list[Function]


class Run:
    """A plan as functions. For one thread that is a single one, as no layer is shared.

    Parameters
    ----------
    name : str
        The names of the functions begin with it.
    plan : Plan
    kernels : Kernels
    constants : Constants

    Attributes
    ----------
    stages : list of Stage
        In order of execution.
    """

    def __init__(self, name: str, plan: Plan, kernels: Kernels, constants: Constants) -> None:
        self.stages: list[Stage] = []
        self._name, self._plan, self._kernels, self._constants = name, plan, kernels, constants
        self._arena = np.empty(plan.program.elements, np.float32)  # for the types of arguments: never read or written
        ends = (*(f"%in{i}" for i in range(len(plan.inputs))), *(f"%out{i}" for i in range(len(plan.outputs))))
        serial = self._function(ends)
        for number, value in enumerate(plan.inputs):
            self._move(serial, f"%in{number}", plan.view(self._arena, value), to_lanes, True)
        for op, operation, bound in self._operations():
            if isinstance(operation, Parallel):
                self._end(serial)
                self.stages.append(self._shared(op, operation, bound))
                serial = self._function(ends)
            else:
                serial.call(op, operation, bound[1])
        for number, value in enumerate(plan.outputs):
            self._move(serial, f"%out{number}", plan.view(self._arena, value), from_lanes, False)
        self._end(serial)

    @property
    def functions(self) -> Iterator[Function]:
        """All functions."""
        return (function for stage in self.stages for function in (stage.whole, *stage.parts))

    def _operations(self) -> Iterator[tuple[str, Any, Any]]:
        """Operator, operation, and the same with its arguments in the arena."""
        plan = self._plan
        for step, made, bounds in zip(plan.steps, plan.program.steps, resolve(plan.program, self._arena), strict=True):
            for operation, bound in zip(made, bounds, strict=True):
                yield step.op, operation, bound

    def _end(self, serial: Function) -> None:
        """Add a stage for one thread, unless it is empty, as between two shared layers."""
        if not serial.is_empty:
            self.stages.append(Stage(serial, []))

    def _shared(self, op: str, operation: Parallel, bound: Parallel) -> Stage:
        whole = self._calling(op, operation.whole, bound.whole, "")
        pairs = enumerate(zip(operation.parts, bound.parts, strict=True))
        return Stage(whole, [self._calling(op, part, calls, f".{number}") for number, (part, calls) in pairs])

    def _calling(self, op: str, instructions: Sequence[Instruction], calls: Sequence[Any], ending: str) -> Function:
        function = self._function((), ending)
        for instruction, (_, arguments) in zip(instructions, calls, strict=True):
            function.call(op, instruction, arguments)
        return function

    def _function(self, pointers: Sequence[str], ending: str = "") -> Function:
        """A new function; stages are numbered."""
        return Function(f"{self._name}.{len(self.stages)}{ending}", pointers, self._kernels, self._constants)

    def _move(self, function: Function, outside: str, held: Array, interleave: Any, inwards: bool) -> None:
        """Copy an input into the arena, or an output out of it."""
        inside = function.in_arena(held.ctypes.data - self._arena.ctypes.data)
        source, to = (outside, inside) if inwards else (inside, outside)
        if self._plan.lanes > 1:
            flat = held.reshape(-1)
            function.emit("input", interleave, (flat, flat), (source, to))
        else:
            function.copy(to, source, held.nbytes)
