"""The times of the layers of plans.

Plans of one graph may have different numbers of steps: one plan may fuse a pool into the convolution before it, another
may not. When plans are timed together, a layer is the steps up to a value that every plan computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..facts import layer_stats
from ..kernels.contract import F32
from ..plan.plan import Plan
from ..plan.step import Step
from .executor import Executor


class LayerTimer:
    """Runs plans of one graph and times the layers that they have in common, in the calling thread.

    Parameters
    ----------
    plans : sequence of Plan
        At least one.

    Attributes
    ----------
    layers : list of LayerStats
        In order of execution, as in the first plan.
    """

    def __init__(self, plans: Sequence[Plan]) -> None:
        common = set.intersection(*({step.use.makes for step in plan.steps} for plan in plans))
        self._starts = [_starts(plan.steps, common) for plan in plans]
        self._executors = [Executor(plan) for plan in plans]
        steps, ends = plans[0].steps, [*self._starts[0], len(plans[0].steps)]
        self.layers = [layer_stats(steps[first:last]) for first, last in pairwise(ends)]

    def time(self, number: int, batch: Sequence[F32]) -> NDArray[np.float64]:
        """Run one of the plans once.

        Parameters
        ----------
        number : int
            Index of the plan.
        batch : sequence of ndarray of float32, each of shape ``(plan.batch, *input shape)``
            One array an input.

        Returns
        -------
        ndarray of float64, shape (layers,)
            Seconds.
        """
        seconds = self._executors[number].time_steps(batch)
        layers: NDArray[np.float64] = np.add.reduceat(seconds, self._starts[number])
        return layers


def _starts(steps: Sequence[Step], common: set[int]) -> NDArray[np.intp]:
    """Index of the first step of each layer: step 0, and each step after one that computes a common value."""
    starts = (i for i in range(len(steps)) if i == 0 or steps[i - 1].use.makes in common)
    return np.fromiter(starts, np.intp)
