"""Repeating axes, and taking elements of them by constant numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod

import torch
from torch import fx

from .....dcformat import Value
from ..fx_builder import FxBuilder
from .table import Args, Call, lowers

aten = torch.ops.aten
RUN = 256
"""Neighbouring elements from which on they are cut out, and not listed one by one."""


@lowers(aten.expand.default, aten.expand_as.default, aten.broadcast_to.default, any_place=True)
def _expand(g: FxBuilder, a: Args) -> Value:
    """Axes of one element repeated, and new ones before the others."""
    assert g.node is not None
    place, new = g.place_of(a["self"]), len(g.sizes(g.node)) - len(g.sizes(a["self"]))
    g.set_place(place._replace(axis=place.axis + new))
    g.require(g.place_of(g.node).fits(g.sizes(g.node), g.batch), g.batch_rule)
    shape, own = g.shape_of(g.node), g.shape_of(a["self"])
    if prod(shape) == prod(own):
        return g.value(a["self"])
    value = g.reshape(g.value(a["self"]), (*(1 for _ in range(len(shape) - len(own))), *own))
    return g.append("expand", [value], attrs={"shape": shape})


@lowers(aten.repeat.default, aten.tile.default, any_place=True)
def _repeat(g: FxBuilder, a: Args) -> Value:
    """The whole of each axis repeated."""
    assert g.node is not None
    repeats = a["repeats"] if "repeats" in a else a["dims"]
    rank, own = len(g.sizes(g.node)), len(g.sizes(a["self"]))
    repeats = [*(1 for _ in range(rank - len(repeats))), *repeats]
    place = g.place_of(a["self"])
    g.set_place(place._replace(axis=place.axis + rank - own))
    g.require(g.place_of(g.node).fits(g.sizes(g.node), g.batch), g.batch_rule)
    shape = [*(1 for _ in range(rank - own)), *g.shape_of(a["self"])]
    value = g.value(a["self"])
    for dim, count in enumerate(repeats):
        if count > 1:
            axis = g.axis(g.node, dim)
            value = _repeated(g, value, shape, axis, axis, count)
            shape[axis] *= count
    return value


@lowers(aten.repeat_interleave.self_int, any_place=True)
def _repeat_interleave(g: FxBuilder, a: Args) -> Value:
    """Each element of an axis repeated."""
    g.require(a["dim"] is not None, g.batch_rule)
    place = g.place_of(a["self"])
    if a["dim"] % len(g.sizes(a["self"])) == place.axis and g.batch > 1:
        return _repeated_samples(g, a["self"], a["repeats"])
    axis = g.axis(a["self"], a["dim"])
    return _repeated(g, g.value(a["self"]), g.shape_of(a["self"]), axis, axis + 1, a["repeats"])


def _repeated_samples(g: FxBuilder, node: fx.Node, count: int) -> Value:
    """Copies of a sample beside each other, as parts of it that are folded into the batch."""
    place, shape = g.place_of(node), g.shape_of(node)
    g.set_place(place._replace(inner=place.inner * count))
    first = place.axis + (place.outer > 1)
    shape = shape if place.inner > 1 else (*shape[:first], 1, *shape[first:])
    return _repeated(g, g.value(node), shape, first, first + 1, count)


def _repeated(g: FxBuilder, value: Value, shape: Sequence[int], axis: int, before: int, count: int) -> Value:
    """A value of a shape with `count` copies of all that stands behind the first `before` axes, as part of an axis."""
    outer, inner = prod(shape[:before]), prod(shape[before:])
    value = g.append("expand", [g.reshape(value, (outer, 1, inner))], attrs={"shape": (outer, count, inner)})
    return g.reshape(value, (*shape[:axis], shape[axis] * count, *shape[axis + 1 :]))


@lowers(aten.roll.default, any_place=True)
def _roll(g: FxBuilder, a: Args) -> Value:
    g.require(len(a["dims"]) > 0, g.batch_rule)
    value = g.read(a["self"])
    for dim, shift in zip(a["dims"], a["shifts"], strict=True):
        size = g.sizes(a["self"])[dim]
        if shift % size:
            indices = [(i - shift) % size for i in range(size)]
            value = taken(g, value, g.axis(a["self"], dim), indices)
    return value


@lowers(aten.flip.default, any_place=True)
def _flip(g: FxBuilder, a: Args) -> Value:
    value = g.read(a["self"])
    for axis in [g.axis(a["self"], dim) for dim in a["dims"]]:
        value = taken(g, value, axis, range(value.shape[axis] - 1, -1, -1))
    return value


def taken(g: FxBuilder, value: Value, axis: int, indices: Sequence[int]) -> Value:
    """The elements of an axis by their numbers; nothing if these are all, in order.

    Long runs of neighbours are slices: the list of their numbers would be as long, and stand in the manifest.
    """
    parts = [_cut(g, value, axis, numbers) for numbers in _parts(indices)]
    return parts[0] if len(parts) == 1 else g.append("concat", parts, attrs={"axis": axis})


def _cut(g: FxBuilder, value: Value, axis: int, numbers: Sequence[int]) -> Value:
    first, last = numbers[0], numbers[-1]
    in_order = list(numbers) == list(range(first, last + 1))
    if in_order and len(numbers) == value.shape[axis]:
        return value
    if in_order and len(numbers) >= RUN:
        return g.append("slice", [value], attrs={"axis": axis, "start": first, "stop": last + 1})
    return g.append("take", [value], attrs={"axis": axis, "indices": tuple(numbers)})


def _parts(numbers: Sequence[int]) -> list[list[int]]:
    """The numbers in their order, each run of `RUN` neighbours and more by itself."""
    ends = [i for i in range(1, len(numbers)) if numbers[i] != numbers[i - 1] + 1]
    parts: list[list[int]] = []
    listed = False
    for first, end in pairwise([0, *ends, len(numbers)]):
        run, is_long = list(numbers[first:end]), end - first >= RUN
        if listed and not is_long:
            parts[-1] += run
        else:
            parts.append(run)
        listed = not is_long
    return parts


CALLS: Mapping[str, Call] = {
    "expand": lambda x, p, a: x[0].expand(-1, *a["shape"]),
    "take": lambda x, p, a: x[0].index_select(a["axis"] + 1, torch.tensor(a["indices"])),
}
