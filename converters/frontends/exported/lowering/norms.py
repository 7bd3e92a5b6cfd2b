"""Normalisations by an input's own statistics: layer, RMS, group and instance normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .....dcformat import Attr, Value
from ..fx_builder import FxBuilder, meta
from .layers import normalise_by_running_statistics
from .table import Args, Call, lowers, params

aten = torch.ops.aten


@lowers(aten.layer_norm.default, any_place=True)
def _layer_norm(g: FxBuilder, a: Args) -> Value:
    return _of_trailing_axes(g, a, "layer_norm", params(g, a, "weight", "bias"), a["eps"])


@lowers(aten.native_layer_norm.default, any_place=True)
def _native_layer_norm(g: FxBuilder, a: Args) -> list[Value]:
    return [_layer_norm(g, a)]


@lowers(aten.rms_norm.default, any_place=True)
def _rms_norm(g: FxBuilder, a: Args) -> Value:
    eps = torch.finfo(meta(a["input"]).dtype).eps if a["eps"] is None else a["eps"]
    return _of_trailing_axes(g, a, "rms_norm", params(g, a, "weight"), eps)


def _of_trailing_axes(g: FxBuilder, a: Args, op: str, tensors: dict[str, str | None], eps: float) -> Value:
    trailing = len(a["normalized_shape"])
    for axis in range(1, trailing + 1):
        g.axis(a["input"], -axis)  # not the batch's
    return g.emit(op, [a["input"]], tensors, {"trailing": trailing, "eps": float(eps)})


@lowers(aten._fused_rms_norm.default, any_place=True)
def _fused_rms_norm(g: FxBuilder, a: Args) -> list[Value]:
    return [_rms_norm(g, a)]


@lowers(aten.group_norm.default)
def _group_norm(g: FxBuilder, a: Args) -> Value:
    return _by_groups(g, a, a["num_groups"])


@lowers(aten.native_group_norm.default)
def _native_group_norm(g: FxBuilder, a: Args) -> list[Value]:
    return [_by_groups(g, a, a["group"])]


@lowers(aten.instance_norm.default)
def _instance_norm(g: FxBuilder, a: Args) -> Value:
    if not a["use_input_stats"]:
        return normalise_by_running_statistics(g, a)
    return _by_groups(g, a, meta(a["input"]).shape[1])


def _by_groups(g: FxBuilder, a: Args, groups: int) -> Value:
    attrs: dict[str, Attr] = {"groups": groups, "eps": float(a["eps"])}
    return g.emit("group_norm", [a["input"]], params(g, a, "weight", "bias"), attrs)


def _trailing(x: Tensor, a: Mapping[str, Any]) -> list[int]:
    return list(x.shape[x.dim() - a["trailing"] :])


CALLS: Mapping[str, Call] = {
    "layer_norm": lambda x, p, a: F.layer_norm(x[0], _trailing(x[0], a), p.get("weight"), p.get("bias"), a["eps"]),
    "rms_norm": lambda x, p, a: F.rms_norm(x[0], _trailing(x[0], a), p.get("weight"), a["eps"]),
    "group_norm": lambda x, p, a: F.group_norm(x[0], a["groups"], p.get("weight"), p.get("bias"), a["eps"]),
}
