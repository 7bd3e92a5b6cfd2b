"""Operators of PyTorch (aten) in terms of ours: one small function an operator.

Captured graphs hold the operators as the module called them (``aten.conv2d``) or decomposed (``aten.convolution``), so
both are here. To add one: a function with ``@lowers(...)``; its second argument holds the operator's arguments by name.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import torch
from torch import fx

from ..dcformat import Attr
from .graph_builder import GraphBuilder, Param, Value, meta

aten = torch.ops.aten

Args = Mapping[str, Any]
Lower = Callable[[GraphBuilder, Args], Any]
AnyLower = TypeVar("AnyLower", bound=Lower)

LOWERINGS: dict[Any, Lower] = {}
"""By aten operator."""


def lowers(*targets: Any) -> Callable[[AnyLower], AnyLower]:
    """Register a function as the lowering of some aten operators."""

    def register(function: AnyLower) -> AnyLower:
        for target in targets:
            LOWERINGS[target] = function
        return function

    return register


def lower(g: GraphBuilder, node: fx.Node) -> None:
    """Lower one ``call_function`` node.

    Raises
    ------
    UnsupportedOpError
        An operator, or a form of one, that has no equivalent; names op, node and shape.
    """
    g.node = node
    if node.target is operator.getitem:
        source, index = node.args
        assert isinstance(source, fx.Node)
        # Of several results only the first means something here; a pool's indices, say, do not.
        g.values[node] = g.values[source][0] if index == 0 else None
        return
    if not isinstance(meta(node), (torch.Tensor, tuple, list)):
        return  # arithmetic on sizes, assertions: shapes are static here
    function = LOWERINGS.get(node.target)
    if function is None:
        g.fail("operator is not supported")
    g.values[node] = function(g, _bind(node))
    if isinstance(g.values[node], Value):
        g.check_batch(node)


def _bind(node: fx.Node) -> dict[str, Any]:
    """Arguments of a node by name, defaults filled in from the operator's schema."""
    bound = {}
    for i, argument in enumerate(node.target._schema.arguments):  # type: ignore[union-attr]
        if i < len(node.args):
            bound[argument.name] = node.args[i]
        else:
            bound[argument.name] = node.kwargs.get(argument.name, argument.default_value)
    return bound


def _pair(value: Sequence[int] | int) -> tuple[int, int]:
    pair = (value,) * 2 if isinstance(value, int) else tuple(value)
    return (pair[0], pair[-1])


# Layers with weights.


@lowers(aten.conv2d.default)
def _conv2d(g: GraphBuilder, a: Args) -> Value:
    return g.emit("conv2d", [a["input"]], {"weight": g.param(a["weight"]), "bias": g.param(a["bias"])}, _conv_attrs(a))


def _conv_attrs(a: Args) -> dict[str, Attr]:
    return {
        "stride": _pair(a["stride"]),
        "padding": _pair(a["padding"]),
        "dilation": _pair(a["dilation"]),
        "groups": a["groups"],
    }


@lowers(aten.convolution.default)
def _convolution(g: GraphBuilder, a: Args) -> Value:
    g.require(not a["transposed"], "transposed convolution is not supported")
    return _conv2d(g, a)


