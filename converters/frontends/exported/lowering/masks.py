"""Constant masks of attention that say which keys are seen become the numbers that are added to scores: 0 and -inf."""

from __future__ import annotations

from math import inf

import torch
from torch import fx

from ..fx_builder import meta
from .table import bind

aten = torch.ops.aten

ATTENTION = (
    aten.scaled_dot_product_attention.default,
    aten._scaled_dot_product_flash_attention_for_cpu.default,
)


def add_masks(graph: fx.Graph, constants: set[fx.Node]) -> None:
    """Turn masks of truth values into numbers.

    Parameters
    ----------
    graph : fx.Graph
        Rewritten in place.
    constants : set of fx.Node
        Its nodes that do not depend on the input; new ones are added.
    """
    for node in list(graph.nodes):
        mask = bind(node)["attn_mask"] if node.target in ATTENTION else None
        if mask in constants and meta(mask).dtype == torch.bool:
            with graph.inserting_before(node):
                numbers = graph.call_function(aten.where.Scalar, (mask, 0.0, -inf))
            numbers.meta["val"] = torch.where(meta(mask), 0.0, -inf)
            constants.add(numbers)
            node.replace_input_with(mask, numbers)
