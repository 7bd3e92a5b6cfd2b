"""Tensors of which the input gives size or type alone: ``zeros_like(x)``, ``x.new_ones(...)``, ``a.type_as(x)``.

They are constants, once a number, sizes or a type stand in the place of the input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx

aten = torch.ops.aten

NUMBERS: Mapping[Any, Callable[[fx.Node], Any]] = {
    aten.zeros_like.default: lambda node: 0,
    aten.ones_like.default: lambda node: 1,
    aten.full_like.default: lambda node: node.args[1],
    aten.new_zeros.default: lambda node: 0,
    aten.new_ones.default: lambda node: 1,
    aten.new_full.default: lambda node: node.args[2],
}
"""The number that an operator fills a tensor with."""

LIKENESSES: Mapping[Any, tuple[Any, Callable[[torch.Tensor], Any]]] = {
    aten.type_as.default: (aten.to.dtype, lambda made: made.dtype),
    aten.expand_as.default: (aten.expand.default, lambda made: list(made.shape)),
    aten.view_as.default: (aten.view.default, lambda made: list(made.shape)),
    aten.reshape_as.default: (aten.reshape.default, lambda made: list(made.shape)),
}
"""For an operator that makes one tensor like another: that which is given the type or the sizes, and these."""


def free_fills(graph: fx.Graph) -> None:
    """Free such tensors from what they take the size or type of, in place; sizes that are open are left alone."""
    for node in list(graph.nodes):
        if node.target in LIKENESSES:
            _free_likeness(node)
        if node.target not in NUMBERS:
            continue
        made, number = node.meta["val"], NUMBERS[node.target](node)
        if isinstance(number, fx.Node) or not all(isinstance(size, int) for size in made.shape):
            continue
        node.args, node.kwargs = (list(made.shape), number), {"dtype": made.dtype}
        node.target = aten.full.default


def _free_likeness(node: fx.Node) -> None:
    target, argument_of = LIKENESSES[node.target]
    argument = argument_of(node.meta["val"])
    if isinstance(argument, list) and not all(isinstance(size, int) for size in argument):
        return
    node.target, node.args, node.kwargs = target, (node.args[0], argument), {}
