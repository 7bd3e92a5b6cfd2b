"""Batch normalisation by running statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .....dcformat import Attr, Shape, Value
from ..fx_builder import FxBuilder
from .table import Args, Call, lowers, params

aten = torch.ops.aten


@lowers(aten.batch_norm.default, any_place=True)
def _batch_norm(g: FxBuilder, a: Args) -> Value:
    if a["training"]:
        g.fail(BATCH_STATISTICS if a["running_mean"] is not None else NO_STATISTICS)
    return normalise_by_running_statistics(g, a)


@lowers(aten._native_batch_norm_legit_no_training.default, any_place=True)
def _native_batch_norm(g: FxBuilder, a: Args) -> list[Value]:
    return [normalise_by_running_statistics(g, a)]


@lowers(aten._native_batch_norm_legit.no_stats)
def _native_batch_norm_without_statistics(g: FxBuilder, a: Args) -> Any:
    g.fail(NO_STATISTICS)


BATCH_STATISTICS = (
    "batch norm uses the statistics of each batch, not the running ones; export in eval mode (model.eval()), "
    "and where forward calls F.batch_norm, pass training=self.training"
)
NO_STATISTICS = (
    "batch norm has no running statistics (track_running_stats=False), so answers would depend on the whole batch; "
    "train the layer with track_running_stats=True"
)


def normalise_by_running_statistics(g: FxBuilder, a: Args) -> Value:
    """A batch normalisation, whose arguments are named as the tensors of ours."""
    value, axis = g.read(a["input"]), g.axis(a["input"], 1)
    tensors = params(g, a, "weight", "bias", "running_mean", "running_var")
    attrs: dict[str, Attr] = {"eps": float(a["eps"])}
    if axis == 0:
        return g.append("batch_norm", [value], tensors, attrs)
    first, back = _to_front(axis, len(value.shape))
    made = g.append("batch_norm", [g.append("permute", [value], attrs={"axes": first})], tensors, attrs)
    return g.append("permute", [made], attrs={"axes": back})


def _to_front(axis: int, rank: int) -> tuple[Shape, Shape]:
    """The order of axes that brings one to the front, and the order that brings it back."""
    order = (axis, *(i for i in range(rank) if i != axis))
    return order, tuple(order.index(i) for i in range(rank))


def _call_batch_norm(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    return F.batch_norm(x[0], p["running_mean"], p["running_var"], p.get("weight"), p.get("bias"), eps=a["eps"])


CALLS: Mapping[str, Call] = {
    "batch_norm": _call_batch_norm,
}
