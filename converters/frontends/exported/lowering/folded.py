"""Layers on images where parts of a sample are folded into the batch: windows of an image, heads of an attention.

A sample is then several images. A pool takes their channels as those of one image. A convolution takes them as one
tall image: each is padded, and what is computed across two of them is cut away.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from torch import fx

from .....dcformat import Attr, Shape, Value
from ..fx_builder import FIRST_ONLY, FxBuilder


def layer(
    g: FxBuilder,
    op: str,
    node: fx.Node,
    params: Mapping[str, str | None] | None = None,
    attrs: Mapping[str, Any] | None = None,
    kernel: Shape = (),
) -> Value:
    """A layer on what a node made, (N, C, *image) with the batch or more as the first axis.

    Parameters
    ----------
    g : FxBuilder
    op : str
    node : fx.Node
    params, attrs : mapping, optional
        Of our operator.
    kernel : tuple of int
        Of a convolution; nothing for a pool.
    """
    attrs = attrs or {}
    if g.is_first(node):
        return g.emit(op, [node], params, attrs)
    place, sizes = g.place_of(node), g.sizes(node)
    g.require(place.axis == 0, FIRST_ONLY)
    images = prod(place.folded)
    value = g.reshape(g.value(node), (images, *sizes[1:]))
    made = _convolution(g, op, value, params, attrs, kernel) if kernel else _pool(g, op, value, attrs)
    return g.reshape(made, (*place.folded, *made.shape[1:]))


def _pool(g: FxBuilder, op: str, value: Value, attrs: Mapping[str, Attr]) -> Value:
    images, channels, *sizes = value.shape
    made = g.append(op, [g.reshape(value, (images * channels, *sizes))], attrs=attrs)
    return g.reshape(made, (images, channels, *made.shape[1:]))


def _convolution(
    g: FxBuilder,
    op: str,
    value: Value,
    params: Mapping[str, str | None] | None,
    attrs: Mapping[str, Any],
    kernel: Shape,
) -> Value:
    images, channels, height, *sizes = value.shape
    stride, padding = attrs["stride"][0], attrs["padding"][0]
    span = attrs["dilation"][0] * (kernel[0] - 1) + 1  # rows that an output row reads
    rows = (height + 2 * padding - span) // stride + 1
    pitch = -(-(height + 2 * padding) // stride)  # output rows from an image to the next
    value = _with_rows(g, _swapped(g, value), 2, padding, pitch * stride)
    tall = g.reshape(value, (channels, images * pitch * stride, *sizes))
    tall = _with_rows(g, tall, 1, 0, tall.shape[1] + max(0, span - stride))
    made = g.append(op, [tall], params, {**attrs, "padding": (0, *attrs["padding"][1:])})
    made = g.reshape(made, (made.shape[0], images, pitch, *made.shape[2:]))
    if rows < pitch:
        made = g.append("slice", [made], attrs={"axis": 2, "start": 0, "stop": rows})
    return _swapped(g, made)


def _swapped(g: FxBuilder, value: Value) -> Value:
    """The first two axes swapped."""
    return g.append("permute", [value], attrs={"axes": (1, 0, *range(2, len(value.shape)))})


def _with_rows(g: FxBuilder, value: Value, axis: int, before: int, rows: int) -> Value:
    """A value with `before` zeros before an axis, and zeros behind it up to a length of `rows`."""
    after = rows - before - value.shape[axis]
    if not before and not after:
        return value
    zeros = (0,) * len(value.shape)
    both = [(*zeros[:axis], count, *zeros[axis + 1 :]) for count in (before, after)]
    return g.append("pad", [value], attrs={"before": both[0], "after": both[1]})
