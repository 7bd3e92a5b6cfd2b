"""Layer norm that a graph spells out: (x - mean) / sqrt(mean of squares + eps), then a weight and a bias."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import fx

from ..fx_builder import meta
from .table import bind

aten = torch.ops.aten


def join_layer_norms(graph: fx.Graph, constants: set[fx.Node]) -> None:
    """Replace spelled-out layer norms in place by the operator for them.

    Parameters
    ----------
    graph : fx.Graph
    constants : set of fx.Node
        Its nodes that do not depend on the input.
    """
    for node in list(graph.nodes):
        found = _normalised(node)
        if found is None:
            continue
        x, axes, eps = found
        shape = list(meta(x).shape[meta(x).dim() - axes :])
        last, weight = _with_constant(node, aten.mul.Tensor, shape, constants)
        last, bias = _with_constant(last, aten.add.Tensor, shape, constants) if weight else (last, None)
        last.target, last.args, last.kwargs = aten.layer_norm.default, (x, shape, weight, bias, eps), {}
    graph.eliminate_dead_code()


def _normalised(quotient: fx.Node) -> tuple[fx.Node, int, float] | None:
    """The x of a node that is x normalised, over how many of the last axes, and eps."""
    if quotient.target != aten.div.Tensor or len(quotient.all_input_nodes) != 2:
        return None
    centred, deviation = quotient.args
    total = _call(deviation, aten.sqrt.default)
    if total is None or _call(total, aten.add.Tensor) is None or len(total.all_input_nodes) != 1:
        return None
    variance, eps = cast(tuple[fx.Node, object], total.args[:2])
    squares = _mean_over_last(variance)
    x = _centred(cast(fx.Node, centred))
    if squares is None or x is None or not isinstance(eps, int | float):
        return None
    square, axes = squares
    base = _squared(square)
    same = base is not None and _centred(base) == x
    return (x[0], axes, float(eps)) if same and x[1] == axes else None


def _call(node: object, target: object) -> fx.Node | None:
    """The first input of a call of this operator."""
    return cast(fx.Node, node.args[0]) if isinstance(node, fx.Node) and node.target == target else None


def _mean_over_last(node: object) -> tuple[fx.Node, int] | None:
    """What a node is the mean of, and over how many of the last axes, which it keeps."""
    x = _call(node, aten.mean.dim)
    if x is None:
        return None
    arguments = bind(cast(fx.Node, node))
    rank = meta(x).dim()
    axes = sorted(axis % rank for axis in cast(Sequence[int], arguments["dim"]))
    return (x, len(axes)) if arguments["keepdim"] and axes == list(range(rank - len(axes), rank)) else None


def _centred(node: fx.Node) -> tuple[fx.Node, int] | None:
    """The x of a node that is x minus its mean, and over how many axes."""
    x = _call(node, aten.sub.Tensor)
    mean = _mean_over_last(node.args[1]) if x is not None else None
    return mean if mean is not None and mean[0] is x else None


def _squared(node: fx.Node) -> fx.Node | None:
    base = _call(node, aten.pow.Tensor_Scalar)
    if base is not None:
        return base if node.args[1] == 2 else None
    base = _call(node, aten.mul.Tensor)
    return base if base is not None and node.args[1] is base else None


def _with_constant(
    node: fx.Node, target: object, shape: Sequence[int], constants: set[fx.Node]
) -> tuple[fx.Node, fx.Node | None]:
    """The one user of a node that joins it with a constant of this shape, and that constant; else the node and None."""
    user = next(iter(node.users)) if len(node.users) == 1 else None
    if user is None or user.target != target or (target == aten.add.Tensor and bind(user)["alpha"] != 1):
        return node, None
    other = next((source for source in user.all_input_nodes if source is not node), None)
    fits = other in constants and list(meta(other).shape) == list(shape)
    return (user, other) if fits else (node, None)
