"""Max pooling of windows of 3 x 3, two apart, without padding: no element leaves the registers on its way.

Such windows share a row with those below. So two rows are loaded for each row of windows, reduced down, and then across
in place.
"""

from __future__ import annotations

from typing import Any

from ... import simd
from ...jit import kernel
from ...simd import LANES
from ..contract import F32, Tag, tag

MOST_VECTORS = 4
"""Most vectors of a row that are reduced at a time."""
TRIPLES = 3, 3, 2, 2, 0, 0, 1, 1
"""Kernel, stride, padding and dilation of the windows."""


def fits_triples(sizes: tuple[int, ...], image: tuple[int, int], out: tuple[int, int]) -> bool:
    """Whether `max_pool_triples` takes windows: given `TRIPLES`, all within the image."""
    return sizes == TRIPLES and all(2 * made < given for made, given in zip(out, image, strict=True))


def vectors_of(out_width: int) -> Tag:
    """As long as a row has vectors that are reduced at a time."""
    return tag(min(MOST_VECTORS, -(-(2 * out_width + 1) // LANES)))


@kernel
def max_pool_triples(columns: Any, x: F32, out: F32, height: int, width: int, out_height: int, out_width: int) -> None:
    """Max pooling of the windows that `fits_triples` describes. NaN wins.

    Parameters
    ----------
    columns : Tag
        See `vectors_of`.
    x : ndarray of float32, shape (planes * height * width,)
    out : ndarray of float32, shape (planes * out_height * out_width,)
    """
    most = len(columns) * LANES // 2 - (out_width >= len(columns) * LANES // 2)
    for plane in range(len(x) // (height * width)):
        for first in range(0, out_width, most):
            start, left = plane * height * width + 2 * first, width - 2 * first
            target, windows = plane * out_height * out_width + first, min(most, out_width - first)
            above = simd.load_rows(columns, x, start, LANES, 0, LANES, left)
            for _ in range(out_height):
                middle = simd.load_rows(columns, x, start + width, LANES, 0, LANES, left)
                below = simd.load_rows(columns, x, start + 2 * width, LANES, 0, LANES, left)
                value = simd.maximum(below, simd.maximum(middle, above))
                simd.store_rows(out, target, LANES, 0, LANES, windows, simd.maximum_triples(value))
                above = below
                start += 2 * width
                target += out_width
