"""Operators of PyTorch (aten) in terms of ours: one small function an operator.

Captured graphs hold the operators as the module called them (``aten.conv2d``) or decomposed (``aten.convolution``), so
both are here.

A view costs nothing: it keeps the value and changes only the shape that it is read with. `Lowering.read` compares that
shape with the value's own when an operator wants it, and makes a ``flatten`` where there is need of one; so squeeze,
mean without keepdim and view need no cases of their own, and a reshape that nothing reads is never an error.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NoReturn

import torch
from torch import fx

from ..dcformat import OPS, Attr, FormatError, Graph, Node, Shape, UnsupportedOpError, make_node

aten = torch.ops.aten


@dataclass(frozen=True)
class Value:
    """A value of our graph, under construction."""

    index: int


@dataclass(frozen=True)
class Param:
    """A tensor of the state dict; `transposed` if its two axes were swapped on the way."""

    name: str
    transposed: bool = False


Args = Mapping[str, Any]
Lower = Callable[["Lowering", Args], Any]
LOWERINGS: dict[Any, Lower] = {}


def lowers(*targets: Any) -> Callable[[Lower], Lower]:
    """Register a function as the lowering of some aten operators."""

    def register(function: Lower) -> Lower:
        for target in targets:
            LOWERINGS[target] = function
        return function

    return register


class Lowering:
    """Lowers the nodes of a captured graph one by one.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample.
    batch : int or torch.SymInt
        Length of the batch axis, the first of every activation.
    tensor_shapes : mapping of str to tuple of int
        Shapes of the tensors that the graph may use.
    """

    def __init__(self, input_shape: Shape, batch: int | torch.SymInt, tensor_shapes: Mapping[str, Shape]) -> None:
        self.input_shape = input_shape
        self.batch = str(batch)
        self.tensor_shapes = tensor_shapes
        self.nodes: list[Node] = []
        self.shapes: list[Shape] = [input_shape]
        self.values: dict[fx.Node, Any] = {}
        self.node: fx.Node | None = None
        self._flattened: dict[int, Value] = {}

    @property
    def input(self) -> Value:
        """The network's input."""
        return Value(0)

    def call(self, node: fx.Node) -> None:
        """Lower one ``call_function`` node.

        Raises
        ------
        UnsupportedOpError
            An operator, or a form of one, that has no equivalent; names op, node and shape.
        """
        self.node = node
        if node.target is operator.getitem:
            self.values[node] = self.values[node.args[0]][node.args[1]]
            return
        if not isinstance(_meta(node), (torch.Tensor, tuple, list)):
            return  # arithmetic on sizes, assertions: shapes are static here
        lower = LOWERINGS.get(node.target)
        if lower is None:
            self.fail("operator is not supported")
        self.values[node] = lower(self, _bind(node))
        if isinstance(self.values[node], Value):
            self.check_batch(node)

    def finish(self, output: fx.Node) -> Graph:
        """The graph whose answer is `output`."""
        self.node = output
        value = self.read(output)
        return Graph(self.input_shape, tuple(self.nodes), value.index)

    def fail(self, why: str) -> NoReturn:
        """Refuse the node that is being lowered."""
        node = self.node
        assert node is not None
        meta = _meta(node)
        meta = meta[0] if isinstance(meta, (tuple, list)) and meta else meta
        shape = tuple(meta.shape)[1:] if isinstance(meta, torch.Tensor) else None
        raise UnsupportedOpError(_op_name(node), node=node.name, shape=shape, why=why)

    def require(self, condition: bool, why: str) -> None:
        """Refuse the node that is being lowered unless `condition` holds."""
        if not condition:
            self.fail(why)

    def check_batch(self, node: fx.Node) -> None:
        """Refuse a node that mixes the samples of a batch."""
        shape = _meta(node).shape
        self.require(len(shape) >= 1 and str(shape[0]) == self.batch, "the batch axis must stay first and whole")

    def shape_of(self, node: fx.Node) -> Shape:
        """Shape of one sample as the captured graph sees it."""
        return tuple(_meta(node).shape[1:])

    def read(self, node: Any) -> Value:
        """The value that a node made, in the shape that the captured graph gives it."""
        value = self.values.get(node) if isinstance(node, fx.Node) else None
        if not isinstance(value, Value):
            self.fail("takes a constant or a weight where dcz needs an activation")
        wanted, own = self.shape_of(node), self.shapes[value.index]
        if wanted == own:
            return value
        if wanted != (prod(own),):
            self.fail(f"a reshape from {list(own)} to {list(wanted)} is not supported, only to one axis")
        if value.index not in self._flattened:
            self._flattened[value.index] = self._append("flatten", [value], {}, {})
        return self._flattened[value.index]

    def param(self, node: Any, transposed: bool = False) -> str | None:
        """Name of the tensor that a node stands for; None for an argument that is left out."""
        if node is None:
            return None
        value = self.values.get(node)
        if not isinstance(value, Param) or value.transposed != transposed:
            self.fail("takes a computed tensor where dcz needs a weight")
        return value.name

    def emit(
        self,
        op: str,
        inputs: Sequence[fx.Node],
        params: Mapping[str, str | None] | None = None,
        attrs: Mapping[str, Attr] | None = None,
    ) -> Value:
        """Append a node that reads what `inputs` made; parameters that are None are left out."""
        given = {role: name for role, name in (params or {}).items() if name is not None}
        return self._append(op, [self.read(node) for node in inputs], given, attrs or {})

    def _append(self, op: str, inputs: Sequence[Value], params: Mapping[str, str], attrs: Mapping[str, Attr]) -> Value:
        try:
            node = make_node(op, [value.index for value in inputs], params, attrs)
            shapes = {role: self.tensor_shapes[name] for role, name in params.items()}
            shape = OPS[op].shape([self.shapes[value.index] for value in inputs], shapes, node.attrs)
        except (FormatError, ValueError) as error:
            self.fail(str(error))
        self.nodes.append(node)
        self.shapes.append(shape)
        return Value(len(self.nodes))


