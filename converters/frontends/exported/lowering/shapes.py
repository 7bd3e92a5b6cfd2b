"""Joining and cutting."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, fx

from .....dcformat import Attr, Value
from ..fx_builder import FxBuilder, meta
from ..place import Place
from .table import Args, Call, lowers

aten = torch.ops.aten


@lowers(aten.cat.default, aten.concat.default, aten.concatenate.default, any_place=True)
def _cat(g: FxBuilder, a: Args) -> Value:
    return _join(g, a["tensors"], a["dim"])


@lowers(aten.hstack.default, any_place=True)
def _hstack(g: FxBuilder, a: Args) -> Value:
    return _join(g, a["tensors"], 1)


@lowers(aten.dstack.default)
def _dstack(g: FxBuilder, a: Args) -> Value:
    stack = meta(a["tensors"][0]).dim() == 2
    return _stack(g, a) if stack else _join(g, a["tensors"], 2)


def _join(g: FxBuilder, nodes: Sequence[fx.Node], dim: int) -> Value:
    nodes = [node for node in nodes if prod(g.sizes(node))]  # an empty tensor may stand for a cache
    first = next(node for node in nodes if node not in g.constants)
    axis = g.axis(first, dim)
    return g.append("concat", [g.operand(node, first) for node in nodes], attrs={"axis": axis})


@lowers(aten.stack.default, any_place=True)
def _stack(g: FxBuilder, a: Args) -> Value:
    """Values with a new axis of one element, joined along it."""
    assert g.node is not None
    first = next(node for node in a["tensors"] if node not in g.constants)
    dim, place = a.get("dim", 2) % meta(g.node).dim(), g.place_of(first)
    g.set_place(place._replace(axis=place.axis + (dim <= place.axis)))
    axis, shape = g.axis(g.node, dim), g.shape_of(first)
    values = [g.operand(node, first) for node in a["tensors"]]
    rows = [g.reshape(value, (*shape[:axis], 1, *shape[axis:])) for value in values]
    return g.append("concat", rows, attrs={"axis": axis})


@lowers(aten.slice.Tensor, any_place=True)
def _slice(g: FxBuilder, a: Args) -> Value | None:
    if a["dim"] % len(g.sizes(a["self"])) == g.place_of(a["self"]).axis:
        return g.value(a["self"])  # x[:, ...]; anything that drops samples fails the check of the batch axis
    return _cut(g, a["self"], a["dim"], *slice(a["start"], a["end"], a["step"]).indices(_length(g, a)))


@lowers(aten.narrow.default, any_place=True)
def _narrow(g: FxBuilder, a: Args) -> Value | None:
    start = a["start"] % _length(g, a)
    return _cut(g, a["self"], a["dim"], start, start + a["length"])


@lowers(aten.select.int, any_place=True)
def _select(g: FxBuilder, a: Args) -> Value | None:
    index = a["index"] % _length(g, a)
    g.set_place(_place_without(g, a))
    return _cut(g, a["self"], a["dim"], index, index + 1)


@lowers(
    aten.chunk.default,
    aten.unsafe_chunk.default,
    aten.split.Tensor,
    aten.split.sizes,
    aten.split_with_sizes.default,
    aten.unsafe_split.Tensor,
    aten.unsafe_split_with_sizes.default,
    aten.tensor_split.sections,
    aten.tensor_split.indices,
    any_place=True,
)
def _split(g: FxBuilder, a: Args) -> list[Value | None]:
    return _parts(g, a, lambda part: part.shape[a["dim"]])


@lowers(aten.unbind.int, any_place=True)
def _unbind(g: FxBuilder, a: Args) -> list[Value | None]:
    parts = _parts(g, a, lambda part: 1)
    g.set_place(_place_without(g, a))
    return parts


def _place_without(g: FxBuilder, a: Args) -> Place:
    """The batch's place where the axis ``dim`` of ``self``, another one, is dropped."""
    dim = a["dim"] % meta(a["self"]).dim()
    g.axis(a["self"], dim)  # not the batch's
    place = g.place_of(a["self"])
    return place._replace(axis=place.axis - (dim < place.axis))


def _parts(g: FxBuilder, a: Args, size_of: Callable[[torch.Tensor], int]) -> list[Value | None]:
    """Cut an axis into the pieces that the node makes; None for one that nothing uses."""
    assert g.node is not None
    used = {user.args[1] for user in g.node.users if user.users}  # by operator.getitem
    parts: list[Value | None] = []
    start = 0
    for i, size in enumerate(map(size_of, meta(g.node))):
        parts.append(_cut(g, a["self"], a["dim"], start, start + size) if i in used else None)
        start += size
    return parts


def _length(g: FxBuilder, a: Args) -> int:
    return g.sizes(a["self"])[a["dim"]]


def _cut(g: FxBuilder, node: fx.Node, dim: int, start: int, stop: int, step: int = 1) -> Value | None:
    """Some of the elements of an axis; None for no element, which is left out where parts are joined."""
    if start >= stop:
        return None
    if (start, stop, step) == (0, g.sizes(node)[dim], 1):
        return g.value(node)
    axis = g.axis(node, dim)
    attrs: dict[str, Attr] = {"axis": axis, "start": start, "stop": stop, "step": step}
    same = g.shape_of(node) == g.value(node).shape
    own = None if same else g.axis_behind(node, axis)
    if own is None:
        return g.emit("slice", [node], attrs=attrs)
    return g.append("slice", [g.value(node)], attrs={**attrs, "axis": own})


def _call_slice(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    axes = [slice(None)] * (a["axis"] + 1)
    return x[0][(*axes, slice(a["start"], a["stop"], a["step"]))]


CALLS: Mapping[str, Call] = {
    "concat": lambda x, p, a: torch.cat(x, a["axis"] + 1),
    "slice": _call_slice,
}
