"""Comparisons, logic, and the choice between two values: truth values are the numbers 1 and 0."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx

from .....dcformat import Value
from ..fx_builder import FxBuilder
from .arithmetic import affine, binary, operand, pair
from .table import Args, Call, lowers

aten = torch.ops.aten

OF_NUMBERS: Mapping[Any, Any] = {
    aten.eq.Scalar: aten.eq.Tensor,
    aten.ne.Scalar: aten.ne.Tensor,
    aten.lt.Scalar: aten.lt.Tensor,
    aten.le.Scalar: aten.le.Tensor,
    aten.gt.Scalar: aten.gt.Tensor,
    aten.ge.Scalar: aten.ge.Tensor,
    aten.where.Scalar: aten.where.self,
    aten.where.ScalarSelf: aten.where.self,
    aten.where.ScalarOther: aten.where.self,
    aten.masked_fill.Scalar: aten.masked_fill.Tensor,
}
"""For an operator that takes numbers the one that takes tensors in their place."""


def name_numbers(graph: fx.Graph, constants: set[fx.Node]) -> None:
    """Turn numbers that values are compared with, or replaced by, into constant tensors.

    Parameters
    ----------
    graph : fx.Graph
        Rewritten in place.
    constants : set of fx.Node
        Its nodes that do not depend on the input; new ones are added.
    """
    for node in list(graph.nodes):
        if node.target not in OF_NUMBERS or node in constants:
            continue
        for place, number in enumerate(node.args):
            if isinstance(number, (int, float)):
                with graph.inserting_before(node):
                    made = graph.call_function(aten.scalar_tensor.default, (float(number),))
                made.meta["val"] = torch.empty((), device="meta")
                constants.add(made)
                node.update_arg(place, made)
        node.target = OF_NUMBERS[node.target]


def _not(g: FxBuilder, truth: Value) -> Value:
    return affine(g, truth, -1, 1)


def differs_from_zero(g: FxBuilder, value: Value) -> Value:
    """Append the truth value that numbers stand for."""
    return _not(g, g.append("equal", [value, g.new_constant(aten.full.default, ((1,), 0.0))]))


@lowers(aten.eq.Tensor)
def _equal(g: FxBuilder, a: Args) -> Value:
    return pair(g, "equal", a["self"], a["other"])


@lowers(aten.ne.Tensor)
def _not_equal(g: FxBuilder, a: Args) -> Value:
    return _not(g, _equal(g, a))


@lowers(aten.lt.Tensor)
def _less(g: FxBuilder, a: Args) -> Value:
    return pair(g, "less", a["self"], a["other"])


@lowers(aten.gt.Tensor)
def _greater(g: FxBuilder, a: Args) -> Value:
    return pair(g, "less", a["other"], a["self"])


@lowers(aten.le.Tensor)
def _less_or_equal(g: FxBuilder, a: Args) -> Value:
    """Not the opposite of greater: NaN is neither."""
    return g.append("add", [_less(g, a), _equal(g, a)])


@lowers(aten.ge.Tensor)
def _greater_or_equal(g: FxBuilder, a: Args) -> Value:
    return g.append("add", [_greater(g, a), _equal(g, a)])


@lowers(aten.isnan.default)
def _isnan(g: FxBuilder, a: Args) -> Value:
    """NaN alone is not equal to itself."""
    value = g.value(a["self"])
    return _not(g, g.append("equal", [value, value]))


@lowers(aten.logical_not.default, aten.bitwise_not.default)
def _logical_not(g: FxBuilder, a: Args) -> Value:
    _require_truth(g, a["self"])
    return _not(g, g.value(a["self"]))


@lowers(aten.logical_and.default, aten.bitwise_and.Tensor, aten.__and__.Tensor, any_place=True)
def _and(g: FxBuilder, a: Args) -> Value:
    _require_truth(g, a["self"], a["other"])
    return pair(g, "mul", a["self"], a["other"])


@lowers(aten.logical_or.default, aten.bitwise_or.Tensor, aten.__or__.Tensor, any_place=True)
def _or(g: FxBuilder, a: Args) -> Value:
    _require_truth(g, a["self"], a["other"])
    return pair(g, "maximum", a["self"], a["other"])


def _require_truth(g: FxBuilder, *nodes: fx.Node) -> None:
    g.require(all(node.meta["val"].dtype == torch.bool for node in nodes), "is supported for truth values alone")


@lowers(aten.where.self)
def _where(g: FxBuilder, a: Args) -> Value:
    """The sum of both values, each masked: one of the two is 0."""
    return _choice(g, a["condition"], a["self"], a["other"])


@lowers(aten.masked_fill.Tensor)
def _masked_fill(g: FxBuilder, a: Args) -> Value:
    return _choice(g, a["mask"], a["value"], a["self"])


def _choice(g: FxBuilder, condition: fx.Node, yes: fx.Node, no: fx.Node) -> Value:
    truth = operand(g, condition)
    kept, other = g.append("mask", [operand(g, yes), truth]), g.append("mask", [operand(g, no), _not(g, truth)])
    return g.append("add", [kept, other])


def _number(compare: Callable[[Tensor, Tensor], Tensor]) -> Call:
    return binary(lambda x, y: compare(x, y).to(x.dtype))


CALLS: Mapping[str, Call] = {
    "equal": _number(torch.eq),
    "less": _number(torch.lt),
    "mask": binary(lambda x, by: torch.where(by != 0, x, torch.zeros((), dtype=x.dtype))),
}
