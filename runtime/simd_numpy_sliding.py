"""More vectors of `simd` in NumPy: sums that slide from lane to lane.

Of each ``len(run)`` vectors, a row of an image, the first one's lanes are told apart by `bits`, one for each lane.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .simd_numpy import F32, Tag, fma


def fma_lanes(acc: F32, factor: F32, array: F32, index: int, run: Tag, bits: int) -> F32:
    """As `simd_numpy.fma`, but the first of each ``len(run)`` vectors stays as it is in lanes whose bit is zero."""
    return np.where(_chosen(acc, run, bits), fma(acc, factor, array, index), acc)


def slide_up(value: F32, run: Tag, bits: int) -> F32:
    """All lanes, the vectors laid end to end, moved up by one, the last to the front.

    Then the first of each ``len(run)`` vectors is zero in lanes whose bit is zero.
    """
    return np.where(_chosen(value, run, bits), np.roll(value, 1), np.float32(0))


def slide_down(value: F32) -> F32:
    """All lanes, the vectors laid end to end, moved down by one, the first to the end."""
    return np.roll(value, -1)


def _chosen(value: F32, run: Tag, bits: int) -> NDArray[np.bool_]:
    return (np.arange(len(value)) % len(run) > 0)[:, None] | (bits >> np.arange(value.shape[1]) & 1 > 0)
