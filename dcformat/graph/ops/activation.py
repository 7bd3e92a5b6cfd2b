"""Activations: one number in, one number out. NaN passes through all of them."""

from __future__ import annotations

from math import erf, inf

import numpy as np

from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, by_channel, fp32, numbers, require, same_shape


def relu(x: Array) -> Array:
    """The maximum of x and 0."""
    return np.where(x < 0, 0, x)


def relu6(x: Array) -> Array:
    """Between 0 and 6."""
    return np.where(x > 6, 6, relu(x))


def _clamp_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    low, high = attrs["low"], attrs["high"]
    assert isinstance(low, float)
    assert isinstance(high, float)
    for name, limit, none in (("low", low, -inf), ("high", high, inf)):
        require(limit == none or fp32(limit), f"{name} must be a finite fp32 number, found {limit}")
    require(low <= high, f"low must not be above high, found {low} and {high}")
    return inputs[0]


def clamp(x: Array, low: float, high: float) -> Array:
    """Between two limits."""
    return np.where(x > high, high, np.where(x < low, low, x))


def leaky_relu(x: Array, negative_slope: float) -> Array:
    """What is above 0 as it is, the rest times the slope."""
    return np.where(x > 0, x, x * negative_slope)


def _prelu_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    (x,), slope = inputs, params["weight"]
    fits = slope in ((1,), x[:1])
    require(fits, f"weight must have one number, or one for each of {x[0]} channels, found {list(slope)}")
    return x


def prelu(x: Array, weight: Array) -> Array:
    """What is above 0 as it is, the rest times the slope of its channel."""
    return np.where(x > 0, x, x * by_channel(weight, x))


def sigmoid(x: Array) -> Array:
    """The logistic function."""
    result: Array = 1 / (1 + np.exp(-x))
    return result


def silu(x: Array) -> Array:
    """X times its sigmoid."""
    return x * sigmoid(x)


def gelu(x: Array, tanh: bool) -> Array:
    """X times the normal distribution function of x (Hendrycks & Gimpel 2016), or its approximation by tanh."""
    if tanh:
        result: Array = x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    else:
        result = x / 2 * (1 + np.vectorize(erf, otypes=[np.float64])(x / np.sqrt(2)))
    return result


def hardsigmoid(x: Array, alpha: float, beta: float) -> Array:
    """A line, between 0 and 1."""
    return clamp(alpha * x + beta, 0, 1)


def hardswish(x: Array) -> Array:
    """X times ``clamp(x + 3, 0, 6) / 6``."""
    return x * clamp(x + 3, 0, 6) / 6


def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    return np.tanh(x)


def elu(x: Array, alpha: float, scale: float, input_scale: float) -> Array:
    """Exponential below 0, towards minus alpha; ELU, SELU and CELU, by the numbers."""
    return scale * np.where(x > 0, x, alpha * np.expm1(input_scale * np.minimum(x, 0)))


def _softplus_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    require(attrs["beta"] != 0, "beta must not be zero")
    return numbers(inputs, params, attrs)


def softplus(x: Array, beta: float, threshold: float) -> Array:
    """``log(1 + exp(beta x)) / beta``; x itself from the threshold of beta x on."""
    return np.where(beta * x > threshold, x, np.logaddexp(0, beta * x) / beta)


def mish(x: Array) -> Array:
    """X times the tanh of its softplus."""
    return x * np.tanh(np.logaddexp(0, x))


OPS = {
    "relu": OpSpec(same_shape, relu),
    "relu6": OpSpec(same_shape, relu6),
    "clamp": OpSpec(_clamp_shape, clamp, attrs={"low": -inf, "high": inf}, minor_version=1),
    "leaky_relu": OpSpec(numbers, leaky_relu, attrs={"negative_slope": 0.01}, minor_version=1),
    "prelu": OpSpec(_prelu_shape, prelu, params=("weight",), minor_version=1),
    "sigmoid": OpSpec(same_shape, sigmoid, minor_version=1),
    "silu": OpSpec(same_shape, silu, minor_version=1),
    "gelu": OpSpec(same_shape, gelu, attrs={"tanh": False}, minor_version=1),
    "hardsigmoid": OpSpec(numbers, hardsigmoid, attrs={"alpha": 1 / 6, "beta": 0.5}, minor_version=1),
    "hardswish": OpSpec(same_shape, hardswish, minor_version=1),
    "tanh": OpSpec(same_shape, tanh, minor_version=1),
    "elu": OpSpec(numbers, elu, attrs={"alpha": 1.0, "scale": 1.0, "input_scale": 1.0}, minor_version=1),
    "softplus": OpSpec(_softplus_shape, softplus, attrs={"beta": 1.0, "threshold": 20.0}, minor_version=1),
    "mish": OpSpec(same_shape, mish, minor_version=1),
}
