"""Convolution."""

from __future__ import annotations

from itertools import product

import numpy as np

from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, by_channel, check_channels, image, pair, require


def conv_out(size: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Length of a convolution's output along one axis."""
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _conv2d_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    x, weight = image(inputs), params["weight"]
    require(
        len(weight) == 4 and min(weight) > 0, f"weight must have four axes (O, I/groups, KH, KW), found {list(weight)}"
    )
    groups = attrs["groups"]
    require(type(groups) is int and groups > 0, f"groups must be a positive integer, found {groups}")
    assert isinstance(groups, int)
    require(weight[1] * groups == x[0], f"weight {list(weight)} with groups {groups} does not fit {x[0]} channels")
    require(weight[0] % groups == 0, f"{weight[0]} output channels do not divide into {groups} groups")
    stride, padding, dilation = pair(attrs, "stride", 1), pair(attrs, "padding", 0), pair(attrs, "dilation", 1)
    check_channels(params, ["bias"], weight[0])
    h, w = (conv_out(x[1 + i], weight[2 + i], stride[i], padding[i], dilation[i]) for i in range(2))
    return weight[0], h, w


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


OPS = {
    "conv2d": OpSpec(
        _conv2d_shape,
        conv2d,
        params=("weight",),
        optional_params=("bias",),
        attrs={"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1},
    ),
}
