"""The executor of a plan: one arena, and a list of calls bound to it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...core.jit import make_ready
from ..jit import ready
from ..kernels.contract import F32, Call
from ..kernels.layout import from_lanes, to_lanes
from ..plan.memory import aligned
from ..plan.plan import Plan
from ..program import Bound, Parallel, resolve
from ..threads.team import Team


class Executor:
    """A plan bound to its own arena. Serves one caller at a time; executors of one plan share its weights.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        arena = aligned(plan.program.elements)
        self._lanes = plan.lanes
        ends = ([plan.view(arena, value) for value in values] for values in (plan.inputs, plan.outputs))
        self._inputs, self._outputs = (
            [view[..., 0] if plan.lanes == 1 else view.reshape(-1) for view in views] for views in ends
        )
        steps = resolve(plan.program, arena)
        ways: list[Call] = [(way, (arena, arena)) for way in (to_lanes, from_lanes)] if plan.lanes > 1 else []
        make_ready([*ways, *(call for bounds in steps for bound in bounds for call in _calls(bound))])
        if plan.lanes > 1:
            self._to_lanes, self._from_lanes = (ready(way)[0] for way in ways)
        self._steps = [[_runnable(bound, plan.team) for bound in bounds] for bounds in steps]
        self._calls = [call for calls in self._steps for call in calls]

    def run(self, batch: Sequence[F32], out: Sequence[F32]) -> None:
        """Run the network once.

        Parameters
        ----------
        batch : sequence of ndarray of float32, each of shape ``(plan.batch, *input shape)``
            One array an input. Not changed.
        out : sequence of ndarray of float32, each of shape ``(plan.batch, *output shape)``, C-contiguous
            One array an output: receive the answer.
        """
        self._take(batch)
        for function, arguments in self._calls:
            function(*arguments)
        for held, array in zip(self._outputs, out, strict=True):
            if self._lanes > 1:
                self._from_lanes(held, array.reshape(-1))
            else:
                array[...] = held

    def _take(self, batch: Sequence[F32]) -> None:
        for held, array in zip(self._inputs, batch, strict=True):
            if self._lanes > 1:
                self._to_lanes(np.ascontiguousarray(array).reshape(-1), held)
            else:
                held[...] = array

    def time_steps(self, batch: Sequence[F32]) -> NDArray[np.float64]:
        """Run the network once, and return the seconds of each step of the plan.

        Parameters
        ----------
        batch : sequence of ndarray of float32, each of shape ``(plan.batch, *input shape)``
            One array an input.

        Returns
        -------
        ndarray of float64, shape (steps,)
        """
        self._take(batch)
        ends = [time.perf_counter()]
        for calls in self._steps:
            for function, arguments in calls:
                function(*arguments)
            ends.append(time.perf_counter())
        return np.diff(ends)


def _calls(bound: Bound) -> list[Call]:
    """All calls of kernels that something to run may come to."""
    return [call for part in (*bound.parts, bound.whole) for call in part] if isinstance(bound, Parallel) else [bound]


def _runnable(call: Bound, team: Team) -> Call:
    """A call of machine code, or of the team that shares such calls among its threads."""
    if isinstance(call, Parallel):
        return team.run, ([[*map(ready, part)] for part in call.parts], [*map(ready, call.whole)])
    return ready(call)
