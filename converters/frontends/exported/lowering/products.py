"""Products of matrices: fully connected layers, products of two values, attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx
from torch.nn import functional as F

from .....dcformat import Attr, Value
from ..fx_builder import FxBuilder, meta
from .table import Args, Call, lowers, params

aten = torch.ops.aten


@lowers(aten.linear.default, any_place=True)
def _linear(g: FxBuilder, a: Args) -> Value:
    g.axis(a["input"], -1)  # not the batch's
    return g.emit("linear", [a["input"]], params(g, a, "weight", "bias"))


@lowers(aten.addmm.default, any_place=True)
def _addmm(g: FxBuilder, a: Args) -> Value:
    g.require(a["alpha"] == 1 and a["beta"] == 1, "alpha and beta must be 1")
    weight, bias = g.param(a["mat2"], "weight", transposed=True), g.param(a["self"], "bias")
    return g.emit("linear", [a["mat1"]], {"weight": weight, "bias": bias})


@lowers(aten.mm.default, aten.bmm.default, aten.matmul.default, any_place=True)
def _matmul(g: FxBuilder, a: Args) -> Value:
    left, right = a["self"], a["mat2"] if "mat2" in a else a["other"]
    if right in g.constants and meta(right).dim() == 2:
        g.axis(left, -1)  # not the batch's
        return g.emit("linear", [left], {"weight": g.param(right, "weight", transposed=True)})
    return g.append("matmul", _factors(g, left, right))


@lowers(aten.baddbmm.default, any_place=True)
def _baddbmm(g: FxBuilder, a: Args) -> Value:
    g.require(a["alpha"] == 1 and a["beta"] == 1, "alpha and beta must be 1")
    return g.append("add", [g.operand(a["self"]), g.append("matmul", _factors(g, a["batch1"], a["batch2"]))])


@lowers(aten.scaled_dot_product_attention.default, any_place=True)
def _attention(g: FxBuilder, a: Args) -> Value:
    g.require(not a["dropout_p"], "dropout is switched on; export in eval mode (model.eval())")
    g.require(not a.get("enable_gqa"), "queries and keys of different numbers of heads are not supported")
    inputs = _factors(g, a["query"], a["key"], a["value"])
    if a["attn_mask"] is not None:
        g.require(meta(a["attn_mask"]).dtype.is_floating_point, "a mask of truth values must be a constant")
        inputs.append(g.operand(a["attn_mask"]))
    scale = inputs[0].shape[-1] ** -0.5 if a["scale"] is None else a["scale"]
    attrs: dict[str, Attr] = {"scale": float(scale), "causal": bool(a["is_causal"])}
    return g.append("attention", inputs, attrs=attrs)


@lowers(aten._scaled_dot_product_flash_attention_for_cpu.default, any_place=True)
def _flash_attention(g: FxBuilder, a: Args) -> list[Value | None]:
    return [_attention(g, a), None]


def _factors(g: FxBuilder, *nodes: fx.Node) -> list[Value]:
    """Values whose matrices are multiplied, one of which may be a constant."""
    assert g.node is not None
    rank = meta(g.node).dim()
    for node in nodes:
        if node not in g.constants:
            fits = meta(node).dim() == rank and g.place_of(node).axis < rank - 2
            g.require(fits, "factors must have a matrix a sample, and the same number of axes")
    return [g.operand(node) for node in nodes]


def _call_matmul(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    return torch.matmul(*_aligned(x))


def _call_attention(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    q, k, v, *mask = _aligned(x)
    leading = np.broadcast_shapes(*(tuple(value.shape[:-2]) for value in (q, k, v, *mask)))
    q, k, v = (value.expand(*leading, *value.shape[-2:]) for value in (q, k, v))
    bias = mask[0] if mask else None
    if a["causal"]:  # with a mask torch takes no word of it
        below = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
        causal = torch.zeros(below.shape).masked_fill(~below, -torch.inf).to(q)
        bias = causal if bias is None else bias + causal
    return F.scaled_dot_product_attention(q, k, v, bias, scale=a["scale"])


def _aligned(values: list[Tensor]) -> list[Tensor]:
    """Values of as many axes each, new ones behind the batch."""
    rank = max(value.dim() for value in values)
    return [value.reshape(len(value), *(1,) * (rank - value.dim()), *value.shape[1:]) for value in values]


CALLS: Mapping[str, Call] = {
    "linear": lambda x, p, a: F.linear(x[0], p["weight"], p.get("bias")),
    "matmul": _call_matmul,
    "attention": _call_attention,
}
