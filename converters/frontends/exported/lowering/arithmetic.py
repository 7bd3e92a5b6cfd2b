"""Arithmetic: functions of a value, and of two values, of which one may be a number or a constant."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx

from .....dcformat import Value
from ..fx_builder import FxBuilder, meta
from .table import Args, Call, lowers

aten = torch.ops.aten


def affine(g: FxBuilder, value: Value, scale: float = 1.0, shift: float = 0.0) -> Value:
    """Append a multiple of a value, plus a number."""
    return g.append("affine", [value], attrs={"scale": float(scale), "shift": float(shift)})


def operand(g: FxBuilder, node: fx.Node) -> Value:
    """What goes element by element into arithmetic: a constant, or an activation, which may be one number a sample."""
    return g.operand(node) if node in g.constants else g.reshape(g.value(node), g.shape_of(node) or (1,))


def pair(g: FxBuilder, op: str, first: Any, second: Any, factor: float = 1) -> Value:
    """Append arithmetic of what two nodes made, the second times a factor."""
    batches = {g.place_of(node).axis - meta(node).dim() for node in (first, second) if node not in g.constants}
    g.require(len(batches) == 1, "the batches of activations must be in line, counted from the last axis")
    a, b = operand(g, first), operand(g, second)
    return g.append(op, [a, b if factor == 1 else affine(g, b, factor)])


@lowers(aten.add.Tensor, aten.add.Scalar)
def _add(g: FxBuilder, a: Args) -> Value:
    if not isinstance(a["other"], fx.Node):
        return _with_number(g, a, shift=a["other"] * a["alpha"])
    return pair(g, "add", a["self"], a["other"], a["alpha"])


@lowers(aten.sub.Tensor, aten.sub.Scalar)
def _sub(g: FxBuilder, a: Args) -> Value:
    if not isinstance(a["other"], fx.Node):
        return _with_number(g, a, shift=-a["other"] * a["alpha"])
    if not isinstance(a["self"], fx.Node):  # 1 - x, as definitions of operators say it
        return affine(g, g.value(a["other"]), -a["alpha"], a["self"])
    return pair(g, "sub", a["self"], a["other"], a["alpha"])


@lowers(aten.rsub.Tensor, aten.rsub.Scalar)
def _rsub(g: FxBuilder, a: Args) -> Value:
    if not isinstance(a["other"], fx.Node):
        return affine(g, g.value(a["self"]), -a["alpha"], a["other"])
    return pair(g, "sub", a["other"], a["self"], a["alpha"])


@lowers(aten.mul.Tensor, aten.mul.Scalar)
def _mul(g: FxBuilder, a: Args) -> Value:
    if not isinstance(a["other"], fx.Node):
        return _with_number(g, a, scale=a["other"])
    return pair(g, "mul", a["self"], a["other"])


@lowers(aten.div.Tensor, aten.div.Scalar)
def _div(g: FxBuilder, a: Args) -> Value:
    if not isinstance(a["other"], fx.Node):
        g.require(a["other"] != 0, "a division by zero is not supported")
        return _with_number(g, a, scale=1 / a["other"])
    return pair(g, "div", a["self"], a["other"])


def _with_number(g: FxBuilder, a: Args, scale: float = 1.0, shift: float = 0.0) -> Value:
    """A value times a number, or plus one; itself where that changes nothing: Python's ``sum([a, b])`` is 0 + a + b."""
    value = g.value(a["self"])
    return value if (scale, shift) == (1, 0) else affine(g, value, scale, shift)


@lowers(aten.neg.default)
def _neg(g: FxBuilder, a: Args) -> Value:
    return affine(g, g.value(a["self"]), -1)


@lowers(aten.addcmul.default, aten.addcdiv.default)
def _addcmul(g: FxBuilder, a: Args) -> Value:
    assert g.node is not None
    op = "mul" if g.node.target == aten.addcmul.default else "div"
    made = pair(g, op, a["tensor1"], a["tensor2"])
    return g.append("add", [g.operand(a["self"]), made if a["value"] == 1 else affine(g, made, a["value"])])


@lowers(aten.maximum.default, aten.max.other)
def _maximum(g: FxBuilder, a: Args) -> Value:
    return pair(g, "maximum", a["self"], a["other"])


@lowers(aten.minimum.default, aten.min.other)
def _minimum(g: FxBuilder, a: Args) -> Value:
    return pair(g, "minimum", a["self"], a["other"])


@lowers(aten.pow.Tensor_Tensor)
def _pow(g: FxBuilder, a: Args) -> Value:
    return pair(g, "pow", a["self"], a["exponent"])


@lowers(aten.pow.Tensor_Scalar)
def _power(g: FxBuilder, a: Args) -> Value:
    value, exponent = g.value(a["self"]), float(a["exponent"])
    return value if exponent == 1 else g.append("power", [value], attrs={"exponent": exponent})


@lowers(aten.square.default)
def _square(g: FxBuilder, a: Args) -> Value:
    return g.append("power", [g.value(a["self"])], attrs={"exponent": 2.0})


@lowers(aten.rsqrt.default)
def _rsqrt(g: FxBuilder, a: Args) -> Value:
    return g.append("reciprocal", [g.append("sqrt", [g.value(a["self"])])])


def _lower_function(op: str, target: Any) -> None:
    lowers(target)(lambda g, a: g.append(op, [g.value(a["self"])]))


FUNCTIONS: Mapping[str, tuple[Any, Callable[[Tensor], Tensor]]] = {
    "abs": (aten.abs.default, torch.abs),
    "ceil": (aten.ceil.default, torch.ceil),
    "cos": (aten.cos.default, torch.cos),
    "erf": (aten.erf.default, torch.erf),
    "exp": (aten.exp.default, torch.exp),
    "floor": (aten.floor.default, torch.floor),
    "log": (aten.log.default, torch.log),
    "reciprocal": (aten.reciprocal.default, torch.reciprocal),
    "round": (aten.round.default, torch.round),
    "sin": (aten.sin.default, torch.sin),
    "sqrt": (aten.sqrt.default, torch.sqrt),
}
"""Functions of one value without arguments: the operator of a captured graph, and the call."""
for _op, (_target, _) in FUNCTIONS.items():
    _lower_function(_op, _target)


def _function(function: Callable[[Tensor], Tensor]) -> Call:
    return lambda x, p, a: function(x[0])


def binary(function: Callable[[Tensor, Tensor], Tensor]) -> Call:
    """The call for two batches of samples; axes of samples are compared from the last on."""

    def call(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
        rank = max(each.dim() for each in x)
        first, second = (each.reshape(len(each), *(1,) * (rank - each.dim()), *each.shape[1:]) for each in x)
        return function(first, second)

    return call


CALLS: Mapping[str, Call] = {
    **{op: _function(function) for op, (_, function) in FUNCTIONS.items()},
    "affine": lambda x, p, a: x[0] * a["scale"] + a["shift"],
    "power": lambda x, p, a: x[0] ** a["exponent"],
    "add": binary(torch.add),
    "sub": binary(torch.sub),
    "mul": binary(torch.mul),
    "div": binary(torch.div),
    "maximum": binary(torch.maximum),
    "minimum": binary(torch.minimum),
    "pow": binary(torch.pow),
}
