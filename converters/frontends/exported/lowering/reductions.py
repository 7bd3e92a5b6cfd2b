"""Reductions over any axes but the batch. Height and width alone are reduced by pooling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import inf
from typing import Any

import torch
from torch import Tensor, fx

from .....dcformat import Value
from ..fx_builder import FxBuilder, meta
from .table import Args, Call, lowers

aten = torch.ops.aten

ORDERS: Mapping[float, str] = {1: "reduce_sum", inf: "reduce_max", -inf: "reduce_min"}
"""Reductions of magnitudes, by the order of the norm."""
POOLS: Mapping[str, str] = {"reduce_mean": "adaptive_avg_pool2d", "reduce_max": "adaptive_max_pool2d"}
"""Reductions that are pooling, where they are over height, width or both."""


@lowers(aten.mean.dim, aten.mean.default, any_place=True)
def _mean(g: FxBuilder, a: Args) -> Value:
    return _in_same_type(g, "reduce_mean", a)


@lowers(aten.sum.dim_IntList, aten.sum.default, any_place=True)
def _sum(g: FxBuilder, a: Args) -> Value:
    return _in_same_type(g, "reduce_sum", a)


@lowers(aten.linalg_vector_norm.default, any_place=True)
def _vector_norm(g: FxBuilder, a: Args) -> Value:
    return _norm_of_order(g, a, a["ord"])


@lowers(aten.norm.ScalarOpt_dim, any_place=True)
def _norm(g: FxBuilder, a: Args) -> Value:
    return _norm_of_order(g, a, 2 if a["p"] is None else a["p"])


def _norm_of_order(g: FxBuilder, a: Args, order: float) -> Value:
    """The root of the sum of squares; or the sum, maximum or minimum of magnitudes."""
    if order == 2:
        return _in_same_type(g, "reduce_l2", a)
    g.require(order in ORDERS, f"a norm must be of order 1, 2 or infinity, found {order}")
    axes = _axes(g, a["self"], a["dim"])
    return g.append(ORDERS[order], [g.append("abs", [g.read(a["self"])])], attrs={"axes": axes})


@lowers(aten.amax.default, any_place=True)
def _amax(g: FxBuilder, a: Args) -> Value:
    return reduce(g, "reduce_max", a["self"], a["dim"])


@lowers(aten.amin.default, any_place=True)
def _amin(g: FxBuilder, a: Args) -> Value:
    return reduce(g, "reduce_min", a["self"], a["dim"])


def _in_same_type(g: FxBuilder, op: str, a: Args) -> Value:
    g.require(a.get("dtype") in (None, meta(a["self"]).dtype), f"a result in {a.get('dtype')} is not supported")
    return reduce(g, op, a["self"], a.get("dim"))


def reduce(g: FxBuilder, op: str, node: fx.Node, dims: Sequence[int] | None) -> Value:
    """Reduce some axes of what a node made, none standing for all: to one element each, which a view may drop."""
    axes = _axes(g, node, dims)
    pooled = _pooled(g, op, node, axes)
    return pooled or g.emit(op, [node], attrs={"axes": axes})


def _axes(g: FxBuilder, node: fx.Node, dims: Sequence[int] | None) -> tuple[int, ...]:
    """The sample's axes, ascending; all of what the node made without `dims`."""
    return tuple(sorted(g.axis(node, dim) for dim in dims or range(meta(node).dim())))


def _pooled(g: FxBuilder, op: str, node: fx.Node, axes: Sequence[int]) -> Value | None:
    """The same by a pool to one pixel, over height, width or both, each maybe one axis with the other by a view."""
    value, behind = g.value(node), g.axes_behind(node)
    if behind is None or len(value.shape) != 3 or op not in POOLS:
        return None
    reduced = {own for axis in axes for own in behind[axis] if value.shape[own] > 1}
    if 0 in reduced:
        return None
    output = tuple(1 if axis in reduced else value.shape[axis] for axis in (1, 2))
    return g.append(POOLS[op], [value], attrs={"output": output}) if reduced else value


def _call(function: Callable[..., Tensor], x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    return function(x[0], dim=[axis + 1 for axis in a["axes"]], keepdim=True)


CALLS: Mapping[str, Call] = {
    "reduce_mean": partial(_call, torch.mean),
    "reduce_sum": partial(_call, torch.sum),
    "reduce_max": partial(_call, torch.amax),
    "reduce_min": partial(_call, torch.amin),
    "reduce_l2": partial(_call, torch.linalg.vector_norm),
}
