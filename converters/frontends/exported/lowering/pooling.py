"""Pooling over windows of an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .....dcformat import Attr, Value
from ..fx_builder import FxBuilder, meta
from . import folded
from .convolutions import VOLUMES
from .reductions import reduce
from .table import Args, Call, lowers, per_axis

aten = torch.ops.aten


def _window(a: Args, axes: int) -> dict[str, Attr]:
    kernel = per_axis(a["kernel_size"], axes)
    return {
        "kernel": kernel,
        "stride": per_axis(a["stride"], axes) if a["stride"] else kernel,
        "padding": per_axis(a["padding"], axes),
        "ceil_mode": a["ceil_mode"],
    }


def _axes(a: Args) -> int:
    """How many axes there are beside batch and channels."""
    axes: int = meta(a["self"]).dim() - 2
    return axes


@lowers(aten.max_pool1d.default, aten.max_pool2d.default, any_place=True)
def _max_pool(g: FxBuilder, a: Args) -> Value:
    axes = _axes(a)
    attrs = {**_window(a, axes), "dilation": per_axis(a["dilation"], axes)}
    return folded.layer(g, f"max_pool{axes}d", a["self"], attrs=attrs)


@lowers(aten.max_pool1d_with_indices.default, aten.max_pool2d_with_indices.default, any_place=True)
def _max_pool_with_indices(g: FxBuilder, a: Args) -> list[Value]:
    return [_max_pool(g, a)]


@lowers(aten.avg_pool1d.default, aten.avg_pool2d.default, any_place=True)
def _avg_pool(g: FxBuilder, a: Args) -> Value:
    g.require(a.get("divisor_override") is None, "divisor_override is not supported")
    axes = _axes(a)
    attrs = {**_window(a, axes), "count_include_pad": a["count_include_pad"]}
    return folded.layer(g, f"avg_pool{axes}d", a["self"], attrs=attrs)


@lowers(aten.avg_pool3d.default)
def _avg_pool3d(g: FxBuilder, a: Args) -> Value:
    """Means over the first axis of volumes alone, as local response normalisation takes them of channels."""
    kernel, padding = per_axis(a["kernel_size"], 3), per_axis(a["padding"], 3)
    stride = per_axis(a["stride"], 3) if a["stride"] else kernel
    is_plain = (kernel[1:], stride[1:], padding[1:]) == ((1, 1), (1, 1), (0, 0))
    g.require(is_plain and a["divisor_override"] is None, VOLUMES)
    channels, depth, height, width = g.shape_of(a["self"])
    along: dict[str, Attr] = {"kernel": kernel[:2], "stride": stride[:2], "padding": padding[:2]}
    along |= {"ceil_mode": a["ceil_mode"], "count_include_pad": a["count_include_pad"]}
    return g.append("avg_pool2d", [g.reshape(g.value(a["self"]), (channels, depth, height * width))], attrs=along)


@lowers(aten.adaptive_avg_pool2d.default, aten._adaptive_avg_pool2d.default, any_place=True)
def _adaptive_avg_pool2d(g: FxBuilder, a: Args) -> Value:
    return folded.layer(g, "adaptive_avg_pool2d", a["self"], attrs={"output": per_axis(a["output_size"], 2)})


@lowers(aten.adaptive_max_pool2d.default, any_place=True)
def _adaptive_max_pool2d(g: FxBuilder, a: Args) -> list[Value]:
    return [folded.layer(g, "adaptive_max_pool2d", a["self"], attrs={"output": per_axis(a["output_size"], 2)})]


@lowers(aten.adaptive_avg_pool1d.default, any_place=True)
def _adaptive_avg_pool1d(g: FxBuilder, a: Args) -> Value:
    return _adaptive_pool1d(g, a, "adaptive_avg_pool1d", "reduce_mean")


@lowers(aten.adaptive_max_pool1d.default, any_place=True)
def _adaptive_max_pool1d(g: FxBuilder, a: Args) -> list[Value]:
    return [_adaptive_pool1d(g, a, "adaptive_max_pool1d", "reduce_max")]


def _adaptive_pool1d(g: FxBuilder, a: Args, pool: str, reduction: str) -> Value:
    """To one element it may be a pool of the image that the lines are a view of."""
    output = per_axis(a["output_size"], 1)
    if output == (1,) and len(g.value(a["self"]).shape) == 3:
        return reduce(g, reduction, a["self"], [-1])
    return folded.layer(g, pool, a["self"], attrs={"output": output})


def _call_max_pool(function: Any) -> Call:
    def call(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
        result: Tensor = function(x[0], a["kernel"], a["stride"], a["padding"], a["dilation"], a["ceil_mode"])
        return result

    return call


def _call_avg_pool(function: Any) -> Call:
    def call(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
        result: Tensor = function(x[0], a["kernel"], a["stride"], a["padding"], a["ceil_mode"], a["count_include_pad"])
        return result

    return call


CALLS: Mapping[str, Call] = {
    "max_pool1d": _call_max_pool(F.max_pool1d),
    "max_pool2d": _call_max_pool(F.max_pool2d),
    "avg_pool1d": _call_avg_pool(F.avg_pool1d),
    "avg_pool2d": _call_avg_pool(F.avg_pool2d),
    "adaptive_avg_pool1d": lambda x, p, a: F.adaptive_avg_pool1d(x[0], a["output"]),
    "adaptive_avg_pool2d": lambda x, p, a: F.adaptive_avg_pool2d(x[0], a["output"]),
    "adaptive_max_pool1d": lambda x, p, a: F.adaptive_max_pool1d(x[0], a["output"]),
    "adaptive_max_pool2d": lambda x, p, a: F.adaptive_max_pool2d(x[0], a["output"]),
}
