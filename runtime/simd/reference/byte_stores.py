"""Sums that become bytes or float32, and floats that become bytes: their meaning, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bytes import Bytes, Sums
from .types import F32, Tag, span

__all__ = [
    "store_bytes",
    "store_outputs",
]

FURTHEST = 16384.0
"""Quotients are clamped to this before they are rounded, so that they fit an integer; a byte saturates long before."""


def store_outputs(
    out: NDArray[Any], index: int, step: int, sums: Sums, residual: Tag, added: Bytes, epilogue: F32, channel: int,
    mask: Bytes, at: int, zero: int, low: int, high: int,
) -> None:  # fmt: skip
    """Apply an epilogue to sums and store the outputs, row r from ``out[index + r * step]`` on.

    A row's sums, rounded to float32, are multiplied by ``epilogue[channel + r]``. Where the tag `residual` is not
    empty, ``(added - residual_zero) * residual_scale`` is added, of the bytes at the same place. The last four elements
    of the epilogue are least, most, residual_zero, residual_scale.

    Bytes are ``clamp(round(value) + zero, low, high)``, halves rounded to even, and `zero` where ``mask[at + pixel]``
    is 0; elsewhere it is 255. An output of float32 is ``clamp(value, least, most)``.
    """
    least, most, residual_zero, residual_scale = (np.float32(each) for each in epilogue[-4:])
    rows, pixels = sums.shape
    for row in range(rows):
        place = index + row * step
        value = sums[row].astype(np.float32) * span(epilogue, channel + row, 1)[0]
        if len(residual):
            value = value + (span(added, place, pixels).astype(np.float32) - residual_zero) * residual_scale
        if out.dtype == np.float32:
            span(out, place, pixels)[:] = np.minimum(np.maximum(value, least), most)
            continue
        whole = np.rint(np.clip(value, -FURTHEST, FURTHEST)) + zero
        inside = span(mask, at, pixels) != 0
        span(out, place, pixels)[:] = np.where(inside, np.clip(whole, low, high), zero).astype(np.uint8)


def store_bytes(out: Bytes, index: int, x: F32, place: int, scale: Any, zero: int, count: int) -> None:
    """Quantise `count` elements from ``x[place]`` on: ``clamp(round(x * scale) + zero, 0, 255)``. NaN becomes 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        value = span(x, place, count) * np.float32(scale)
    whole = np.rint(np.clip(np.where(np.isnan(value), -FURTHEST, value), -FURTHEST, FURTHEST)) + zero
    span(out, index, count)[:] = np.clip(whole, 0, 255).astype(np.uint8)
