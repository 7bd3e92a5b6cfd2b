"""Convolutions and transposed convolutions, of images and of lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product

import numpy as np

from ...tensors import Array
from ..graph import Attr, Shape
from .lines import on_lines
from .spec import Attrs, OpSpec, Params, by_channel, check_channels, per_axis, require, spatial

AXES = {1: "K", 2: "KH, KW"}
"""Names of the axes of a kernel, by their number."""


def conv_out(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Length of a convolution's output along one axis."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def transposed_out(size: int, kernel: int, stride: int, padding: int, output_padding: int, dilation: int) -> int:
    """Length of a transposed convolution's output along one axis."""
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1


def _check_weight(weight: Shape, axes: int, channels: str) -> None:
    fits = len(weight) == 2 + axes and min(weight) > 0
    count = {1: "three", 2: "four"}[axes]
    require(fits, f"weight must have {count} axes ({channels}, {AXES[axes]}), found {list(weight)}")


def _groups(attrs: Attrs) -> int:
    groups = attrs["groups"]
    require(type(groups) is int and groups > 0, f"groups must be a positive integer, found {groups}")
    assert isinstance(groups, int)
    return groups


def _conv_shape(axes: int, inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    x, weight, groups = spatial(inputs, axes), params["weight"], _groups(attrs)
    _check_weight(weight, axes, "O, I/groups")
    require(weight[1] * groups == x[0], f"weight {list(weight)} with groups {groups} does not fit {x[0]} channels")
    require(weight[0] % groups == 0, f"{weight[0]} output channels do not divide into {groups} groups")
    stride, dilation = per_axis(attrs, "stride", axes, 1), per_axis(attrs, "dilation", axes, 1)
    padding = per_axis(attrs, "padding", axes, 0)
    check_channels(params, ["bias"], weight[0])
    sizes = zip(x[1:], weight[2:], stride, padding, dilation, strict=True)
    return weight[0], *(conv_out(*axis) for axis in sizes)


def _transposed_shape(axes: int, inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    x, weight, groups = spatial(inputs, axes), params["weight"], _groups(attrs)
    _check_weight(weight, axes, "I, O/groups")
    require(weight[0] == x[0], f"weight {list(weight)} does not fit {x[0]} channels")
    require(x[0] % groups == 0, f"{x[0]} channels do not divide into {groups} groups")
    stride, dilation = per_axis(attrs, "stride", axes, 1), per_axis(attrs, "dilation", axes, 1)
    padding, more = per_axis(attrs, "padding", axes, 0), per_axis(attrs, "output_padding", axes, 0)
    for added, *steps in zip(more, stride, dilation, strict=True):
        require(added < max(steps), f"output_padding {added} must be less than the stride or the dilation {steps}")
    check_channels(params, ["bias"], weight[1] * groups)
    sizes = zip(x[1:], weight[2:], stride, padding, more, dilation, strict=True)
    return weight[1] * groups, *(transposed_out(*axis) for axis in sizes)


def conv2d(
    x: Array,
    weight: Array,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    bias: Array | None = None,
) -> Array:
    """Cross-correlation, zero padding."""
    n, _, height, width = x.shape
    out_channels, per_group, kh, kw = weight.shape
    x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    oh = conv_out(height, kh, stride[0], padding[0], dilation[0])
    ow = conv_out(width, kw, stride[1], padding[1], dilation[1])
    out = np.zeros((n, out_channels, oh, ow))
    for o in range(out_channels):
        first = o // (out_channels // groups) * per_group
        for c, i, j in product(range(per_group), range(kh), range(kw)):
            top, left = i * dilation[0], j * dilation[1]
            rows = slice(top, top + (oh - 1) * stride[0] + 1, stride[0])
            columns = slice(left, left + (ow - 1) * stride[1] + 1, stride[1])
            out[:, o] += weight[o, c, i, j] * x[:, first + c, rows, columns]
    return out if bias is None else out + by_channel(bias, out)


def conv_transpose2d(
    x: Array,
    weight: Array,
    stride: tuple[int, int],
    padding: tuple[int, int],
    output_padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
    bias: Array | None = None,
) -> Array:
    """Each pixel times the kernel is added to the output, `stride` apart; `padding` is cut off at both ends."""
    n, in_channels, height, width = x.shape
    per_group, kh, kw = weight.shape[1:]
    oh = transposed_out(height, kh, stride[0], 0, output_padding[0], dilation[0])
    ow = transposed_out(width, kw, stride[1], 0, output_padding[1], dilation[1])
    out = np.zeros((n, per_group * groups, oh, ow))
    for c in range(in_channels):
        first = c // (in_channels // groups) * per_group
        for o, i, j in product(range(per_group), range(kh), range(kw)):
            top, left = i * dilation[0], j * dilation[1]
            rows = slice(top, top + (height - 1) * stride[0] + 1, stride[0])
            columns = slice(left, left + (width - 1) * stride[1] + 1, stride[1])
            out[:, first + o, rows, columns] += weight[c, o, i, j] * x[:, c]
    out = out[:, :, padding[0] : oh - padding[0], padding[1] : ow - padding[1]]
    return out if bias is None else out + by_channel(bias, out)


def _conv(axes: int, meaning: Callable[..., Array], minor_version: int = 0) -> OpSpec:
    ones, zeros = (1,) * axes, (0,) * axes
    attrs: dict[str, Attr | type] = {"stride": ones, "padding": zeros, "dilation": ones, "groups": 1}
    rule = partial(_conv_shape, axes)
    return OpSpec(
        rule, meaning, params=("weight",), optional_params=("bias",), attrs=attrs, minor_version=minor_version
    )


def _transposed(axes: int, meaning: Callable[..., Array]) -> OpSpec:
    conv = _conv(axes, meaning, minor_version=1)
    return replace(conv, shape=partial(_transposed_shape, axes), attrs={**conv.attrs, "output_padding": (0,) * axes})


OPS = {
    "conv2d": _conv(2, conv2d),
    "conv1d": _conv(1, on_lines(conv2d), minor_version=1),
    "conv_transpose2d": _transposed(2, conv_transpose2d),
    "conv_transpose1d": _transposed(1, on_lines(conv_transpose2d)),
}
