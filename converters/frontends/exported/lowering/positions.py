"""Positions of the greatest or least elements of an axis: argmax, topk, and what comes with them.

Positions are numbers like all values. The first position of an element that is not below the maximum is the least
among the numbers of the elements, of which those below the maximum have been raised by the size of the axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

import torch
from torch import fx

from .....dcformat import Value
from ..fx_builder import FxBuilder
from .arithmetic import affine
from .reductions import reduce
from .table import Args, Call, lowers

aten = torch.ops.aten
MOST_IN_ORDER = 16
"""Elements that are found one after the other: each takes nine nodes."""
WHOLE = "takes the position in the whole batch; name the axis, as in argmax(dim=1)"


@lowers(aten.argmax.default, any_place=True)
def _argmax(g: FxBuilder, a: Args) -> Value:
    return _position(g, a, largest=True)


@lowers(aten.argmin.default, any_place=True)
def _argmin(g: FxBuilder, a: Args) -> Value:
    return _position(g, a, largest=False)


def _position(g: FxBuilder, a: Args, largest: bool) -> Value:
    g.require(a["dim"] is not None, WHOLE)
    value, axis = g.read(a["self"]), g.axis(a["self"], a["dim"])
    return _extreme(g, value, axis, _numbers(g, value, axis), largest)[1]


@lowers(aten.max.dim, any_place=True)
def _max(g: FxBuilder, a: Args) -> list[Value]:
    return _with_position(g, a, largest=True)


@lowers(aten.min.dim, any_place=True)
def _min(g: FxBuilder, a: Args) -> list[Value]:
    return _with_position(g, a, largest=False)


def _with_position(g: FxBuilder, a: Args, largest: bool) -> list[Value]:
    """The extreme of an axis, and its position, if that is read."""
    assert g.node is not None
    found = [reduce(g, "reduce_max" if largest else "reduce_min", a["self"], [a["dim"]])]
    return [*found, _position(g, a, largest)] if any(user.args[1] == 1 for user in g.node.users) else found


@lowers(aten.topk.default, any_place=True)
def _topk(g: FxBuilder, a: Args) -> list[Value]:
    return _in_order(g, a["self"], a["dim"], a["k"], a["largest"])


@lowers(aten.sort.default, aten.sort.stable, any_place=True)
def _sort(g: FxBuilder, a: Args) -> list[Value]:
    return _in_order(g, a["self"], a["dim"], g.sizes(a["self"])[a["dim"]], a["descending"])


@lowers(aten.median.dim, any_place=True)
def _median(g: FxBuilder, a: Args) -> list[Value]:
    """The lower of the two in the middle."""
    count = (g.sizes(a["self"])[a["dim"]] + 1) // 2
    axis = g.axis(a["self"], a["dim"])
    ordered = _in_order(g, a["self"], a["dim"], count, largest=False)
    return [g.append("slice", [part], attrs={"axis": axis, "start": count - 1, "stop": count}) for part in ordered]


def _in_order(g: FxBuilder, node: fx.Node, dim: int, count: int, largest: bool) -> list[Value]:
    """The first elements in order, and their positions: the extreme, that without it, and so on."""
    g.require(count <= MOST_IN_ORDER, f"puts {count} elements in order; at most {MOST_IN_ORDER} are supported")
    value, axis = g.read(node), g.axis(node, dim)
    numbers, last = _numbers(g, value, axis), g.new_constant(aten.full.default, ((1,), -inf if largest else inf))
    extremes, positions = list[Value](), list[Value]()
    for _ in range(count):
        if positions:
            found = g.append("equal", [numbers, positions[-1]])
            others = g.append("mask", [value, affine(g, found, -1, 1)])
            value = g.append("add", [others, g.append("mask", [last, found])])
        extreme, position = _extreme(g, value, axis, numbers, largest)
        extremes.append(extreme)
        positions.append(position)
    return [g.append("concat", parts, attrs={"axis": axis}) for parts in (extremes, positions)]


def _numbers(g: FxBuilder, value: Value, axis: int) -> Value:
    """The numbers of the elements of an axis, in line with a value."""
    size, behind = value.shape[axis], (1,) * (len(value.shape) - axis - 1)
    return g.new_constant(aten.arange.default, (float(size),), (size, *behind))


def _extreme(g: FxBuilder, value: Value, axis: int, numbers: Value, largest: bool) -> tuple[Value, Value]:
    """The greatest or least element of an axis, and its first position; of an axis with NaN the position is 0."""
    extreme = g.append("reduce_max" if largest else "reduce_min", [value], attrs={"axes": (axis,)})
    beaten = g.append("less", [value, extreme] if largest else [extreme, value])
    raised = g.append("add", [affine(g, beaten, value.shape[axis]), numbers])
    return extreme, g.append("reduce_min", [raised], attrs={"axes": (axis,)})


CALLS: Mapping[str, Call] = {}
"""Positions are made of other operators of ours."""
