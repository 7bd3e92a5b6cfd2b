"""Values of a network that are never negative, whatever its input is.

Grids of words are finer for inputs without negative ones: see `kernels.words.grid`.
"""

from __future__ import annotations

from ...dcformat import Graph, Node
from .fuse import limits_of

POSITIVE = ("sigmoid", "hardsigmoid", "abs")
"""Operators whose outputs are not negative. So are those of a clamp, where its lower limit is not."""
KEEPING = (
    *("max_pool2d", "avg_pool2d", "adaptive_max_pool2d", "adaptive_avg_pool2d"),
    *("max_pool1d", "avg_pool1d", "adaptive_max_pool1d", "adaptive_avg_pool1d"),
    *("concat", "flatten", "reshape", "slice", "pad", "permute", "expand", "take"),
    *("add", "mul", "maximum", "minimum"),
)
"""Operators whose outputs are not negative if no input is."""


def nonnegative_values(graph: Graph) -> frozenset[int]:
    """The values of a graph that are never negative; they may be NaN."""
    found: set[int] = set()
    for index, node in enumerate(graph.nodes):
        if _is_positive(node) or (node.op in KEEPING and found.issuperset(node.inputs)):
            found.add(graph.value_of(index))
    return frozenset(found)


def _is_positive(node: Node) -> bool:
    limits = limits_of(node)
    return node.op in POSITIVE or (limits is not None and limits[0] >= 0)
