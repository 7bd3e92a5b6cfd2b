"""More vectors of `simd` in NumPy: sums that slide from lane to lane, and halves that are joined.

Where sums slide, each ``len(run)`` vectors are one row of an image or more; of the vector in which sums leave their
row, `bits` says for each lane whether it is kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .core import F32, Tag


def slide_up(value: F32, run: Tag, bits: int) -> F32:
    """All lanes, the vectors laid end to end, moved up by one, the last to the front.

    Then the first of each ``len(run)`` vectors is zero in lanes whose bit is zero.
    """
    return _clear(np.roll(value, 1), np.arange(len(value)) % len(run) == 0, bits)


def slide_down(value: F32, run: Tag, bits: int) -> F32:
    """All lanes, the vectors laid end to end, moved down by one, the first to the end.

    Then the last of each ``len(run)`` vectors is zero in lanes whose bit is zero.
    """
    return _clear(np.roll(value, -1), np.arange(1, len(value) + 1) % len(run) == 0, bits)


def _clear(value: F32, edges: NDArray[np.bool_], bits: int) -> F32:
    kept = ~edges[:, None] | (bits >> np.arange(value.shape[1]) & 1 > 0)
    return np.where(kept, value, np.float32(0))


def join_halves(value: F32) -> F32:
    """The lower halves of all vectors laid end to end, then the upper halves."""
    return np.concatenate(np.hsplit(value, 2)).reshape(value.shape)
