"""Sums of products of integers, exact: convolutions and linear layers by matrix products of floating-point numbers."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ..dcformat import Node
from ..dcformat.graph.integer import U8
from ..dcformat.graph.ops.lines import image_attrs
from ..dcformat.graph.quantization import LEVELS

EXACT_F32 = 1 << 24
"""float32 holds all integers up to this, so sums below it are exact in any order."""
PIECE = 1 << 24
"""Most numbers of the windows that are laid out at a time."""


def integer_sums(node: Node, q: U8, weights: NDArray[np.int8], zero_point: int) -> NDArray[np.int64]:
    """Sum the products of bytes and integer weights over all taps.

    Parameters
    ----------
    node : Node
        A ``conv2d``, ``conv1d`` or ``linear``.
    q : ndarray of uint8, shape ``(N, *shape)``
    weights : ndarray of int8
    zero_point : int
        The padding.

    Returns
    -------
    ndarray of int64, shape ``(N, *shape)``
    """
    most = LEVELS * int(np.abs(weights.reshape(len(weights), -1).astype(np.int64)).sum(axis=1).max(initial=0))
    exact = np.float32 if most <= EXACT_F32 else np.float64
    if node.op == "linear":
        rows: NDArray[np.int64] = (q.astype(exact) @ weights.T.astype(exact)).astype(np.int64)
        return rows
    if node.op == "conv1d":
        sums = _convolve(q[:, :, None], weights[:, :, None], zero_point, image_attrs(node.attrs), exact)
        return sums[:, :, 0]
    return _convolve(q, weights, zero_point, node.attrs, exact)


def _convolve(q: U8, weights: NDArray[np.int8], padding: int, attrs: Any, exact: type) -> NDArray[np.int64]:
    edges = ((0, 0), (0, 0), *((n, n) for n in attrs["padding"]))
    padded = np.pad(q, edges, constant_values=padding)
    (dy, dx), (sy, sx), groups = attrs["dilation"], attrs["stride"], attrs["groups"]
    reach = [(size - 1) * step + 1 for size, step in zip(weights.shape[2:], (dy, dx), strict=True)]
    windows = sliding_window_view(padded, reach, axis=(2, 3))[:, :, ::sy, ::sx, ::dy, ::dx]
    samples, channels, height, width = windows.shape[:4]
    taps: NDArray[Any] = weights.reshape(groups, len(weights) // groups, -1).astype(exact)
    pixels, each = height * width, taps.shape[2]
    grouped = windows.reshape(samples, groups, channels // groups, height, width, *weights.shape[2:])
    out = np.empty((samples, groups, taps.shape[1], pixels), np.int64)
    together = max(1, PIECE // (pixels * groups * each))
    for start in range(0, samples, together):
        # The samples side by side: one product of large matrices takes less time than many of small ones.
        part = grouped[start : start + together].transpose(1, 2, 5, 6, 0, 3, 4)
        count = part.shape[4]
        sums = np.matmul(taps, part.reshape(groups, each, count * pixels).astype(exact))
        out[start : start + count] = sums.reshape(groups, -1, count, pixels).transpose(2, 0, 1, 3)
    return out.reshape(samples, prod(taps.shape[:2]), height, width)
