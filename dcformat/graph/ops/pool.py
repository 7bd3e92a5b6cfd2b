"""Pooling over windows of an image."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import ceil, floor
from typing import Any

import numpy as np

from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, image, pair, require


def pool_out(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """Length of a pooling's output along one axis; with `ceil_mode` the last window must start inside (PyTorch)."""
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return span // stride + 1
    out = -(-span // stride) + 1
    return out - 1 if (out - 1) * stride >= size + padding else out


def _pool2d_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    x = image(inputs)
    kernel, stride, padding = pair(attrs, "kernel", 1), pair(attrs, "stride", 1), pair(attrs, "padding", 0)
    dilation = pair(attrs, "dilation", 1) if "dilation" in attrs else (1, 1)
    for i in range(2):
        require(2 * padding[i] <= kernel[i], f"padding {padding[i]} is more than half of the window {kernel[i]}")
    ceil_mode = bool(attrs["ceil_mode"])
    h, w = (pool_out(x[1 + i], kernel[i], stride[i], padding[i], dilation[i], ceil_mode) for i in range(2))
    return x[0], h, w


def _adaptive_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    return (image(inputs)[0], *pair(attrs, "output", 1))


def _windows(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> list[list[int]]:
    """Positions of each window along one axis, unclipped."""
    steps = (size + 2 * padding - dilation * (kernel - 1) - 1) / stride
    count = (ceil(steps) if ceil_mode else floor(steps)) + 1
    if ceil_mode and (count - 1) * stride >= size + padding:
        count -= 1
    return [[i * stride - padding + k * dilation for k in range(kernel)] for i in range(count)]


def max_pool2d(
    x: Array,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    ceil_mode: bool,
) -> Array:
    """Maximum of each window; padding is minus infinity, and NaN wins."""
    rows, columns = (_windows(x.shape[2 + a], kernel[a], stride[a], padding[a], dilation[a], ceil_mode) for a in (0, 1))
    out = np.full((*x.shape[:2], len(rows), len(columns)), -np.inf)
    for (i, ys), (j, xs) in product(enumerate(rows), enumerate(columns)):
        for y, z in product(ys, xs):
            if 0 <= y < x.shape[2] and 0 <= z < x.shape[3]:
                out[:, :, i, j] = np.maximum(out[:, :, i, j], x[:, :, y, z])
    return out


def avg_pool2d(
    x: Array,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
    ceil_mode: bool,
    count_include_pad: bool,
) -> Array:
    """Mean of each window; padding counts as zeros or not at all, what `ceil_mode` adds beyond it never."""
    height, width = x.shape[2:]
    rows, columns = (_windows(x.shape[2 + a], kernel[a], stride[a], padding[a], 1, ceil_mode) for a in (0, 1))
    out = np.zeros((*x.shape[:2], len(rows), len(columns)))
    for (i, ys), (j, xs) in product(enumerate(rows), enumerate(columns)):
        inside = [(y, z) for y, z in product(ys, xs) if 0 <= y < height and 0 <= z < width]
        padded = [(y, z) for y, z in product(ys, xs) if y < height + padding[0] and z < width + padding[1]]
        for y, z in inside:
            out[:, :, i, j] += x[:, :, y, z]
        out[:, :, i, j] /= len(padded if count_include_pad else inside)
    return out


def _adaptive(x: Array, output: tuple[int, int], reduce: Callable[..., Any]) -> Array:
    """Window i of n over size s reaches from floor(i s / n) to ceil((i + 1) s / n)."""
    out = np.empty((*x.shape[:2], *output))
    for i, j in product(range(output[0]), range(output[1])):
        (top, bottom), (left, right) = (
            (floor(k * size / n), ceil((k + 1) * size / n))
            for k, size, n in zip((i, j), x.shape[2:], output, strict=True)
        )
        out[:, :, i, j] = reduce(x[:, :, top:bottom, left:right], axis=(2, 3))
    return out


def adaptive_avg_pool2d(x: Array, output: tuple[int, int]) -> Array:
    """Means of `output` windows that share the image evenly."""
    return _adaptive(x, output, np.mean)


def adaptive_max_pool2d(x: Array, output: tuple[int, int]) -> Array:
    """Maxima of `output` windows that share the image evenly."""
    return _adaptive(x, output, np.max)


OPS = {
    "max_pool2d": OpSpec(
        _pool2d_shape,
        max_pool2d,
        attrs={"kernel": tuple, "stride": tuple, "padding": (0, 0), "dilation": (1, 1), "ceil_mode": False},
    ),
    "avg_pool2d": OpSpec(
        _pool2d_shape,
        avg_pool2d,
        attrs={"kernel": tuple, "stride": tuple, "padding": (0, 0), "ceil_mode": False, "count_include_pad": True},
    ),
    "adaptive_avg_pool2d": OpSpec(_adaptive_shape, adaptive_avg_pool2d, attrs={"output": (1, 1)}),
    "adaptive_max_pool2d": OpSpec(_adaptive_shape, adaptive_max_pool2d, attrs={"output": (1, 1)}),
}
