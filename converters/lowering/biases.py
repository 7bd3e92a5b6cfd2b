"""A constant that is added behind a layer without bias is its bias: ``x @ w + b``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import fx

from ..graph_builder import meta
from .table import bind

aten = torch.ops.aten

WITH_BIAS: Mapping[Any, Any] = {
    aten.mm.default: aten.addmm.default,
    aten.matmul.default: aten.addmm.default,
    aten.linear.default: aten.linear.default,
    aten.conv2d.default: aten.conv2d.default,
}
"""Layers, and the operator that is the same with a bias."""


def join_biases(graph: fx.Graph, constants: set[fx.Node]) -> None:
    """Make an added constant with one number a channel the bias of the layer before, if that has none.

    Parameters
    ----------
    graph : fx.Graph
        Rewritten in place.
    constants : set of fx.Node
        Its nodes that do not depend on the input; new ones are added.
    """
    for node in list(graph.nodes):
        if node.target != aten.add.Tensor or len(node.all_input_nodes) != 2 or bind(node)["alpha"] != 1:
            continue
        constant, layer = sorted(node.all_input_nodes, key=lambda source: source not in constants)
        if constant in constants and _takes_bias(layer) and _is_bias(constant, node):
            node.target = WITH_BIAS[layer.target]
            node.args = _with_bias(layer, _vector(graph, constant, node, constants))
            graph.erase_node(layer)


def _takes_bias(layer: fx.Node) -> bool:
    if layer.target not in WITH_BIAS or len(layer.users) > 1 or bind(layer).get("bias") is not None:
        return False
    has_channels: bool = meta(layer).dim() > 1
    return has_channels


def _is_bias(constant: fx.Node, total: fx.Node) -> bool:
    value, sums = meta(constant), meta(total)
    shape = (1,) * (sums.dim() - value.dim()) + tuple(value.shape)
    return shape == (1, sums.shape[1], *(1,) * (sums.dim() - 2)) and value.dtype == sums.dtype


def _vector(graph: fx.Graph, constant: fx.Node, before: fx.Node, constants: set[fx.Node]) -> fx.Node:
    if meta(constant).dim() == 1:
        return constant
    with graph.inserting_before(before):
        vector = graph.call_function(aten.reshape.default, (constant, [-1]))
    vector.meta["val"] = meta(constant).reshape(-1)
    constants.add(vector)
    return vector


def _with_bias(layer: fx.Node, bias: fx.Node) -> tuple[Any, ...]:
    if WITH_BIAS[layer.target] == aten.addmm.default:
        return (bias, *layer.args)
    arguments = {**bind(layer), "bias": bias}
    return tuple(arguments.values())
