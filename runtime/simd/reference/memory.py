"""Single elements, whole vectors, masked vectors, rows of vectors, and prefetches: their meaning, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .types import F32, LANES, Tag, span

__all__ = [
    "get",
    "load",
    "load_masked",
    "load_masked_or",
    "load_rows",
    "prefetch",
    "prefetch_l2",
    "prefetch_rows",
    "put",
    "store",
    "store_masked",
    "store_rows",
    "zeros",
]


def _row_end(high: int, end: int | None, offset: int) -> int:
    return high if end is None else min(high, end - offset)


def zeros(tag: Tag) -> F32:
    """As many zero vectors as `tag` is long."""
    return np.zeros((len(tag), LANES), dtype=np.float32)


def get(array: NDArray[Any], index: int) -> Any:
    """``array[index]``: float32 as it is, integers as int64."""
    found = span(array, index, 1)[0]
    return found if array.dtype == np.float32 else int(found)


def put(array: NDArray[Any], index: int, value: Any) -> None:
    """``array[index] = value``."""
    span(array, index, 1)[0] = value


def load(tag: Tag, array: F32, index: int) -> F32:
    """As many consecutive vectors as `tag` is long, from ``array[index]`` on."""
    return span(array, index, len(tag) * LANES).reshape(len(tag), LANES).copy()


def store(array: F32, index: int, value: F32) -> None:
    """Write all vectors of `value`, one after the other, from ``array[index]`` on."""
    span(array, index, value.size)[:] = value.ravel()


def load_masked(array: F32, index: int, low: int, high: int) -> F32:
    """One vector from ``array[index]`` on; lanes outside low <= lane < high are zero and not read."""
    vector = np.zeros((1, LANES), dtype=np.float32)
    low, high = max(low, 0), min(high, LANES)
    if low < high:
        vector[0, low:high] = span(array, index + low, high - low)
    return vector


def load_masked_or(array: F32, index: int, bits: int, other: F32) -> F32:
    """One vector from ``array[index]`` on; lanes whose bit is zero are not read and come from `other`."""
    vector = other.copy()
    for lane in range(LANES):
        if bits >> lane & 1:
            vector[0, lane] = span(array, index + lane, 1)[0]
    return vector


def store_masked(array: F32, index: int, low: int, high: int, value: F32) -> None:
    """Write one vector from ``array[index]`` on; lanes outside low <= lane < high are left alone."""
    low, high = max(low, 0), min(high, LANES)
    if low < high:
        span(array, index + low, high - low)[:] = value[0, low:high]


def load_rows(tag: Tag, array: F32, index: int, step: int, low: int, high: int, end: int | None) -> F32:
    """As many vectors as `tag` is long, `step` elements apart, from ``array[index]`` on.

    In row t lanes outside ``low <= lane < min(high, end - t * step)`` are zero and not read; an `end` of None is far.
    """
    return np.concatenate(
        [load_masked(array, index + t * step, low, _row_end(high, end, t * step)) for t in range(len(tag))]
    )


def store_rows(array: F32, index: int, step: int, low: int, high: int, end: int | None, value: F32) -> None:
    """Write vectors `step` elements apart, from ``array[index]`` on; lanes as in `load_rows`, others are left alone."""
    for t in range(len(value)):
        store_masked(array, index + t * step, low, _row_end(high, end, t * step), value[t : t + 1])


def prefetch(tag: Tag, array: NDArray[Any], index: int) -> None:
    """Ask for as many vectors as `tag` is long, from ``array[index]`` on, to be brought near; may lie out of bounds."""


def prefetch_rows(tag: Tag, array: F32, index: int, step: int) -> None:
    """Ask for ``array[index + t * step]`` to be brought near for writing, t below the length of `tag`."""


def prefetch_l2(array: NDArray[Any], index: int) -> None:
    """Ask for the cache line of ``array[index]`` to be brought to the L2 cache; may lie out of bounds.

    Far more lines can be under way there than to the L1 cache: a stream from memory arrives twice as fast.
    """
