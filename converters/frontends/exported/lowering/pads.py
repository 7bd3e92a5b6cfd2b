"""Padding: by a number, by what lies at the border, or by what lies on the other side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .....dcformat import Attr, Value
from ..fx_builder import FxBuilder
from .table import Args, Call, lowers
from .takes import taken

aten = torch.ops.aten

BEYOND_FP32 = 1e300
"""Stands for infinity in attributes, which are finite."""


@lowers(aten.constant_pad_nd.default, any_place=True)
def _constant_pad(g: FxBuilder, a: Args) -> Value:
    value, widths = g.read(a["self"]), _widths(g, a)
    for axis, (before, after) in widths.items():  # a negative width cuts
        if min(before, after) < 0:
            stop = value.shape[axis] - max(-after, 0)
            value = g.append("slice", [value], attrs={"axis": axis, "start": max(-before, 0), "stop": stop})
    flat = [width for pair in widths.values() for width in pair]
    if max(flat, default=0) <= 0 and min(flat, default=0) < 0:
        return value
    both = [widths.get(axis, (0, 0)) for axis in range(len(value.shape))]
    attrs: dict[str, Attr] = {"before": tuple(max(n, 0) for n, _ in both), "after": tuple(max(n, 0) for _, n in both)}
    number = float(a["value"] or 0)
    if number == 0:
        return g.append("pad", [value], attrs=attrs)
    return g.append("pad_constant", [value], attrs={**attrs, "value": min(max(number, -BEYOND_FP32), BEYOND_FP32)})


@lowers(aten.pad.default, any_place=True)
def _pad(g: FxBuilder, a: Args) -> Value:
    return _constant_pad(g, a) if a["mode"] == "constant" else _mirror(g, a, a["mode"])


@lowers(aten.reflection_pad1d.default, aten.reflection_pad2d.default, any_place=True)
def _reflection_pad(g: FxBuilder, a: Args) -> Value:
    return _mirror(g, {"self": a["self"], "pad": a["padding"]}, "reflect")


@lowers(aten.replication_pad1d.default, aten.replication_pad2d.default, any_place=True)
def _replication_pad(g: FxBuilder, a: Args) -> Value:
    return _mirror(g, {"self": a["self"], "pad": a["padding"]}, "replicate")


def _mirror(g: FxBuilder, a: Args, mode: str) -> Value:
    """Padding with the tensor's own elements: each axis is taken by its elements' numbers."""
    value = g.read(a["self"])
    for axis, (before, after) in _widths(g, a).items():
        size = value.shape[axis]
        value = taken(g, value, axis, [_own(i, size, mode) for i in range(-before, size + after)])
    return value


def _own(i: int, size: int, mode: str) -> int:
    """The element of an axis that stands at position `i`, inside or not."""
    if mode == "circular":
        return i % size
    if mode == "replicate":
        return min(max(i, 0), size - 1)
    return size - 1 - abs(size - 1 - abs(i))


def _widths(g: FxBuilder, a: Args) -> dict[int, tuple[int, int]]:
    """By axis of the sample how many elements are added before it and after it."""
    widths: Sequence[int] = a["pad"]
    rank = len(g.sizes(a["self"]))
    pairs = {rank - 1 - i // 2: (widths[i], widths[i + 1]) for i in range(0, len(widths), 2)}  # the last axis first
    return {g.axis(a["self"], dim): pair for dim, pair in sorted(pairs.items()) if any(pair)}


def _call_pad(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    pairs = zip(reversed(a["before"]), reversed(a["after"]), strict=True)
    value = torch.tensor(a.get("value", 0.0), dtype=torch.float32).item()
    return F.pad(x[0], [width for pair in pairs for width in pair], value=value)


CALLS: Mapping[str, Call] = {"pad": _call_pad, "pad_constant": _call_pad}
