"""The choice of what is computed in integers: convolutions, and what they exchange values through."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..dcformat import Graph, InputError, Shape
from ..runtime.plan.fold import Decode
from ..runtime.plan.fuse import Layer, fuse
from .simulate import MOVES
from .windows import AVERAGES

CONVOLUTIONS = ("conv2d", "conv1d")
"""Operators that are computed in integers. A fully connected layer gains nothing: it waits for its weights."""


class Outputs(NamedTuple):
    """Values of a convolution's layer: that of its node, and that before residual and activation."""

    node: int
    before: int


@dataclass(frozen=True)
class Choice:
    """What is computed in integers.

    Attributes
    ----------
    layers : list of Layer
        The convolutions, in order of execution.
    outputs : list of Outputs
        Of each of the convolutions.
    groups : list of list of int
        Values that are held as integers; those of a group have one range, so that bytes move between them as they are.
    """

    layers: list[Layer]
    outputs: list[Outputs]
    groups: list[list[int]]


def choose(graph: Graph, shapes: Sequence[Shape], decode: Decode, weights: Collection[str] | None = None) -> Choice:
    """Choose the convolutions whose weights are finite, and the values that they read, and that lead there.

    Parameters
    ----------
    graph : Graph
    shapes : sequence of tuple of int
        What `dcz.dcformat.infer_shapes` gives for it.
    decode : callable
        ``decode(name) -> Tensor``.
    weights : collection of str, optional
        Without others.

    Raises
    ------
    InputError
        The network has none.
    """
    fused = fuse(graph, shapes)
    convolutions = (layer for layer in fused if layer.node.op in CONVOLUTIONS)
    among = (layer for layer in convolutions if weights is None or layer.node.params["weight"] in weights)
    layers = [layer for layer in among if _usable(layer, graph, decode)]
    if not layers:
        raise InputError("the network has no convolution to compute in integers", hint="run it as it is, in fp32")
    wanted = {value for layer in layers for value in (layer.inputs[0], layer.residual) if value is not None}
    same = _Sets()
    for index in range(len(graph.nodes) - 1, -1, -1):
        value, node = graph.value_of(index), graph.nodes[index]
        if value in wanted and node.op in (*MOVES, *AVERAGES):
            wanted.update(node.inputs)
            for given in node.inputs if node.op in MOVES else ():
                same.join(given, value)
    groups: dict[int, list[int]] = {}
    for value in sorted(wanted):
        groups.setdefault(same.root(value), []).append(value)
    return Choice(layers, [_outputs(layer, graph) for layer in layers], list(groups.values()))


class _Sets:
    """Disjoint sets of values."""

    def __init__(self) -> None:
        self._parent: dict[int, int] = {}

    def root(self, value: int) -> int:
        while value in self._parent:
            value = self._parent[value]
        return value

    def join(self, one: int, other: int) -> None:
        one, other = self.root(one), self.root(other)
        if one != other:
            self._parent[one] = other


def _outputs(layer: Layer, graph: Graph) -> Outputs:
    node = next(graph.value_of(i) for i, node in enumerate(graph.nodes) if node is layer.node)
    return Outputs(node, layer.norms[-1].output if layer.norms else node)


def _usable(layer: Layer, graph: Graph, decode: Decode) -> bool:
    given = layer.inputs[0]
    numbers = given >= len(graph.inputs) or graph.inputs[given].dtype == "F32"
    weight = decode(layer.node.params["weight"]).float32()
    return numbers and all(np.isfinite(piece).all() for piece in weight.pieces())
