"""Joining, cutting and padding."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.nn import functional as F

from .....dcformat import Attr, Value
from ..fx_builder import FxBuilder, meta
from .table import Args, Call, lowers

aten = torch.ops.aten


@lowers(aten.cat.default, aten.concat.default, aten.concatenate.default)
def _cat(g: FxBuilder, a: Args) -> Value:
    return _join(g, a["tensors"], a["dim"])


@lowers(aten.hstack.default)
def _hstack(g: FxBuilder, a: Args) -> Value:
    return _join(g, a["tensors"], 1)


@lowers(aten.dstack.default)
def _dstack(g: FxBuilder, a: Args) -> Value:
    g.require(meta(a["tensors"][0]).dim() > 2, "a new axis is not supported")
    return _join(g, a["tensors"], 2)


def _join(g: FxBuilder, nodes: Sequence[fx.Node], dim: int) -> Value:
    axis = dim % meta(nodes[0]).dim() - 1
    g.require(axis >= 0, "the batch cannot be extended")
    return g.emit("concat", nodes, attrs={"axis": axis})


@lowers(aten.slice.Tensor)
def _slice(g: FxBuilder, a: Args) -> Value:
    if a["dim"] % meta(a["self"]).dim() == 0:
        return g.value(a["self"])  # x[:, ...]; anything that drops samples fails the check of the batch axis
    return _cut(g, a["self"], a["dim"], *slice(a["start"], a["end"], a["step"]).indices(_length(a)))


@lowers(aten.narrow.default)
def _narrow(g: FxBuilder, a: Args) -> Value:
    start = a["start"] % _length(a)
    return _cut(g, a["self"], a["dim"], start, start + a["length"])


@lowers(aten.select.int)
def _select(g: FxBuilder, a: Args) -> Value:
    index = a["index"] % _length(a)
    return _cut(g, a["self"], a["dim"], index, index + 1)


@lowers(
    aten.chunk.default,
    aten.unsafe_chunk.default,
    aten.split.Tensor,
    aten.split.sizes,
    aten.split_with_sizes.default,
    aten.unsafe_split.Tensor,
    aten.tensor_split.sections,
    aten.tensor_split.indices,
)
def _split(g: FxBuilder, a: Args) -> list[Value | None]:
    return _parts(g, a, lambda part: part.shape[a["dim"]])


@lowers(aten.unbind.int)
def _unbind(g: FxBuilder, a: Args) -> list[Value | None]:
    return _parts(g, a, lambda part: 1)


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


def _length(a: Args) -> int:
    length: int = meta(a["self"]).shape[a["dim"]]
    return length


def _cut(g: FxBuilder, node: fx.Node, dim: int, start: int, stop: int, step: int = 1) -> Value:
    rank = meta(node).dim()
    axis = dim % rank - 1
    g.require(axis >= 0, g.batch_rule)
    if (start, stop, step) == (0, meta(node).shape[dim], 1):
        return g.value(node)
    attrs: dict[str, Attr] = {"axis": axis, "start": start, "stop": stop, "step": step}
    same = g.shape_of(node) == g.value(node).shape
    own = None if same else g.axis_behind(node, axis)
    if own is None:
        return g.emit("slice", [node], attrs=attrs)
    return g.append("slice", [g.value(node)], attrs={**attrs, "axis": own})


@lowers(aten.constant_pad_nd.default)
def _constant_pad(g: FxBuilder, a: Args) -> Value:
    g.require(not a["value"], f"padding must be with zero, found {a['value']}")
    rank = meta(a["self"]).dim()
    widths = [*a["pad"], *[0] * (2 * rank - len(a["pad"]))]  # pairs (before, after), last axis first
    before, after = tuple(widths[0::2][::-1]), tuple(widths[1::2][::-1])
    g.require(before[0] == after[0] == 0, "the batch cannot be padded")
    value = g.read(a["self"])
    for axis, (first, last) in enumerate(zip(before[1:], after[1:], strict=True)):  # a negative width cuts
        size = value.shape[axis]
        if min(first, last) < 0:
            cut: dict[str, Attr] = {"axis": axis, "start": max(-first, 0), "stop": size - max(-last, 0)}
            value = g.append("slice", [value], attrs=cut)
    if max(*before, *after) <= 0 and min(*before, *after) < 0:
        return value
    attrs: dict[str, Attr] = {
        "before": tuple(max(width, 0) for width in before[1:]),
        "after": tuple(max(width, 0) for width in after[1:]),
    }
    return g.append("pad", [value], attrs=attrs)


@lowers(aten.pad.default)
def _pad(g: FxBuilder, a: Args) -> Value:
    g.require(a["mode"] == "constant", f"padding mode must be constant, found {a['mode']}")
    return _constant_pad(g, a)


def _call_slice(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    axes = [slice(None)] * (a["axis"] + 1)
    return x[0][(*axes, slice(a["start"], a["stop"], a["step"]))]


def _call_pad(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    pairs = zip(reversed(a["before"]), reversed(a["after"]), strict=True)
    return F.pad(x[0], [width for pair in pairs for width in pair])


CALLS: Mapping[str, Call] = {
    "concat": lambda x, p, a: torch.cat(x, a["axis"] + 1),
    "slice": _call_slice,
    "pad": _call_pad,
}
