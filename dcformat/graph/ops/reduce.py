"""Operators whose elements depend on all others of an axis."""

from __future__ import annotations

import numpy as np

from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, axis_of


def _softmax_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    axis_of(attrs, len(inputs[0]))
    return inputs[0]


def softmax(x: Array, axis: int, log: bool) -> Array:
    """Softmax along an axis, or its logarithm."""
    shifted = x - x.max(axis=axis + 1, keepdims=True)
    logs: Array = shifted - np.log(np.exp(shifted).sum(axis=axis + 1, keepdims=True))
    return logs if log else np.exp(logs)


OPS = {"softmax": OpSpec(_softmax_shape, softmax, attrs={"axis": 0, "log": False})}
