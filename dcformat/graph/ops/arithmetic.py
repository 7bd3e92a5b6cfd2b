"""Arithmetic of two values."""

from __future__ import annotations

from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, require


def _add_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    a, b = inputs
    require(a == b, f"both inputs must have the same shape, found {list(a)} and {list(b)}")
    return a


def add(a: Array, b: Array) -> Array:
    """The sum, element by element."""
    out: Array = a + b
    return out


OPS = {"add": OpSpec(_add_shape, add, inputs=(2, 2))}
