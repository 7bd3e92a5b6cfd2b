"""Operators whose elements depend on all others of some axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, axis_of, integers, require


def _softmax_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    axis_of(attrs, len(inputs[0]))
    return inputs[0]


def softmax(x: Array, axis: int, log: bool) -> Array:
    """Softmax along an axis, or its logarithm."""
    shifted = x - x.max(axis=axis + 1, keepdims=True)
    logs: Array = shifted - np.log(np.exp(shifted).sum(axis=axis + 1, keepdims=True))
    return logs if log else np.exp(logs)


def _reduce_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    (x,), axes = inputs, integers(attrs, "axes")
    legal = bool(axes) and list(axes) == sorted(set(axes)) and axes[0] >= 0 and axes[-1] < len(x)
    require(legal, f"axes must ascend and lie in 0..{len(x) - 1}, found {list(axes)}")
    return tuple(1 if axis in axes else size for axis, size in enumerate(x))


def _root_of_squares(x: Array, axis: tuple[int, ...], keepdims: bool) -> Any:
    return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))


def _reduction(reduce: Callable[..., Any]) -> OpSpec:
    """The operator that reduces axes to one element each."""

    def meaning(x: Array, axes: tuple[int, ...]) -> Array:
        result: Array = reduce(x, axis=tuple(axis + 1 for axis in axes), keepdims=True)
        return result

    return OpSpec(_reduce_shape, meaning, attrs={"axes": tuple}, minor_version=1)


OPS = {
    "softmax": OpSpec(_softmax_shape, softmax, attrs={"axis": 0, "log": False}),
    "reduce_mean": _reduction(np.mean),
    "reduce_sum": _reduction(np.sum),
    "reduce_max": _reduction(np.max),
    "reduce_min": _reduction(np.min),
    "reduce_l2": _reduction(_root_of_squares),
}
