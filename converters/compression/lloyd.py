"""Steps of Lloyd's algorithm in which no cluster is empty, compiled: most of the hundreds that a layer takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.jit import compiled, stamp
from .running_sums import STEP


def _plain_steps(ordered: NDArray[Any], kept: NDArray[np.float64], centroids: NDArray[np.float64], most: int) -> int:
    """Move centroids to the means of their clusters, in place, as long as none is empty and one moves.

    Sums are added in the order of `RunningSums.between`, and so have its bits.

    Parameters
    ----------
    ordered : ndarray of float, shape (n,)
        Ascending.
    kept : ndarray of float64
        ``RunningSums(ordered).kept``.
    centroids : ndarray of float64, shape (k,)
        Ascending.
    most : int
        Greatest number of steps.

    Returns
    -------
    int
        Number of steps.
    """
    k = len(centroids)
    moved = np.empty(k, np.float64)
    for step in range(most):
        begin, sum_before = 0, 0.0
        for i in range(k):
            end = len(ordered)
            if i < k - 1:  # the first number that is no less than the limit between two centroids
                limit = (centroids[i + 1] + centroids[i]) / 2
                low = begin
                while low < end:
                    middle = (low + end) // 2
                    if ordered[middle] < limit:
                        low = middle + 1
                    else:
                        end = middle
            if end == begin:
                return step
            total = kept[end // STEP]
            for at in range(end // STEP * STEP, end):
                total += ordered[at]
            moved[i] = (total - sum_before) / (end - begin)
            begin, sum_before = end, total
        moved.sort()
        if (moved == centroids).all():
            return step
        centroids[:] = moved
    return most


plain_steps = compiled(_plain_steps, stamp(Path(__file__).parent))
