"""Activations: one number in, one number out. NaN passes through all of them."""

from __future__ import annotations

import numpy as np

from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, require, same_shape

LARGEST_F32 = float(np.finfo(np.float32).max)


def relu(x: Array) -> Array:
    """The maximum of x and 0."""
    return np.where(x < 0, 0, x)


def relu6(x: Array) -> Array:
    """Between 0 and 6."""
    return np.where(x > 6, 6, relu(x))


def _leaky_relu_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    slope = attrs["negative_slope"]
    fits = isinstance(slope, float) and abs(slope) <= LARGEST_F32
    require(fits, f"negative_slope must be a finite fp32 number, found {slope}")
    return inputs[0]


def leaky_relu(x: Array, negative_slope: float) -> Array:
    """What is above 0 as it is, the rest times the slope."""
    return np.where(x > 0, x, x * negative_slope)


OPS = {
    "relu": OpSpec(same_shape, relu),
    "relu6": OpSpec(same_shape, relu6),
    "leaky_relu": OpSpec(_leaky_relu_shape, leaky_relu, attrs={"negative_slope": 0.01}, minor_version=1),
}
