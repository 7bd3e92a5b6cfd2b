"""Lanes that change places: transposition, slides, interleaving, neighbours: their meaning, in NumPy.

Where sums slide, each ``len(run)`` vectors are one row of an image or more; of the vector in which sums leave their
row, `bits` says for each lane whether it is kept.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arithmetic import maximum
from .memory import load_masked
from .types import F32, LANES, Tag, span

__all__ = [
    "concat_even",
    "concat_halves",
    "concat_odd",
    "every",
    "load_interleaved",
    "maximum_pairs",
    "maximum_triples",
    "slide_1_down",
    "slide_down",
    "slide_up",
    "store_interleaved",
    "transpose",
]


def _clear(value: F32, edges: NDArray[np.bool_], bits: int) -> F32:
    kept = ~edges[:, None] | (bits >> np.arange(value.shape[1]) & 1 > 0)
    return np.where(kept, value, np.float32(0))


def concat_even(low: F32, high: F32) -> F32:
    """Lanes 0, 2, 4, ... of two vectors laid end to end."""
    return np.concatenate([low, high], axis=1)[:, ::2]


def concat_odd(low: F32, high: F32) -> F32:
    """Lanes 1, 3, 5, ... of two vectors laid end to end."""
    return np.concatenate([low, high], axis=1)[:, 1::2]


def every(step: Tag, skip: Tag, value: F32) -> F32:
    """Of each ``len(step)`` vectors the one behind the first ``len(skip)``, or the last one where they are fewer."""
    return value[min(len(skip), len(step) - 1) :: len(step)].copy()


def transpose(value: F32) -> F32:
    """Lane i of vector j becomes lane j of vector i; 16 vectors."""
    return value.T.copy()


def concat_halves(value: F32) -> F32:
    """The lower halves of all vectors laid end to end, then the upper halves."""
    return np.concatenate(np.hsplit(value, 2)).reshape(value.shape)


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


def slide_1_down(tag: Tag, value: F32) -> F32:
    """As many vectors of `value` as `tag` is long, each lane with what was in the next; the last one stays."""
    return np.concatenate([value[: len(tag), 1:], value[: len(tag), -1:]], axis=1)


def load_interleaved(tag: Tag, step: Tag, array: F32, index: int, low: int, high: int) -> F32:
    """Vectors of every n-th element, n the length of `step`: lane t of vector r is ``array[index + t * n + r]``.

    As many vectors as `tag` is long. Elements outside ``low <= t * n + r < high`` are zero and not read.
    """
    n = len(step)
    vectors = [load_masked(array, index + skip, low - skip, high - skip) for skip in range(0, n * LANES, LANES)]
    return np.concatenate(vectors).reshape(LANES, n).T[: len(tag)].copy()


def store_interleaved(array: F32, index: int, end: int, value: F32) -> None:
    """The way back of `load_interleaved`, of elements ``t * n + r < end``: n is the number of vectors."""
    count = max(0, min(end, value.size))
    span(array, index, count)[:] = value.T.ravel()[:count]


def maximum_pairs(tag: Tag, low: F32, high: F32) -> F32:
    """The greater of each two neighbours of two vectors laid end to end; neighbours are groups of ``len(tag)`` lanes.

    NaN wins.
    """
    pairs = np.concatenate([low, high]).reshape(-1, 2, len(tag))
    return maximum(pairs[:, 1], pairs[:, 0]).reshape(1, LANES)


def maximum_triples(value: F32) -> F32:
    """Of vectors laid end to end: the greatest of lanes 2 j to 2 j + 2, for each j; NaN wins.

    Half as many vectors. An odd last vector is followed by itself; behind the last lane comes the first of the last
    32.
    """
    vectors = value if len(value) % 2 == 0 else np.concatenate([value, value[-1:]])
    evens, odds = (vectors.reshape(-1, 2 * LANES)[:, start::2] for start in (0, 1))
    behind = np.concatenate([evens.ravel()[1:], evens[-1, :1]]).reshape(evens.shape)
    return maximum(behind, maximum(odds, evens))
