"""Normalisation."""

from __future__ import annotations

import numpy as np

from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, by_channel, check_channels, require


def _batch_norm_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    (x,) = inputs
    require(len(x) >= 1, "input must have a channel axis")
    check_channels(params, ["weight", "bias", "running_mean", "running_var"], x[0])
    eps = attrs["eps"]
    require(isinstance(eps, float) and 0 <= eps < 1, f"eps must lie in [0, 1), found {eps}")
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


OPS = {
    "batch_norm": OpSpec(
        _batch_norm_shape,
        batch_norm,
        params=("running_mean", "running_var"),
        optional_params=("weight", "bias"),
        attrs={"eps": 1e-5},
    ),
}
