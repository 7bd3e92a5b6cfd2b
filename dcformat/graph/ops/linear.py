"""Fully connected layers."""

from __future__ import annotations

from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, check_channels, require


def _linear_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    (x,), weight = inputs, params["weight"]
    require(len(weight) == 2, f"weight must have two axes (out, in), found {list(weight)}")
    require(len(x) == 1, f"input must be (features,), found {list(x)}")
    require(weight[1] == x[0], f"weight {list(weight)} does not fit {x[0]} features")
    check_channels(params, ["bias"], weight[0])
    return (weight[0],)


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Weight times x, and bias."""
    out: Array = x @ weight.T
    return out if bias is None else out + bias


OPS = {"linear": OpSpec(_linear_shape, linear, params=("weight",), optional_params=("bias",))}
