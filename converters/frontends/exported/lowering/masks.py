"""Masks of attention that say which keys are seen become the numbers that are added to scores.

For a query that sees no key PyTorch answers 0, where the softmax of scores that are all -inf is NaN. The queries of a
constant mask are known. Behind a computed mask, and a constant one with such a query, keys that are not seen get the
least number instead, and the answers of these queries are multiplied by 0.
"""

from __future__ import annotations

from math import inf

import torch
from torch import fx

from ..fx_builder import meta
from ..values import of_numbers
from .table import bind

aten = torch.ops.aten

ATTENTION = aten.scaled_dot_product_attention.default
LEAST = torch.finfo(torch.float32).min


def add_masks(graph: fx.Graph, constants: set[fx.Node]) -> None:
    """Turn masks of truth values into numbers.

    Parameters
    ----------
    graph : fx.Graph
        Rewritten in place.
    constants : set of fx.Node
        Its nodes that do not depend on the input; new ones are added.
    """
    added: dict[fx.Node, fx.Node] = {}
    seeing: dict[fx.Node, fx.Node | None] = {}
    for node in list(graph.nodes):
        mask = bind(node)["attn_mask"] if node.target == ATTENTION else None
        if mask is None or meta(mask).dtype != torch.bool:
            continue
        if mask not in added:
            with graph.inserting_before(node):
                seeing[mask] = None if _all_see(mask, constants) else _made(graph, aten.amax.default, mask, [-1], True)
                least = -inf if seeing[mask] is None else LEAST
                added[mask] = _made(graph, aten.where.Scalar, mask, 0.0, least)
            if mask in constants:
                constants.update(each for each in (added[mask], seeing[mask]) if each is not None)
        node.replace_input_with(mask, added[mask])
        if (sees := seeing[mask]) is not None:
            _multiply(graph, node, sees)


def _all_see(mask: fx.Node, constants: set[fx.Node]) -> bool:
    """Whether each query is taken to see a key: of a constant, unless its numbers say otherwise."""
    if mask not in constants:
        return False
    value = of_numbers(mask)
    return value is None or bool(value.any(-1).all())


def _made(graph: fx.Graph, target: torch._ops.OpOverload, *args: object) -> fx.Node:
    node = graph.call_function(target, args)  # type: ignore[arg-type]
    node.meta["val"] = target(*(meta(each) if isinstance(each, fx.Node) else each for each in args))
    return node


def _multiply(graph: fx.Graph, attention: fx.Node, sees: fx.Node) -> None:
    """Multiply an answer of attention by 1 for queries that see a key, by 0 for the others."""
    with graph.inserting_before(attention):
        made = graph.call_function(ATTENTION, attention.args, attention.kwargs)
    made.meta["val"] = meta(attention)
    attention.target, attention.args, attention.kwargs = aten.mul.Tensor, (made, sees), {}  # it may be the answer
