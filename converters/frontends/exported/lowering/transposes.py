"""Transposes that undo each other.

TensorFlow has channels last, and its exporters put a transpose before and behind each convolution. Here each transpose
moves down past operators that work in any order of axes, until it meets its inverse, and both are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import fx

from ..fx_builder import meta

aten = torch.ops.aten

Order = tuple[int, ...]

UNARY = {
    *(aten.relu.default, aten.relu6.default, aten.hardtanh.default, aten.clamp.default, aten.leaky_relu.default),
    *(aten.sigmoid.default, aten.silu.default, aten.tanh.default, aten.elu.default, aten.gelu.default),
    *(aten.hardswish.default, aten.hardsigmoid.default, aten.exp.default, aten.sqrt.default, aten.neg.default),
}
"""Functions of one element whose first argument is the value, and the others are numbers."""
BINARY = {aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor}


def sink_transposes(graph: fx.Graph, constants: set[fx.Node]) -> None:
    """Move transposes down, and join those that meet, in place.

    Parameters
    ----------
    graph : fx.Graph
    constants : set of fx.Node
        Its nodes that do not depend on the input; new ones are added.
    """
    for node in list(graph.nodes):
        if node in constants or node.op != "call_function":
            continue
        if node.target == aten.permute.default:
            _join(node)
        elif node.target in UNARY and _source(node.args[0]) is not None:
            _move(graph, node, [node.args[0]], constants)
        elif node.target in BINARY:
            _move(graph, node, [arg for arg in node.args if isinstance(arg, fx.Node)], constants)
        elif node.target in MOVES:
            MOVES[node.target](graph, node)
    graph.eliminate_dead_code()


def _order(node: fx.Node) -> Order:
    rank = meta(node).dim()
    return tuple(axis % rank for axis in cast(Sequence[int], node.args[1]))


def _source(node: Any) -> fx.Node | None:
    """What a transpose that nothing else reads transposes."""
    is_transpose = isinstance(node, fx.Node) and node.target == aten.permute.default and len(node.users) == 1
    return node.all_input_nodes[0] if is_transpose else None


def _join(node: fx.Node) -> None:
    """Make one transpose of two, or none if the second undoes the first."""
    first = node.all_input_nodes[0]
    if first.target != aten.permute.default:
        return
    source, inner = first.all_input_nodes[0], _order(first)
    order = tuple(inner[axis] for axis in _order(node))
    node.args = (source, list(order))
    if order == tuple(range(len(order))):  # an answer keeps its node, by whose name it is known
        node.replace_all_uses_with(source, delete_user_cb=lambda user: user.op != "output")


def _move(graph: fx.Graph, node: fx.Node, values: Sequence[fx.Node], constants: set[fx.Node]) -> None:
    """Move the transposes before an operator behind it, if all that it reads is transposed alike, or constant."""
    transposed = [value for value in values if value not in constants]
    orders = {_order(value) for value in transposed if _source(value) is not None}
    if len(orders) != 1 or any(_source(value) is None for value in transposed):
        return
    (order,) = orders
    with graph.inserting_before(node):
        replaced = {
            value: _untransposed(graph, value, order, constants) if value in constants else _source(value)
            for value in values
        }
    _behind(graph, node, order, tuple(replaced[arg] if isinstance(arg, fx.Node) else arg for arg in node.args))


def _behind(graph: fx.Graph, node: fx.Node, order: Order, args: tuple[Any, ...]) -> None:
    """Make an operator the transpose of what it makes of other arguments."""
    with graph.inserting_before(node):
        inner = graph.call_function(node.target, args, dict(node.kwargs))  # type: ignore[arg-type]
    inner.meta = {**node.meta, "val": meta(node).permute([order.index(axis) for axis in range(len(order))])}
    node.target, node.args, node.kwargs = aten.permute.default, (inner, list(order)), {}


def _untransposed(graph: fx.Graph, constant: fx.Node, order: Order, constants: set[fx.Node]) -> fx.Node:
    """A constant that meets a transposed value, for the value as it was before that."""
    value = meta(constant)
    if value.numel() == 1:
        return constant
    shape = [1] * (len(order) - value.dim()) + list(value.shape)
    inverse = [order.index(axis) for axis in range(len(order))]
    made = constant
    for target, argument in ((aten.reshape.default, shape), (aten.permute.default, inverse)):
        before = meta(made)
        made = graph.call_function(target, (made, argument))
        made.meta = {**constant.meta, "val": target(before, argument)}
        constants.add(made)
    return made


def _mean(graph: fx.Graph, node: fx.Node) -> None:
    """A mean over axes of a transposed value: over others of the value itself."""
    source = _source(node.args[0])
    if source is None:
        return
    order, rank = _order(node.args[0]), meta(source).dim()  # type: ignore[arg-type]
    axes = [order[axis % rank] for axis in cast(Sequence[int], node.args[1])]
    if len(node.args) > 2 and node.args[2]:
        _behind(graph, node, order, (source, axes, *node.args[2:]))
        return
    rest = [axis for axis in order if axis not in axes]
    if rest == sorted(rest):
        node.args = (source, axes, *node.args[2:])


def _concat(graph: fx.Graph, node: fx.Node) -> None:
    """Transposed values joined along an axis: the values joined along another."""
    parts = cast(Sequence[fx.Node], node.args[0])
    sources = [_source(part) for part in parts]
    orders = {_order(part) for part, source in zip(parts, sources, strict=True) if source is not None}
    if None in sources or len(orders) != 1:
        return
    (order,) = orders
    axis = order[cast(int, node.args[1] if len(node.args) > 1 else 0) % len(order)]
    _behind(graph, node, order, (sources, axis))


MOVES: dict[Any, Callable[[fx.Graph, fx.Node], None]] = {aten.mean.dim: _mean, aten.cat.default: _concat}
"""Operators with axes, which change places too."""