def _meta(node: fx.Node) -> Any:
    return node.meta.get("val")


def _op_name(node: fx.Node) -> str:
    return str(node.target).removesuffix(".default") if node.op == "call_function" else node.op


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
def _conv2d(g: Lowering, a: Args) -> Value:
    return g.emit("conv2d", [a["input"]], {"weight": g.param(a["weight"]), "bias": g.param(a["bias"])}, _conv_attrs(a))


def _conv_attrs(a: Args) -> dict[str, Attr]:
    return {
        "stride": _pair(a["stride"]),
        "padding": _pair(a["padding"]),
        "dilation": _pair(a["dilation"]),
        "groups": a["groups"],
    }


@lowers(aten.convolution.default)
def _convolution(g: Lowering, a: Args) -> Value:
    g.require(not a["transposed"], "transposed convolution is not supported")
    return _conv2d(g, a)


@lowers(aten.conv2d.padding)
def _conv2d_padding(g: Lowering, a: Args) -> Value:
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
    return g._append("conv2d", [padded], given, {**attrs, "padding": (0, 0)})


@lowers(aten.linear.default)
def _linear(g: Lowering, a: Args) -> Value:
    return g.emit("linear", [a["input"]], {"weight": g.param(a["weight"]), "bias": g.param(a["bias"])})


@lowers(aten.addmm.default)
def _addmm(g: Lowering, a: Args) -> Value:
    g.require(a["alpha"] == 1 and a["beta"] == 1, "alpha and beta must be 1")
    weight = g.param(a["mat2"], transposed=True)
    return g.emit("linear", [a["mat1"]], {"weight": weight, "bias": g.param(a["self"])})


@lowers(aten.mm.default, aten.matmul.default)
def _mm(g: Lowering, a: Args) -> Value:
    weight = a["mat2"] if "mat2" in a else a["other"]
    return g.emit("linear", [a["self"]], {"weight": g.param(weight, transposed=True)})


@lowers(aten.t.default, aten.permute.default, aten.transpose.int)
def _transpose(g: Lowering, a: Args) -> Param:
    """Only of a linear layer's weight: decomposed graphs turn ``linear`` into ``mm`` with its transpose."""
    value = g.values.get(a["self"])
    order = [d % 2 for d in a.get("dims", (a.get("dim0", 1), a.get("dim1", 0)))]
    if not isinstance(value, Param) or _meta(a["self"]).dim() != 2 or sorted(order) != [0, 1]:
        g.fail("axes can be swapped only of a linear layer's weight")
    is_swap = order == [1, 0] or "dims" not in a
    return Param(value.name, value.transposed != is_swap)


@lowers(aten.batch_norm.default)
def _batch_norm(g: Lowering, a: Args) -> Value:
    g.require(not a["training"], "batch norm that uses the batch's own statistics; export in eval mode")
    return _normalise(g, a)


@lowers(aten._native_batch_norm_legit_no_training.default)
def _native_batch_norm(g: Lowering, a: Args) -> list[Value]:
    return [_normalise(g, a)]


def _normalise(g: Lowering, a: Args) -> Value:
    roles = ("weight", "bias", "running_mean", "running_var")
    return g.emit("batch_norm", [a["input"]], {role: g.param(a[role]) for role in roles}, {"eps": float(a["eps"])})


# Activations.


@lowers(aten.relu.default)
def _relu(g: Lowering, a: Args) -> Value:
    return g.emit("relu", [a["self"]])


@lowers(aten.relu6.default)
def _relu6(g: Lowering, a: Args) -> Value:
    return g.emit("relu6", [a["self"]])


@lowers(aten.hardtanh.default)
def _hardtanh(g: Lowering, a: Args) -> Value:
    return _clamp(g, {"self": a["self"], "min": a["min_val"], "max": a["max_val"]})


@lowers(aten.clamp.default, aten.clip.default, aten.clamp_min.default)
def _clamp(g: Lowering, a: Args) -> Value:
    limits = (a["min"], a.get("max"))
    g.require(limits in ((0, None), (0, 6)), f"limits must be 0 and none (relu) or 0 and 6 (relu6), found {limits}")
    return g.emit("relu" if limits[1] is None else "relu6", [a["self"]])


