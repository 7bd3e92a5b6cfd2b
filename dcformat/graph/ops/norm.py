"""Normalisation."""

from __future__ import annotations

import numpy as np

from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, by_channel, check_channels, require


def _check_eps(attrs: Attrs) -> None:
    eps = attrs["eps"]
    require(isinstance(eps, float) and 0 <= eps < 1, f"eps must lie in [0, 1), found {eps}")


def _batch_norm_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    (x,) = inputs
    require(len(x) >= 1, "input must have a channel axis")
    check_channels(params, ["weight", "bias", "running_mean", "running_var"], x[0])
    _check_eps(attrs)
    return x


def batch_norm(
    x: Array,
    running_mean: Array,
    running_var: Array,
    eps: float,
    weight: Array | None = None,
    bias: Array | None = None,
) -> Array:
    """By the running statistics of each channel."""
    y: Array = (x - by_channel(running_mean, x)) / np.sqrt(by_channel(running_var, x) + eps)
    y = y if weight is None else y * by_channel(weight, x)
    return y if bias is None else y + by_channel(bias, x)


def _trailing_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    (x,), trailing = inputs, attrs["trailing"]
    fits = type(trailing) is int and 1 <= trailing <= len(x)
    require(fits, f"trailing must lie in 1..{len(x)}, found {trailing}")
    assert isinstance(trailing, int)
    for role, shape in params.items():
        expected = x[len(x) - trailing :]
        require(shape == expected, f"{role} must have shape {list(expected)}, found {list(shape)}")
    _check_eps(attrs)
    return x


def layer_norm(x: Array, trailing: int, eps: float, weight: Array | None = None, bias: Array | None = None) -> Array:
    """By mean and variance over the last `trailing` axes (Ba, Kiros & Hinton 2016)."""
    axes = tuple(range(x.ndim - trailing, x.ndim))
    y: Array = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def rms_norm(x: Array, trailing: int, eps: float, weight: Array | None = None) -> Array:
    """By the root of the mean square over the last `trailing` axes (Zhang & Sennrich 2019)."""
    axes = tuple(range(x.ndim - trailing, x.ndim))
    y: Array = x / np.sqrt((x * x).mean(axes, keepdims=True) + eps)
    return y if weight is None else y * weight


def _group_norm_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    (x,), groups = inputs, attrs["groups"]
    require(type(groups) is int and groups > 0, f"groups must be a positive integer, found {groups}")
    assert isinstance(groups, int)
    require(x[0] % groups == 0, f"{x[0]} channels do not divide into {groups} groups")
    check_channels(params, ["weight", "bias"], x[0])
    _check_eps(attrs)
    return x


def group_norm(x: Array, groups: int, eps: float, weight: Array | None = None, bias: Array | None = None) -> Array:
    """By mean and variance over each group of channels (Wu & He 2018)."""
    parts = x.reshape(len(x), groups, -1)
    parts = (parts - parts.mean(2, keepdims=True)) / np.sqrt(parts.var(2, keepdims=True) + eps)
    y: Array = parts.reshape(x.shape)
    y = y if weight is None else y * by_channel(weight, x)
    return y if bias is None else y + by_channel(bias, x)


OPS = {
    "batch_norm": OpSpec(
        _batch_norm_shape,
        batch_norm,
        params=("running_mean", "running_var"),
        optional_params=("weight", "bias"),
        attrs={"eps": 1e-5},
    ),
    "layer_norm": OpSpec(
        _trailing_shape,
        layer_norm,
        optional_params=("weight", "bias"),
        attrs={"trailing": 1, "eps": 1e-5},
        minor_version=1,
    ),
    "rms_norm": OpSpec(
        _trailing_shape,
        rms_norm,
        optional_params=("weight",),
        attrs={"trailing": 1, "eps": float(np.finfo(np.float32).eps)},
        minor_version=1,
    ),
    "group_norm": OpSpec(
        _group_norm_shape,
        group_norm,
        optional_params=("weight", "bias"),
        attrs={"groups": int, "eps": 1e-5},
        minor_version=1,
    ),
}
