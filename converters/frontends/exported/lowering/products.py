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
from ..place import Place
from .arithmetic import affine
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
    if left in g.constants or right in g.constants:
        moving, axis = (right, -1) if left in g.constants else (left, -2)
        if g.place_of(moving).axis == len(g.sizes(moving)) + axis:
            return _along_samples(g, left, right, moving)
    return g.append("matmul", _factors(g, left, right))


def _along_samples(g: FxBuilder, left: fx.Node, right: fx.Node, moving: fx.Node) -> Value:
    """A product with a constant where the rows of the first factor, or the columns of the second, are the samples'."""
    place, sizes = g.place_of(moving), g.sizes(moving)
    g.set_place(place)
    own = (*sizes[: place.axis], place.outer * place.inner, *sizes[place.axis + 1 :])
    factors = [
        g.reshape(g.value(node), own) if node is moving else g.constant(node, Place(-1)) for node in (left, right)
    ]
    return g.append("matmul", factors)


@lowers(aten.baddbmm.default, any_place=True)
def _baddbmm(g: FxBuilder, a: Args) -> Value:
    product = _times(g, g.append("matmul", _factors(g, a["batch1"], a["batch2"])), a["alpha"])
    return g.append("add", [_times(g, g.operand(a["self"]), a["beta"]), product])


def _times(g: FxBuilder, value: Value, factor: float) -> Value:
    return value if factor == 1 else affine(g, value, factor)


@lowers(aten.scaled_dot_product_attention.default, any_place=True)
def _attention(g: FxBuilder, a: Args) -> Value:
    g.require(not a["dropout_p"], "dropout is switched on; export in eval mode (model.eval())")
    inputs = _factors(g, a["query"], a["key"], a["value"])
    if a["attn_mask"] is not None:
        g.require(meta(a["attn_mask"]).dtype.is_floating_point, "a mask must be of floats here")
        inputs.append(g.operand(a["attn_mask"]))
    scale = inputs[0].shape[-1] ** -0.5 if a["scale"] is None else a["scale"]
    attrs: dict[str, Attr] = {"scale": float(scale), "causal": bool(a["is_causal"])}
    if not a.get("enable_gqa") or inputs[0].shape[-3] == inputs[1].shape[-3]:
        return g.append("attention", inputs, attrs=attrs)
    made = g.append("attention", _in_groups(g, inputs), attrs=attrs)
    return g.reshape(made, (*made.shape[:-4], made.shape[-4] * made.shape[-3], *made.shape[-2:]))


def _in_groups(g: FxBuilder, inputs: list[Value]) -> list[Value]:
    """Queries of several heads to each of the keys: an axis of groups, and one of the heads in a group."""
    groups = inputs[1].shape[-3]

    def split(value: Value) -> Value:
        *leading, heads, rows, columns = (1, *value.shape) if len(value.shape) == 2 else value.shape
        outer = min(heads, groups)
        return g.reshape(value, (*leading, outer, heads // outer, rows, columns))

    return [split(value) for value in inputs]


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
