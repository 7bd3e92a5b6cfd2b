"""What is known of an operator, and the checks that shape rules share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...tensors import Array
from ..graph import Attr, Shape

Params = Mapping[str, Shape]
Attrs = Mapping[str, Attr]
LARGEST_F32 = float(np.finfo(np.float32).max)
ShapeRule = Callable[[list[Shape], Params, Attrs], Shape]


@dataclass(frozen=True)
class OpSpec:
    """What one op takes, makes and means.

    Attributes
    ----------
    shape : callable
        ``shape(input_shapes, param_shapes, attrs) -> output shape``; raises ValueError on a misfit. No batch axis.
    meaning : callable
        ``meaning(*inputs, **params, **attrs) -> output``: slow and obvious, on float64 arrays of shape
        ``(N, *shape)``. Nothing runs it but tests: it says what the runtime's kernels must give.
    inputs : tuple of int
        Least and greatest number of inputs.
    params, optional_params : tuple of str
        Roles of the tensors.
    attrs : mapping of str to Attr or type
        Attribute name -> default value, or, for one that must be given, its type.
    minor_version : int
        The format's minor version that brought the op: a file that uses it states at least that one.
    form_version : callable, optional
        ``form_version(input_shapes, param_shapes, attrs)``: the minor version that brought this form of the op, where
        later versions of the format widened it.
    """

    shape: ShapeRule
    meaning: Callable[..., Array]
    inputs: tuple[int, int] = (1, 1)
    params: tuple[str, ...] = ()
    optional_params: tuple[str, ...] = ()
    attrs: Mapping[str, Attr | type] = field(default_factory=dict)
    minor_version: int = 0
    form_version: Callable[[list[Shape], Params, Attrs], int] | None = None


def require(condition: bool, message: str) -> None:
    """Refuse what an operator is given unless `condition` holds; raises ValueError."""
    if not condition:
        raise ValueError(message)


def integers(attrs: Attrs, name: str) -> tuple[int, ...]:
    """An attribute that is a list of integers."""
    value = attrs[name]
    require(isinstance(value, tuple) and all(type(v) is int for v in value), f"{name} must be a list of integers")
    return value  # type: ignore[return-value]


def per_axis(attrs: Attrs, name: str, axes: int, least: int) -> tuple[int, ...]:
    """An attribute that is an integer of at least `least` for each of `axes` axes: one or two."""
    value = integers(attrs, name)
    fits = len(value) == axes and min(value) >= least
    count = {1: "one integer", 2: "two integers"}[axes]
    require(fits, f"{name} must be {count} >= {least}, found {list(value)}")
    return value


def axis_of(attrs: Attrs, rank: int) -> int:
    """The attribute `axis`, of a value of `rank` axes."""
    axis = attrs["axis"]
    require(type(axis) is int and 0 <= axis < rank, f"axis must lie in 0..{rank - 1}, found {axis}")
    return axis  # type: ignore[return-value]


def spatial(inputs: list[Shape], axes: int) -> Shape:
    """The shape of the one input, which must be a line (one axis beside the channels) or an image (two)."""
    (x,) = inputs
    names = {1: "(C, L)", 2: "(C, H, W)"}[axes]
    require(len(x) == 1 + axes, f"input must be {names}, found {list(x)}")
    return x


def check_channels(params: Params, roles: Sequence[str], channels: int) -> None:
    """Refuse tensors that do not have one number a channel."""
    for role in roles:
        if role in params:
            require(params[role] == (channels,), f"{role} must have shape [{channels}], found {list(params[role])}")


def same_shape(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    """The rule of operators that go element by element."""
    return inputs[0]


def fp32(value: object) -> bool:
    """Whether a value is a number that float32 can hold, and finite."""
    return isinstance(value, float) and abs(value) <= LARGEST_F32


def numbers(inputs: list[Shape], params: Params, attrs: Attrs) -> Shape:
    """The rule of operators that go element by element, with numbers as attributes."""
    for name, value in attrs.items():
        require(fp32(value), f"{name} must be a finite fp32 number, found {value}")
    return inputs[0]


def by_channel(vector: Array, x: Array) -> Array:
    """Numbers of shape (C,) so that they meet the channels of `x`, of shape ``(N, C, ...)``."""
    return vector.reshape(1, -1, *(1,) * (x.ndim - 2))
