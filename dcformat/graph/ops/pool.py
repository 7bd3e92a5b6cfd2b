"""Pooling over windows of an image or of a line."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from math import ceil, floor
from typing import Any

import numpy as np

from ...tensors import Array
from ..graph import Attr, Shape
from .lines import on_lines
from .spec import Attrs, OpSpec, Params, per_axis, require, spatial


def pool_out(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """Length of a pooling's output along one axis; with `ceil_mode` the last window must start inside (PyTorch)."""
    span = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return span // stride + 1
    out = -(-span // stride) + 1
    return out - 1 if (out - 1) * stride >= size + padding else out


def _pool_shape(axes: int, inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    x = spatial(inputs, axes)
    kernel, stride = per_axis(attrs, "kernel", axes, 1), per_axis(attrs, "stride", axes, 1)
    padding = per_axis(attrs, "padding", axes, 0)
    dilation = per_axis(attrs, "dilation", axes, 1) if "dilation" in attrs else (1,) * axes
    for width, added in zip(kernel, padding, strict=True):
        require(2 * added <= width, f"padding {added} is more than half of the window {width}")
    sizes = zip(x[1:], kernel, stride, padding, dilation, strict=True)
    return x[0], *(pool_out(*axis, ceil_mode=bool(attrs["ceil_mode"])) for axis in sizes)


def _adaptive_shape(axes: int, inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    return spatial(inputs, axes)[0], *per_axis(attrs, "output", axes, 1)


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


def _max(axes: int, meaning: Callable[..., Array], minor_version: int = 0) -> OpSpec:
    return _pool(axes, meaning, {"dilation": (1,) * axes, "ceil_mode": False}, minor_version)


def _average(axes: int, meaning: Callable[..., Array], minor_version: int = 0) -> OpSpec:
    return _pool(axes, meaning, {"ceil_mode": False, "count_include_pad": True}, minor_version)


def _pool(axes: int, meaning: Callable[..., Array], more: dict[str, Attr | type], minor_version: int) -> OpSpec:
    attrs: dict[str, Attr | type] = {"kernel": tuple, "stride": tuple, "padding": (0,) * axes, **more}
    return OpSpec(partial(_pool_shape, axes), meaning, attrs=attrs, minor_version=minor_version)


def _adapts(axes: int, meaning: Callable[..., Array], minor_version: int = 0) -> OpSpec:
    rule = partial(_adaptive_shape, axes)
    return OpSpec(rule, meaning, attrs={"output": (1,) * axes}, minor_version=minor_version)


OPS = {
    "max_pool2d": _max(2, max_pool2d),
    "avg_pool2d": _average(2, avg_pool2d),
    "adaptive_avg_pool2d": _adapts(2, adaptive_avg_pool2d),
    "adaptive_max_pool2d": _adapts(2, adaptive_max_pool2d),
    "max_pool1d": _max(1, on_lines(max_pool2d), minor_version=1),
    "avg_pool1d": _average(1, on_lines(avg_pool2d), minor_version=1),
    "adaptive_avg_pool1d": _adapts(1, on_lines(adaptive_avg_pool2d), minor_version=1),
    "adaptive_max_pool1d": _adapts(1, on_lines(adaptive_max_pool2d), minor_version=1),
}
