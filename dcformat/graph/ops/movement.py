"""Operators that move elements and compute nothing."""

from __future__ import annotations

from math import prod

import numpy as np

from ...constants import MAX_RANK
from ...tensors import Array
from ..graph import Shape
from .spec import Attrs, OpSpec, Params, axis_of, integers, require


def _concat_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    first = inputs[0]
    axis = axis_of(attrs, len(first))
    for x in inputs:
        fits = len(x) == len(first) and all(x[i] == first[i] for i in range(len(first)) if i != axis)
        require(fits, f"shapes must agree but for axis {axis}, found {[list(s) for s in inputs]}")
    return (*first[:axis], sum(x[axis] for x in inputs), *first[axis + 1 :])


def concat(*inputs: Array, axis: int) -> Array:
    """Inputs one behind the other along an axis."""
    return np.concatenate(inputs, axis=axis + 1)


def _flatten_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    return (prod(inputs[0]),)


def flatten(x: Array) -> Array:
    """To one axis."""
    return x.reshape(len(x), -1)


def _slice_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    (x,) = inputs
    axis, start, stop, step = axis_of(attrs, len(x)), attrs["start"], attrs["stop"], attrs["step"]
    assert isinstance(start, int)
    assert isinstance(stop, int)
    assert isinstance(step, int)
    require(0 <= start <= stop <= x[axis] and step >= 1, f"slice {start}:{stop}:{step} does not fit {x[axis]} elements")
    return (*x[:axis], len(range(start, stop, step)), *x[axis + 1 :])


def slice_(x: Array, axis: int, start: int, stop: int, step: int) -> Array:
    """Elements start, start + step, ... below stop."""
    return np.take(x, range(start, stop, step), axis=axis + 1)


def _pad_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    (x,) = inputs
    before, after = integers(attrs, "before"), integers(attrs, "after")
    require(len(before) == len(after) == len(x), f"before and after must name all {len(x)} axes")
    require(min((*before, *after), default=0) >= 0, "padding must not be negative")
    return tuple(b + n + a for b, n, a in zip(before, x, after, strict=True))


def pad(x: Array, before: tuple[int, ...], after: tuple[int, ...]) -> Array:
    """Zeros before and after each axis."""
    return np.pad(x, [(0, 0), *zip(before, after, strict=True)])


def _pad_constant_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    value = attrs["value"]
    require(value == value, "value must be a number, found NaN")
    return _pad_shape(inputs, params, attrs)


def pad_constant(x: Array, before: tuple[int, ...], after: tuple[int, ...], value: float) -> Array:
    """A number before and after each axis, rounded to fp32: one beyond the range of fp32 is infinite."""
    with np.errstate(over="ignore"):
        rounded = float(np.float32(value))
    return np.pad(x, [(0, 0), *zip(before, after, strict=True)], constant_values=rounded)


def _permute_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    (x,) = inputs
    axes = integers(attrs, "axes")
    require(sorted(axes) == list(range(len(x))), f"axes must name each of {len(x)} axes once, found {list(axes)}")
    return tuple(x[axis] for axis in axes)


def permute(x: Array, axes: tuple[int, ...]) -> Array:
    """The input's axes in another order: axis i of the output is axis ``axes[i]`` of the input."""
    return x.transpose(0, *(axis + 1 for axis in axes))


def _expand_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    (x,) = inputs
    shape = integers(attrs, "shape")
    fits = len(shape) == len(x) and all(n in (1, m) for n, m in zip(x, shape, strict=True))
    require(fits, f"only axes of one element can be repeated, found {list(x)} to {list(shape)}")
    return shape


def expand(x: Array, shape: tuple[int, ...]) -> Array:
    """Axes of one element repeated."""
    return np.broadcast_to(x, (len(x), *shape))


def _take_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    (x,) = inputs
    axis, indices = axis_of(attrs, len(x)), integers(attrs, "indices")
    require(len(indices) > 0 and min(indices) >= 0, "indices must be one or more, from 0 on")
    require(max(indices) < x[axis], f"index {max(indices)} does not fit {x[axis]} elements")
    return (*x[:axis], len(indices), *x[axis + 1 :])


def take(x: Array, axis: int, indices: tuple[int, ...]) -> Array:
    """Elements of an axis by their numbers, in any order and number."""
    return np.take(x, indices, axis=axis + 1)


def _constant_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    return params["value"] or (1,)


def constant(value: Array) -> Array:
    """A stored tensor, the same for every sample; one of no axes counts as one axis of one element."""
    return np.atleast_1d(value)[None]


def _reshape_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    shape = integers(attrs, "shape")
    require(1 <= len(shape) <= MAX_RANK, f"shape must have 1 to {MAX_RANK} axes, found {list(shape)}")
    fits = prod(shape) == prod(inputs[0])
    require(fits, f"shape must hold as many elements as the input, found {list(shape)} for {list(inputs[0])}")
    return shape


def reshape(x: Array, shape: tuple[int, ...]) -> Array:
    """The same elements in row-major order, in another shape."""
    return x.reshape(len(x), *shape)


OPS = {
    "constant": OpSpec(_constant_shape, constant, inputs=(0, 0), params=("value",), minor_version=1),
    "concat": OpSpec(_concat_shape, concat, inputs=(1, 1 << 10), attrs={"axis": 0}),
    "flatten": OpSpec(_flatten_shape, flatten),
    "reshape": OpSpec(_reshape_shape, reshape, attrs={"shape": tuple}, minor_version=1),
    "slice": OpSpec(_slice_shape, slice_, attrs={"axis": int, "start": 0, "stop": int, "step": 1}),
    "pad": OpSpec(_pad_shape, pad, attrs={"before": tuple, "after": tuple}),
    "pad_constant": OpSpec(
        _pad_constant_shape, pad_constant, attrs={"before": tuple, "after": tuple, "value": float}, minor_version=1
    ),
    "permute": OpSpec(_permute_shape, permute, attrs={"axes": tuple}, minor_version=1),
    "expand": OpSpec(_expand_shape, expand, attrs={"shape": tuple}, minor_version=1),
    "take": OpSpec(_take_shape, take, attrs={"axis": int, "indices": tuple}, minor_version=1),
}
