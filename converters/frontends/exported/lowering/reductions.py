"""Reductions over any axes but the batch. Height and width alone are reduced by pooling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx

from .....dcformat import Value
from ..fx_builder import FxBuilder, meta
from .table import Args, Call, lowers

aten = torch.ops.aten

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
    g.require(a["ord"] == 2, f"a norm must be of order 2, found {a['ord']}")
    return _in_same_type(g, "reduce_l2", a)


@lowers(aten.norm.ScalarOpt_dim, any_place=True)
def _norm(g: FxBuilder, a: Args) -> Value:
    g.require(a["p"] in (None, 2), f"a norm must be of order 2, found {a['p']}")
    return _in_same_type(g, "reduce_l2", a)


@lowers(aten.amax.default, any_place=True)
def _amax(g: FxBuilder, a: Args) -> Value:
    return reduce(g, "reduce_max", a["self"], a["dim"])


@lowers(aten.amin.default, any_place=True)
def _amin(g: FxBuilder, a: Args) -> Value:
    return reduce(g, "reduce_min", a["self"], a["dim"])


@lowers(aten.max.dim, any_place=True)
def _max(g: FxBuilder, a: Args) -> list[Value]:
    return [reduce(g, "reduce_max", a["self"], [a["dim"]])]


@lowers(aten.min.dim, any_place=True)
def _min(g: FxBuilder, a: Args) -> list[Value]:
    return [reduce(g, "reduce_min", a["self"], [a["dim"]])]


def _in_same_type(g: FxBuilder, op: str, a: Args) -> Value:
    g.require(a.get("dtype") in (None, meta(a["self"]).dtype), f"a result in {a.get('dtype')} is not supported")
    return reduce(g, op, a["self"], a.get("dim"))


def reduce(g: FxBuilder, op: str, node: fx.Node, dims: Sequence[int] | None) -> Value:
    """Reduce some axes of what a node made, none standing for all: to one element each, which a view may drop."""
    axes = sorted(g.axis(node, d) for d in dims or range(meta(node).dim()))
    pooled = _pooled(g, op, node, axes)
    return pooled or g.emit(op, [node], attrs={"axes": tuple(axes)})


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
