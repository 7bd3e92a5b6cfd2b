"""Operators of PyTorch (aten) in terms of ours, and ours in terms of PyTorch's: one file a family.

Captured graphs hold the operators as the module called them (``aten.conv2d``) or decomposed (``aten.convolution``), so
both are here. To add one: a function with ``@lowers(...)``, whose second argument holds the operator's arguments by
name, and for the way back a row in the family's `CALLS`. What no single operator of ours can say is first rewritten
into what one can: `rewrite`.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from importlib import import_module
from typing import cast

import torch
from torch import fx

from .....dcformat import Value
from ..fx_builder import FIRST_ONLY, FxBuilder, meta
from .biases import join_biases
from .clamps import join_clamps
from .comparisons import name_numbers
from .gates import join_gates
from .layer_norms import join_layer_norms
from .masks import add_masks
from .table import ANY_PLACE, LOWERINGS, Call, bind
from .transposes import sink_transposes

__all__ = ["CALLS", "LOWERINGS", "lower", "rewrite"]

FAMILIES = [
    import_module(f".{name}", __name__)
    for name in (
        "activations",
        "arithmetic",
        "comparisons",
        "convolutions",
        "embedding",
        "indexing",
        "layers",
        "norms",
        "pads",
        "pooling",
        "positions",
        "products",
        "recurrent",
        "reductions",
        "resizing",
        "shapes",
        "takes",
        "views",
    )
]
"""Importing them fills the table of lowerings."""
CALLS: Mapping[str, Call] = {op: call for family in FAMILIES for op, call in family.CALLS.items()}
"""For each of our operators the call of torch that does the same."""


def rewrite(graph: fx.Graph, constants: set[fx.Node]) -> None:
    """Rewrite a captured graph in place where several of its operators are one of ours.

    Parameters
    ----------
    graph : fx.Graph
    constants : set of fx.Node
        Its nodes that do not depend on the input; new ones are added.
    """
    join_clamps(graph)
    join_gates(graph)
    join_layer_norms(graph, constants)
    sink_transposes(graph, constants)
    join_biases(graph, constants)
    add_masks(graph, constants)
    name_numbers(graph, constants)


COMPLEX = "complex numbers are not supported; write rotations with sines and cosines"


def _is_complex(node: fx.Node) -> bool:
    """Whether a node makes complex numbers, or reads them."""
    tensors = (meta(each) for each in (node, *node.all_input_nodes))
    return any(isinstance(tensor, torch.Tensor) and tensor.is_complex() for tensor in tensors)


def lower(g: FxBuilder, node: fx.Node) -> None:
    """Lower one ``call_function`` node.

    Raises
    ------
    UnsupportedOpError
        An operator, or a form of one, that has no equivalent; names op, node and shape.
    """
    g.node = node
    if not isinstance(meta(node), (torch.Tensor, tuple, list)):
        return  # arithmetic on sizes, assertions: shapes are static here
    g.require(not _is_complex(node), COMPLEX)
    if node.target is not operator.getitem and node.target not in LOWERINGS:
        g.fail("operator is not supported")
    if g.reads_unknown(node):
        return
    anywhere = node.target in ANY_PLACE or torch.Tag.pointwise in node.target.tags  # type: ignore[union-attr]
    g.require(anywhere or g.has_batch_first(node), FIRST_ONLY)
    if node.target is operator.getitem:
        results, index = g.values.get(node.all_input_nodes[0]) or [], cast(int, node.args[1])
        value = results[index] if index < len(results) else None
    else:
        value = LOWERINGS[node.target](g, bind(node))
    g.values[node] = value
    if isinstance(value, Value):
        g.check_batch(node)
