"""Weights become zero or a shared value, compiled: each is looked at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.jit import compiled, stamp


def _replace(
    weights: NDArray[np.float32],
    threshold: float,
    prune: bool,
    limits: NDArray[Any],
    values: NDArray[np.float32],
) -> None:
    """Replace weights above a threshold by the value of their interval, in place.

    Parameters
    ----------
    weights : ndarray of float32, shape (n,)
    threshold : float
    prune : bool
        Whether weights of at most that magnitude become zero; else they stay.
    limits : ndarray of float, shape (m,)
        Ascending: the least number of each interval except the first.
    values : ndarray of float32, shape (m + 1,)
    """
    for i in range(len(weights)):
        weight = weights[i]
        if abs(weight) > threshold:
            low, high = 0, len(limits)
            while low < high:
                middle = (low + high) // 2
                if limits[middle] <= weight:
                    low = middle + 1
                else:
                    high = middle
            weights[i] = values[low]
        elif prune:
            weights[i] = 0


replace = compiled(_replace, stamp(Path(__file__).parent))
