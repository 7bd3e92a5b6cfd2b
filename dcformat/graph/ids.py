"""Integer inputs: what they may hold, and random values for all inputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..tensors import Array
from .graph import Graph, Shape
from .ops import movement

EXACT = 1 << 24
"""Values are float32, in which the integers below this are exact (IEEE 754: 24 significant bits)."""


def id_limits(graph: Graph, tensor_shapes: Mapping[str, Shape]) -> dict[int, int]:
    """The least number that each integer input may not hold.

    That is the number of rows of the smallest table (``embedding``) that the input, or a part of it, is looked up in;
    for one that nothing is looked up by, `EXACT`.

    Parameters
    ----------
    graph : Graph
        A legal graph.
    tensor_shapes : mapping of str to tuple of int
        Shape of each tensor that the graph names.

    Returns
    -------
    dict of int to int
        By the number of the input.
    """
    limits = {value: EXACT for value, given in enumerate(graph.inputs) if given.dtype == "I64"}
    for node in graph.nodes if limits else ():
        if node.op == "embedding":
            rows = tensor_shapes[node.params["weight"]][0]
            for value in limits.keys() & _moved_from(graph, node.inputs[0]):
                limits[value] = min(limits[value], rows)
    return limits


def _moved_from(graph: Graph, value: int) -> set[int]:
    """The values whose elements a value holds: itself, and those that were only moved to it."""
    found, waiting = set[int](), [value]
    while waiting:
        value = waiting.pop()
        if value not in found:
            found.add(value)
            node = graph.maker(value)
            if node is not None and node.op in movement.OPS:
                waiting += node.inputs
    return found


def random_inputs(graph: Graph, tensor_shapes: Mapping[str, Shape], samples: int, seed: int = 0) -> list[Array]:
    """An array for each input: standard normal noise, or integers that the input may hold.

    Parameters
    ----------
    graph, tensor_shapes
        As for `id_limits`.
    samples : int
    seed : int

    Returns
    -------
    list of ndarray
        float32 or int64, shapes ``(samples, *shape)``.
    """
    rng, limits = np.random.default_rng(seed), id_limits(graph, tensor_shapes)
    shapes = enumerate((samples, *given.shape) for given in graph.inputs)
    return [
        rng.integers(limits[value], size=shape) if value in limits else rng.standard_normal(shape, dtype=np.float32)
        for value, shape in shapes
    ]
