"""Operators on lines of shape (C, L): those on images of height 1, whose attributes have one number instead of two."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...tensors import Array
from ..graph import Attr
from .spec import Attrs

_OF_HEIGHT_1: Mapping[str, int] = {
    "kernel": 1,
    "stride": 1,
    "padding": 0,
    "output_padding": 0,
    "dilation": 1,
    "output": 1,
}
"""The first number that an attribute of two has on images of height 1."""


def image_attrs(attrs: Attrs) -> dict[str, Attr]:
    """Attributes of an operator on lines as its twin on images takes them."""
    twos = {name: (_OF_HEIGHT_1[name], *value) for name, value in attrs.items() if isinstance(value, tuple)}
    return {**attrs, **twos}


def on_lines(meaning: Callable[..., Array]) -> Callable[..., Array]:
    """The meaning of an operator on lines ``(N, C, L)``, of that of its twin on images."""

    def lifted(x: Array, weight: Array | None = None, bias: Array | None = None, **attrs: Any) -> Array:
        tensors = {"weight": weight if weight is None else weight[:, :, None], "bias": bias}
        given = {role: tensor for role, tensor in tensors.items() if tensor is not None}
        out: Array = meaning(x[:, :, None], **given, **image_attrs(attrs))[:, :, 0]
        return out

    lifted.__doc__ = meaning.__doc__
    return lifted
