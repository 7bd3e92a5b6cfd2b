"""Tensors of one number, of which the input gives the size alone: ``zeros_like(x)``, ``x.new_ones(...)``.

They are constants, once the number stands in the place of the input.
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


def free_fills(graph: fx.Graph) -> None:
    """Free such tensors from what they take the size of, in place; sizes that are open are left alone."""
    for node in list(graph.nodes):
        if node.target not in NUMBERS:
            continue
        made, number = node.meta["val"], NUMBERS[node.target](node)
        if isinstance(number, fx.Node) or not all(isinstance(size, int) for size in made.shape):
            continue
        node.args, node.kwargs = (list(made.shape), number), {"dtype": made.dtype}
        node.target = aten.full.default
