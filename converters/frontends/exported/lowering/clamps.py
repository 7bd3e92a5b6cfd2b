"""Operators that cut off what is below or above a limit, in one form: one pair of limits each.

Networks write one clamp as two: ``x.clamp(min=0).clamp(max=6)`` is a ReLU6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any, TypeAlias

import torch
from torch import fx

from .table import Args, bind

aten = torch.ops.aten

Limits: TypeAlias = tuple[float, float]

OURS: Mapping[Limits, str] = {(0, inf): "relu", (0, 6): "relu6"}
"""The limits for which dcz has an operator of its own; ``clamp`` is for all others."""

_LIMITS: Mapping[Any, Callable[[Args], tuple[Any, Any]]] = {
    aten.relu.default: lambda a: (0, None),
    aten.relu6.default: lambda a: (0, 6),
    aten.hardtanh.default: lambda a: (a["min_val"], a["max_val"]),
    aten.clamp.default: lambda a: (a["min"], a["max"]),
    aten.clip.default: lambda a: (a["min"], a["max"]),
    aten.clamp_min.default: lambda a: (a["min"], None),
    aten.clamp_max.default: lambda a: (None, a["max"]),
}
CLAMPS = (*_LIMITS, aten.threshold.default)
"""The operators of this family."""


def limits(node: fx.Node) -> Limits | None:
    """What a node limits its input to; None if it is of another family, or does something else too."""
    if node.target == aten.threshold.default:
        a = bind(node)
        return (a["threshold"], inf) if a["threshold"] == a["value"] else None
    if node.target not in _LIMITS:
        return None
    low, high = _LIMITS[node.target](bind(node))
    return (-inf if low is None else low, inf if high is None else high)


def join_clamps(graph: fx.Graph) -> None:
    """Join clamps that follow each other, unless all are to limits of `OURS`: those stay as they are."""
    for node in graph.nodes:
        found = _longest_join(node)
        if found is None:
            continue
        (_, *inner), (low, high) = found
        node.target = aten.clamp.default
        node.args, node.kwargs = (
            (inner[-1].all_input_nodes[0], *(None if abs(x) == inf else x for x in (low, high))),
            {},
        )
        for other in inner:
            if not other.users:
                graph.erase_node(other)


def _longest_join(last: fx.Node) -> tuple[list[fx.Node], Limits] | None:
    """The longest chain of clamps before a node and with it, of two or more, not all to limits of `OURS`.

    Returns
    -------
    chain : list of fx.Node
        From the last clamp to the first.
    limits : tuple of float
        Of the whole chain.
    """
    chain, together, best = list[fx.Node](), (-inf, inf), None
    node = last
    while (own := limits(node)) is not None:
        chain.append(node)
        together = (_clamp(min(own), together), _clamp(own[1], together))
        if len(chain) > 1 and any(limits(one) not in OURS for one in chain):
            best = (list(chain), together)
        node = node.all_input_nodes[0]
    return best


def _clamp(x: float, to: Limits) -> float:
    """As torch does: the upper limit wins if it is below the lower one."""
    return min(max(x, to[0]), to[1])