@lowers(aten.conv2d.padding)
def _conv2d_padding(g: GraphBuilder, a: Args) -> Value:
    weight = g.param(a["weight"])
    assert weight is not None
    params = {"weight": weight, "bias": g.param(a["bias"])}
    totals = [0, 0]
    if a["padding"] == "same":
        kernel = g.tensor_shapes[weight][2:]
        totals = [d * (k - 1) for d, k in zip(_pair(a["dilation"]), kernel, strict=True)]
    # An odd total puts the extra row or column after, as PyTorch does; a conv2d pads both ends alike.
    before = (0, *(t // 2 for t in totals))
    extra = (0, *(t % 2 for t in totals))
    attrs = _conv_attrs({**a, "padding": before[1:]})
    if not any(extra):
        return g.emit("conv2d", [a["input"]], params, attrs)
    after = tuple(b + e for b, e in zip(before, extra, strict=True))
    padded = g.emit("pad", [a["input"]], attrs={"before": before, "after": after})
    given = {role: name for role, name in params.items() if name is not None}
    return g.append("conv2d", [padded], given, {**attrs, "padding": (0, 0)})


@lowers(aten.linear.default)
def _linear(g: GraphBuilder, a: Args) -> Value:
    return g.emit("linear", [a["input"]], {"weight": g.param(a["weight"]), "bias": g.param(a["bias"])})


@lowers(aten.addmm.default)
def _addmm(g: GraphBuilder, a: Args) -> Value:
    g.require(a["alpha"] == 1 and a["beta"] == 1, "alpha and beta must be 1")
    weight = g.param(a["mat2"], transposed=True)
    return g.emit("linear", [a["mat1"]], {"weight": weight, "bias": g.param(a["self"])})


@lowers(aten.mm.default, aten.matmul.default)
def _mm(g: GraphBuilder, a: Args) -> Value:
    weight = a["mat2"] if "mat2" in a else a["other"]
    return g.emit("linear", [a["self"]], {"weight": g.param(weight, transposed=True)})


@lowers(aten.t.default, aten.permute.default, aten.transpose.int)
def _transpose(g: GraphBuilder, a: Args) -> Param:
    """Only of a linear layer's weight: decomposed graphs turn ``linear`` into ``mm`` with its transpose."""
    value = g.values.get(a["self"])
    order = [d % 2 for d in a.get("dims", (a.get("dim0", 1), a.get("dim1", 0)))]
    if not isinstance(value, Param) or meta(a["self"]).dim() != 2 or sorted(order) != [0, 1]:
        g.fail("axes can be swapped only of a linear layer's weight")
    is_swap = order == [1, 0] or "dims" not in a
    return Param(value.name, value.transposed != is_swap)


@lowers(aten.batch_norm.default)
def _batch_norm(g: GraphBuilder, a: Args) -> Value:
    g.require(not a["training"], "batch norm that uses the batch's own statistics; export in eval mode")
    return _normalise(g, a)


@lowers(aten._native_batch_norm_legit_no_training.default)
def _native_batch_norm(g: GraphBuilder, a: Args) -> list[Value]:
    return [_normalise(g, a)]


def _normalise(g: GraphBuilder, a: Args) -> Value:
    roles = ("weight", "bias", "running_mean", "running_var")
    return g.emit("batch_norm", [a["input"]], {role: g.param(a[role]) for role in roles}, {"eps": float(a["eps"])})


# Activations.


@lowers(aten.relu.default)
def _relu(g: GraphBuilder, a: Args) -> Value:
    return g.append("relu", [g.value(a["self"])])


@lowers(aten.relu6.default)
def _relu6(g: GraphBuilder, a: Args) -> Value:
    return g.append("relu6", [g.value(a["self"])])


@lowers(aten.hardtanh.default)
def _hardtanh(g: GraphBuilder, a: Args) -> Value:
    return _clamp(g, {"self": a["self"], "min": a["min_val"], "max": a["max_val"]})


@lowers(aten.clamp.default, aten.clip.default, aten.clamp_min.default)
def _clamp(g: GraphBuilder, a: Args) -> Value:
    limits = (a["min"], a.get("max"))
    g.require(limits in ((0, None), (0, 6)), f"limits must be 0 and none (relu) or 0 and 6 (relu6), found {limits}")
    return g.append("relu" if limits[1] is None else "relu6", [g.value(a["self"])])


@lowers(aten.softmax.int, aten._softmax.default, aten.log_softmax.int, aten._log_softmax.default)
def _softmax(g: GraphBuilder, a: Args) -> Value:
    axis = a["dim"] % meta(a["self"]).dim() - 1
    g.require(axis >= 0, "softmax over the batch is not supported")
    assert g.node is not None
    return g.emit("softmax", [a["self"]], attrs={"axis": axis, "log": "log_softmax" in str(g.node.target)})


# Pooling.


@lowers(aten.max_pool2d.default)
def _max_pool2d(g: GraphBuilder, a: Args) -> Value:
    kernel = _pair(a["kernel_size"])
    attrs: dict[str, Attr] = {
        "kernel": kernel,
        "stride": _pair(a["stride"]) if a["stride"] else kernel,
        "padding": _pair(a["padding"]),
        "dilation": _pair(a["dilation"]),
        "ceil_mode": a["ceil_mode"],
    }
    return g.emit("max_pool2d", [a["self"]], attrs=attrs)


@lowers(aten.max_pool2d_with_indices.default)
def _max_pool2d_with_indices(g: GraphBuilder, a: Args) -> list[Value]:
    return [_max_pool2d(g, a)]


@lowers(aten.avg_pool2d.default)
def _avg_pool2d(g: GraphBuilder, a: Args) -> Value:
    g.require(a["divisor_override"] is None, "divisor_override is not supported")
    kernel = _pair(a["kernel_size"])
    attrs: dict[str, Attr] = {
        "kernel": kernel,
        "stride": _pair(a["stride"]) if a["stride"] else kernel,
        "padding": _pair(a["padding"]),
        "ceil_mode": a["ceil_mode"],
        "count_include_pad": a["count_include_pad"],
    }
    return g.emit("avg_pool2d", [a["self"]], attrs=attrs)


@lowers(aten.adaptive_avg_pool2d.default, aten._adaptive_avg_pool2d.default)
def _adaptive_avg_pool2d(g: GraphBuilder, a: Args) -> Value:
    return g.emit("adaptive_avg_pool2d", [a["self"]], attrs={"output": _pair(a["output_size"])})


@lowers(aten.adaptive_max_pool2d.default)
def _adaptive_max_pool2d(g: GraphBuilder, a: Args) -> list[Value]:
    return [g.emit("adaptive_max_pool2d", [a["self"]], attrs={"output": _pair(a["output_size"])})]


@lowers(aten.mean.dim)
def _mean(g: GraphBuilder, a: Args) -> Value:
    rank = meta(a["self"]).dim()
    axes = sorted(d % rank for d in a["dim"] or range(rank))
    g.require(rank == 4 and axes == [2, 3], f"mean must be over height and width, found axes {axes} of {rank}")
    return g.emit("adaptive_avg_pool2d", [a["self"]], attrs={"output": (1, 1)})


# Joining, cutting, padding.


@lowers(aten.add.Tensor)
def _add(g: GraphBuilder, a: Args) -> Value:
    g.require(a["alpha"] == 1, "alpha must be 1")
    return g.emit("add", [a["self"], a["other"]])


@lowers(aten.cat.default, aten.concat.default)
def _cat(g: GraphBuilder, a: Args) -> Value:
    axis = a["dim"] % meta(a["tensors"][0]).dim() - 1
    g.require(axis >= 0, "the batch cannot be extended")
    return g.emit("concat", a["tensors"], attrs={"axis": axis})


@lowers(aten.slice.Tensor)
def _slice(g: GraphBuilder, a: Args) -> Any:
    shape = meta(a["self"]).shape
    axis = a["dim"] % len(shape)
    if axis == 0:
        return _same(g, a)  # x[:, ...]; anything that drops samples fails the check of the batch axis
    start, stop, step = slice(a["start"], a["end"], a["step"]).indices(shape[axis])
    if (start, stop, step) == (0, shape[axis], 1):
        return _same(g, a)
    return g.emit("slice", [a["self"]], attrs={"axis": axis - 1, "start": start, "stop": stop, "step": step})


@lowers(aten.constant_pad_nd.default)
def _constant_pad(g: GraphBuilder, a: Args) -> Value:
    g.require(not a["value"], f"padding must be with zero, found {a['value']}")
    rank = meta(a["self"]).dim()
    widths = [*a["pad"], *[0] * (2 * rank - len(a["pad"]))]  # pairs (before, after), last axis first
    before, after = tuple(widths[0::2][::-1]), tuple(widths[1::2][::-1])
    g.require(before[0] == after[0] == 0, "the batch cannot be padded")
    return g.emit("pad", [a["self"]], attrs={"before": before[1:], "after": after[1:]})


@lowers(aten.pad.default)
def _pad(g: GraphBuilder, a: Args) -> Value:
    g.require(a["mode"] == "constant", f"padding mode must be constant, found {a['mode']}")
    return _constant_pad(g, a)


# What costs nothing: views (see graph_builder) and what only training does.


@lowers(
    aten.flatten.using_ints,
    aten.view.default,
    aten._unsafe_view.default,
    aten.reshape.default,
    aten.view_as.default,
    aten.unflatten.int,
    aten.squeeze.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.unsqueeze.default,
    aten.clone.default,
    aten.detach.default,
    aten.detach_.default,
    aten.alias.default,
    aten.contiguous.default,
    aten.lift_fresh_copy.default,
)
def _same(g: GraphBuilder, a: Args) -> Any:
    value = g.values.get(a["self"])
    assert g.node is not None
    same_shape = meta(a["self"]).shape == meta(g.node).shape
    g.require(not isinstance(value, Param) or same_shape, "a weight cannot be reshaped")
    return value


@lowers(aten.to.dtype, aten.to.dtype_layout, aten._to_copy.default)
def _to(g: GraphBuilder, a: Args) -> Any:
    assert g.node is not None
    before, after = meta(a["self"]).dtype, meta(g.node).dtype
    g.require(before == after, f"a change of element type is not supported, found {before} to {after}")
    return _same(g, a)


@lowers(aten.dropout.default, aten.feature_dropout.default, aten.alpha_dropout.default)
def _dropout(g: GraphBuilder, a: Args) -> Any:
    g.require(not a["train"] or a["p"] == 0, "dropout that is switched on; export in eval mode")
    return g.values.get(a["input"])


@lowers(aten.native_dropout.default)
def _native_dropout(g: GraphBuilder, a: Args) -> list[Any]:
    return [_dropout(g, a)]
