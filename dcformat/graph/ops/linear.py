"""Fully connected layers."""

from __future__ import annotations

from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, check_channels, require


def _linear_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    (x,), weight = inputs, params["weight"]
    require(len(weight) == 2, f"weight must have two axes (out, in), found {list(weight)}")
    require(weight[1] == x[-1], f"weight {list(weight)} does not fit {x[-1]} features")
    check_channels(params, ["bias"], weight[0])
    return (*x[:-1], weight[0])


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """Weight times each row of x, which lies along the last axis, and bias."""
    out: Array = x @ weight.T
    return out if bias is None else out + bias


def _form_version(inputs: list[Shape], params: Params, attrs: Attrs) -> int:
    return 0 if len(inputs[0]) == 1 else 1


OPS = {
    "linear": OpSpec(_linear_shape, linear, params=("weight",), optional_params=("bias",), form_version=_form_version),
}
