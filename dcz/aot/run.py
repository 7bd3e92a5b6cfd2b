"""A run of a plan as functions in LLVM assembly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..runtime.kernels.layout import from_lanes, to_lanes
from ..runtime.plan.plan import Plan
from ..runtime.program import Instruction, Parallel, resolve
from .assembly import Array, Constants, Function, Kernels
from .streaming import Streaming


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
    streaming : Streaming, optional
        Of the plan, where its weights are streamed; it is for one thread then.

    Attributes
    ----------
    stages : list of Stage
        In order of execution.
    elements : int
        Size of the arena, in float32 elements.
    """

    def __init__(
        self, name: str, plan: Plan, kernels: Kernels, constants: Constants, streaming: Streaming | None = None
    ) -> None:
        self.stages: list[Stage] = []
        self._name, self._plan, self._kernels, self._constants = name, plan, kernels, constants
        self.elements = plan.program.elements if streaming is None else streaming.elements
        self._arena = np.empty(self.elements, np.float32)  # for the types of arguments: never read or written
        ends = (*(f"%in{i}" for i in range(len(plan.inputs))), *(f"%out{i}" for i in range(len(plan.outputs))))
        self._ends, serial = ends, self._function(ends)
        for number, value in enumerate(plan.inputs):
            self._move(serial, f"%in{number}", plan.view(self._arena, value), to_lanes, True)
        for op, operations, bounds in self._steps():
            moved = {} if streaming is None else streaming.decode(serial, self._arena, operations)
            for operation, bound in zip(operations, bounds, strict=True):
                if isinstance(operation, Parallel):
                    self._end(serial)
                    self.stages.append(self._shared(op, operation, bound))
                    serial = self._function(ends)
                else:
                    serial.call(op, operation, bound[1], moved)
        for number, value in enumerate(plan.outputs):
            self._move(serial, f"%out{number}", plan.view(self._arena, value), from_lanes, False)
        self._end(serial)

    @property
    def functions(self) -> Iterator[Function]:
        """All functions."""
        return (function for stage in self.stages for function in (stage.whole, *stage.parts))

    def alone(self) -> Function:
        """All stages as one function, for a thread that works alone: ``@NAME(inputs, outputs, arena)``."""
        function = Function(f"{self._name}.alone", self._ends, self._kernels, self._constants)
        for stage in self.stages:
            function.invoke(stage.whole.name, () if stage.parts else self._ends)
        return function

    def _steps(self) -> Iterator[tuple[str, Sequence[Any], Sequence[Any]]]:
        """Operator and operations of each step, and the same with their arguments in the arena."""
        plan = self._plan
        ops = (step.op for step in plan.steps)
        return zip(ops, plan.program.steps, resolve(plan.program, self._arena), strict=True)

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
