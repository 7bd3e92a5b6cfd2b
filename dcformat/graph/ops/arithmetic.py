"""Arithmetic, element by element: functions of one value, and of two that NumPy's broadcasting brings to one shape."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from math import erf as erf_of_number

import numpy as np

from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, numbers, require, same_shape


def _broadcast_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    """Axes are compared from the last on: they are equal, or one is of one element or not there."""
    a, b = inputs
    pairs = list(zip_longest(a[::-1], b[::-1], fillvalue=1))[::-1]
    fits = all(m == n or 1 in (m, n) for m, n in pairs)
    require(fits, f"inputs must have shapes that broadcast to one, found {list(a)} and {list(b)}")
    return tuple(n if m == 1 else m for m, n in pairs)


def _binary(function: Callable[[Array, Array], Array], minor_version: int = 1) -> OpSpec:
    def meaning(a: Array, b: Array) -> Array:
        rank = max(a.ndim, b.ndim)
        a, b = (x.reshape(len(x), *(1,) * (rank - x.ndim), *x.shape[1:]) for x in (a, b))
        return function(a, b)

    return OpSpec(
        _broadcast_shape, meaning, inputs=(2, 2), minor_version=minor_version, form_version=_version_of_broadcasts
    )


def _version_of_broadcasts(inputs: list[Shape], params: Params, attrs: Attrs) -> int:
    a, b = inputs
    return 0 if a == b else 1


def affine(x: Array, scale: float, shift: float) -> Array:
    """X times a number, plus a number."""
    return scale * x + shift


def power(x: Array, exponent: float) -> Array:
    """X to the power of a number."""
    result: Array = x**exponent
    return result


def reciprocal(x: Array) -> Array:
    """One divided by x."""
    result: Array = 1 / x
    return result


def erf(x: Array) -> Array:
    """The error function."""
    result: Array = np.vectorize(erf_of_number, otypes=[np.float64])(x)
    return result


def equal(a: Array, b: Array) -> Array:
    """1 where a is b, else 0; NaN is equal to nothing."""
    result: Array = np.equal(a, b).astype(a.dtype)
    return result


def less(a: Array, b: Array) -> Array:
    """1 where a is less than b, else 0; NaN is less than nothing."""
    result: Array = np.less(a, b).astype(a.dtype)
    return result


def mask(a: Array, b: Array) -> Array:
    """A where b is not 0, else 0."""
    return np.where(b != 0, a, np.zeros((), a.dtype))


OPS = {
    "affine": OpSpec(numbers, affine, attrs={"scale": 1.0, "shift": 0.0}, minor_version=1),
    "power": OpSpec(numbers, power, attrs={"exponent": float}, minor_version=1),
    "reciprocal": OpSpec(same_shape, reciprocal, minor_version=1),
    "sqrt": OpSpec(same_shape, np.sqrt, minor_version=1),
    "exp": OpSpec(same_shape, np.exp, minor_version=1),
    "log": OpSpec(same_shape, np.log, minor_version=1),
    "erf": OpSpec(same_shape, erf, minor_version=1),
    "abs": OpSpec(same_shape, np.abs, minor_version=1),
    "sin": OpSpec(same_shape, np.sin, minor_version=2),
    "cos": OpSpec(same_shape, np.cos, minor_version=2),
    "floor": OpSpec(same_shape, np.floor, minor_version=2),
    "ceil": OpSpec(same_shape, np.ceil, minor_version=2),
    "round": OpSpec(same_shape, np.rint, minor_version=2),
    "add": _binary(np.add, minor_version=0),
    "sub": _binary(np.subtract),
    "mul": _binary(np.multiply),
    "div": _binary(np.divide),
    "maximum": _binary(np.maximum),
    "minimum": _binary(np.minimum),
    "pow": _binary(np.power),
    "equal": _binary(equal),
    "less": _binary(less),
    "mask": _binary(mask),
}
