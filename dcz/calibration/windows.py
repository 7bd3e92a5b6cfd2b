"""Sums of the windows of average pools, of integers."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..dcformat import Node
from ..dcformat.graph.ops.lines import image_attrs
from ..dcformat.graph.ops.pool import pool_out

AVERAGES = ("avg_pool2d", "avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool1d")
"""Operators that average windows."""


def window_sums(node: Node, x: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sum each window of an average pool.

    Parameters
    ----------
    node : Node
        One of `AVERAGES`.
    x : ndarray of int64, shape ``(N, *shape)``

    Returns
    -------
    sums : ndarray of int64, shape ``(N, *output)``
    counts : ndarray of int64, shape ``output``, without the axis of channels
        What each window is divided by.
    """
    if node.op.endswith("1d"):
        sums, counts = _image_sums(image_attrs(node.attrs), x[:, :, None])
        return sums[:, :, 0], counts[0]
    return _image_sums(node.attrs, x)


def _image_sums(attrs: Any, x: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    axes = [_windows(attrs, axis, size) for axis, size in enumerate(x.shape[2:])]
    sums = np.empty((*x.shape[:2], *map(len, axes)), np.int64)
    counts = np.empty(sums.shape[2:], np.int64)
    for (i, (rows, height)), (j, (columns, width)) in product(*map(enumerate, axes)):
        window = x[:, :, rows, columns]
        sums[:, :, i, j] = window.sum(axis=(2, 3))
        counts[i, j] = height * width if attrs.get("count_include_pad") else window[0, 0].size
    return sums, counts


def _windows(attrs: Any, axis: int, size: int) -> list[tuple[slice, int]]:
    """Of each window along an axis: the part inside, and its length with padding."""
    if "output" in attrs:
        n = attrs["output"][axis]
        ends = [(i * size // n, -(-(i + 1) * size // n)) for i in range(n)]
        return [(slice(start, stop), stop - start) for start, stop in ends]
    kernel, stride, padding = (attrs[name][axis] for name in ("kernel", "stride", "padding"))
    starts = [i * stride - padding for i in range(pool_out(size, kernel, stride, padding, 1, attrs["ceil_mode"]))]
    return [
        (slice(max(start, 0), min(start + kernel, size)), min(start + kernel, size + padding) - start)
        for start in starts
    ]