@lowers(aten.softmax.int, aten._softmax.default, aten.log_softmax.int, aten._log_softmax.default)
def _softmax(g: Lowering, a: Args) -> Value:
    axis = a["dim"] % _meta(a["self"]).dim() - 1
    g.require(axis >= 0, "softmax over the batch is not supported")
    assert g.node is not None
    return g.emit("softmax", [a["self"]], attrs={"axis": axis, "log": "log_softmax" in str(g.node.target)})


# Pooling.


@lowers(aten.max_pool2d.default)
def _max_pool2d(g: Lowering, a: Args) -> Value:
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
def _max_pool2d_with_indices(g: Lowering, a: Args) -> list[Value]:
    return [_max_pool2d(g, a)]


@lowers(aten.avg_pool2d.default)
def _avg_pool2d(g: Lowering, a: Args) -> Value:
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
def _adaptive_avg_pool2d(g: Lowering, a: Args) -> Value:
    return g.emit("adaptive_avg_pool2d", [a["self"]], attrs={"output": _pair(a["output_size"])})


@lowers(aten.adaptive_max_pool2d.default)
def _adaptive_max_pool2d(g: Lowering, a: Args) -> list[Value]:
    return [g.emit("adaptive_max_pool2d", [a["self"]], attrs={"output": _pair(a["output_size"])})]


@lowers(aten.mean.dim)
def _mean(g: Lowering, a: Args) -> Value:
    rank = _meta(a["self"]).dim()
    axes = sorted(d % rank for d in a["dim"] or range(rank))
    g.require(rank == 4 and axes == [2, 3], f"mean must be over height and width, found axes {axes} of {rank}")
    return g.emit("adaptive_avg_pool2d", [a["self"]], attrs={"output": (1, 1)})


# Joining, cutting, padding.


@lowers(aten.add.Tensor)
def _add(g: Lowering, a: Args) -> Value:
    g.require(a["alpha"] == 1, "alpha must be 1")
    return g.emit("add", [a["self"], a["other"]])


@lowers(aten.cat.default, aten.concat.default)
def _cat(g: Lowering, a: Args) -> Value:
    axis = a["dim"] % _meta(a["tensors"][0]).dim() - 1
    g.require(axis >= 0, "the batch cannot be extended")
    return g.emit("concat", a["tensors"], attrs={"axis": axis})


@lowers(aten.slice.Tensor)
def _slice(g: Lowering, a: Args) -> Value:
    shape = _meta(a["self"]).shape
    axis = a["dim"] % len(shape)
    if axis == 0:
        return _same(g, a)  # x[:, ...]; anything that drops samples fails the check of the batch axis
    start, stop, step = slice(a["start"], a["end"], a["step"]).indices(shape[axis])
    if (start, stop, step) == (0, shape[axis], 1):
        return _same(g, a)
    return g.emit("slice", [a["self"]], attrs={"axis": axis - 1, "start": start, "stop": stop, "step": step})


@lowers(aten.constant_pad_nd.default)
def _constant_pad(g: Lowering, a: Args) -> Value:
    g.require(not a["value"], f"padding must be with zero, found {a['value']}")
    rank = _meta(a["self"]).dim()
    widths = [*a["pad"], *[0] * (2 * rank - len(a["pad"]))]  # pairs (before, after), last axis first
    before, after = tuple(widths[0::2][::-1]), tuple(widths[1::2][::-1])
    g.require(before[0] == after[0] == 0, "the batch cannot be padded")
    return g.emit("pad", [a["self"]], attrs={"before": before[1:], "after": after[1:]})


@lowers(aten.pad.default)
def _pad(g: Lowering, a: Args) -> Value:
    g.require(a["mode"] == "constant", f"padding mode must be constant, found {a['mode']}")
    return _constant_pad(g, a)


# What costs nothing: views (see the head of this file) and what only training does.


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
def _same(g: Lowering, a: Args) -> Any:
    value = g.values.get(a["self"])
    assert g.node is not None
    same_shape = _meta(a["self"]).shape == _meta(g.node).shape
    g.require(not isinstance(value, Param) or same_shape, "a weight cannot be reshaped")
    return value


@lowers(aten.to.dtype, aten.to.dtype_layout, aten._to_copy.default)
def _to(g: Lowering, a: Args) -> Any:
    assert g.node is not None
    before, after = _meta(a["self"]).dtype, _meta(g.node).dtype
    g.require(before == after, f"a change of element type is not supported, found {before} to {after}")
    return _same(g, a)


@lowers(aten.dropout.default, aten.feature_dropout.default, aten.alpha_dropout.default)
def _dropout(g: Lowering, a: Args) -> Any:
    g.require(not a["train"] or a["p"] == 0, "dropout that is switched on; export in eval mode")
    return g.values.get(a["input"])


@lowers(aten.native_dropout.default)
def _native_dropout(g: Lowering, a: Args) -> list[Any]:
    return [_dropout(g, a)]
