"""Layers with weights but convolutions: linear layers, batch normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from .....dcformat import Value
from ..fx_builder import FxBuilder, meta
from .table import Args, Call, lowers

aten = torch.ops.aten


def _params(g: FxBuilder, a: Args, *roles: str) -> dict[str, str | None]:
    return {role: g.param(a[role], role) for role in roles}


@lowers(aten.linear.default)
def _linear(g: FxBuilder, a: Args) -> Value:
    return g.emit("linear", [a["input"]], _params(g, a, "weight", "bias"))


@lowers(aten.addmm.default)
def _addmm(g: FxBuilder, a: Args) -> Value:
    g.require(a["alpha"] == 1 and a["beta"] == 1, "alpha and beta must be 1")
    weight, bias = g.param(a["mat2"], "weight", transposed=True), g.param(a["self"], "bias")
    return g.emit("linear", [a["mat1"]], {"weight": weight, "bias": bias})


@lowers(aten.mm.default, aten.matmul.default)
def _mm(g: FxBuilder, a: Args) -> Value:
    weight = a["mat2"] if "mat2" in a else a["other"]
    g.require(meta(weight).dim() == 2, f"a product must be with a matrix, found {meta(weight).dim()} axes")
    return g.emit("linear", [a["self"]], {"weight": g.param(weight, "weight", transposed=True)})


@lowers(aten.batch_norm.default)
def _batch_norm(g: FxBuilder, a: Args) -> Value:
    if a["training"]:
        g.fail(BATCH_STATISTICS if a["running_mean"] is not None else NO_STATISTICS)
    return _normalise(g, a)


@lowers(aten._native_batch_norm_legit_no_training.default)
def _native_batch_norm(g: FxBuilder, a: Args) -> list[Value]:
    return [_normalise(g, a)]


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


def _normalise(g: FxBuilder, a: Args) -> Value:
    roles = ("weight", "bias", "running_mean", "running_var")
    return g.emit("batch_norm", [a["input"]], _params(g, a, *roles), {"eps": float(a["eps"])})


def _call_batch_norm(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    return F.batch_norm(x[0], p["running_mean"], p["running_var"], p.get("weight"), p.get("bias"), eps=a["eps"])


CALLS: Mapping[str, Call] = {
    "linear": lambda x, p, a: F.linear(x[0], p["weight"], p.get("bias")),
    "batch_norm": _call_batch_norm,
}
