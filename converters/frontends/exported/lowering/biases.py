"""A constant that is added behind a layer without bias is its bias: ``x @ w + b``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import fx

from ..fx_builder import meta
from .table import bind

aten = torch.ops.aten

WITH_BIAS: Mapping[Any, tuple[Any, int]] = {
    aten.mm.default: (aten.addmm.default, 2),
    aten.matmul.default: (aten.addmm.default, 2),
    aten.linear.default: (aten.linear.default, 2),
    aten.conv1d.default: (aten.conv1d.default, 3),
    aten.conv2d.default: (aten.conv2d.default, 4),
    aten.conv_transpose1d.default: (aten.conv_transpose1d.default, 3),
    aten.conv_transpose2d.input: (aten.conv_transpose2d.input, 4),
}
"""Layers, the operator that is the same with a bias, and how many axes its result has, channels second."""


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
            node.target, _ = WITH_BIAS[layer.target]
            bias = _vector(graph, constant, node, constants)
            is_product = node.target == aten.addmm.default
            node.args = (bias, *layer.args) if is_product else tuple({**bind(layer), "bias": bias}.values())
            graph.erase_node(layer)


def _takes_bias(layer: fx.Node) -> bool:
    if layer.target not in WITH_BIAS or len(layer.users) > 1:
        return False
    _, rank = WITH_BIAS[layer.target]
    return bind(layer).get("bias") is None and bool(meta(layer).dim() == rank)


def _is_bias(constant: fx.Node, total: fx.Node) -> bool:
    value, sums = meta(constant), meta(total)
    shape = (1,) * (sums.dim() - value.dim()) + tuple(value.shape)
    return bool(shape == (1, sums.shape[1], *(1,) * (sums.dim() - 2)) and value.dtype == sums.dtype)


def _vector(graph: fx.Graph, constant: fx.Node, before: fx.Node, constants: set[fx.Node]) -> fx.Node:
    if meta(constant).dim() == 1:
        return constant
    with graph.inserting_before(before):
        vector = graph.call_function(aten.reshape.default, (constant, [-1]))
    vector.meta["val"] = meta(constant).reshape(-1)
    constants.add(vector)
    return vector
