"""Fusion, from graph to layers: nodes that one kernel can compute become one layer.

The following nodes are fused where no other node reads the value in between:

- batch_norm, add and relu or relu6 into the convolution or linear layer before them (its epilogue); into a transposed
  convolution no add,
- relu or relu6 into an add or a batch_norm that stays on its own,
- max pooling of 2 x 2 into the convolution before it, whose builder may still make it a separate step,
- slices, permutations and expansions into one of them or a pad after them, as one strided copy: the option-A shortcut
  of CIFAR ResNets is a slice of rows, one of columns, and a pad.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...dcformat import Graph, Node

ADDING = ("conv2d", "conv1d", "linear")
"""Operators whose kernels can add a residual in their epilogue."""
WEIGHTED = (*ADDING, "conv_transpose2d", "conv_transpose1d")
"""Operators whose kernels have an epilogue."""
STRIDED = ("slice", "permute", "expand")
"""Operators whose output is the input with other strides."""
Limits = tuple[float, float]
"""The least and the greatest value that an activation lets through."""
FREE: Limits = (-math.inf, math.inf)


@dataclass(frozen=True)
class Layer:
    """A node with the nodes fused into it.

    Attributes
    ----------
    node : Node
        The main node.
    inputs : tuple of int
        Values it reads, without the residual.
    output : int
        The value it computes: that of the last node fused into it.
    moves : tuple of Node
        Nodes out of `STRIDED` applied to the input first, in order.
    norms : tuple of Node
        Batch normalisations applied to the output of the node, in order.
    residual : int or None
        Value that is added after the normalisations.
    limits : Limits
        Least and greatest value of the sum: the activation.
    pool : Node or None
        Maximum pooling with windows of 2 x 2, applied last.
    pooled : int or None
        The value that is pooled; it need not be stored.
    """

    node: Node
    inputs: tuple[int, ...]
    output: int
    moves: tuple[Node, ...] = ()
    norms: tuple[Node, ...] = ()
    residual: int | None = None
    limits: Limits = FREE
    pool: Node | None = None
    pooled: int | None = None


def fuse(graph: Graph) -> list[Layer]:
    """Turn a graph into layers. Nodes that the output does not depend on are dropped.

    Parameters
    ----------
    graph : Graph
        A legal graph (`dcz.dcformat.infer_shapes` accepts it).

    Returns
    -------
    list of Layer
        In order of execution: by the number of the value that they compute.
    """
    live = _live_nodes(graph)
    readers = Counter(value for _, node in live for value in node.inputs)
    readers[graph.output] += 1
    layers: dict[int, Layer] = {}
    for output, node in live:
        layers[output] = _fold(node, output, layers, readers) or Layer(node, node.inputs, output)
    return list(layers.values())


def _live_nodes(graph: Graph) -> list[tuple[int, Node]]:
    """The nodes that the output depends on, in order, each with the value that it computes."""
    needed = {graph.output}
    live = []
    for index in range(len(graph.nodes) - 1, -1, -1):
        if index + 1 in needed:
            live.append((index + 1, graph.nodes[index]))
            needed.update(graph.nodes[index].inputs)
    return live[::-1]


def _fold(node: Node, output: int, layers: dict[int, Layer], readers: Mapping[int, int]) -> Layer | None:
    """Fuse a node into the layer that computes one of its inputs, and remove that layer from `layers`. None:
    impossible.

    Of two such layers the later one is chosen. A layer runs at its last node's place, when all its inputs are computed.
    """
    for value in sorted(node.inputs, reverse=True):
        layer = layers.get(value)
        if layer is None or readers[value] > 1:
            continue
        folded = _folded(layer, node)
        if folded is not None:
            del layers[value]
            return replace(folded, output=output)
    return None


def _folded(layer: Layer, node: Node) -> Layer | None:
    main, bare, alone = layer.node.op, layer.limits == FREE, layer.residual is None
    if layer.pool is not None:
        return None
    match node.op:
        case "batch_norm" if main in WEIGHTED and bare and alone:
            return replace(layer, norms=(*layer.norms, node))
        case "add" if main in ADDING and bare and alone:
            (other,) = (value for value in node.inputs if value != layer.output)
            return replace(layer, residual=other)
        case "relu" | "relu6" if main in (*WEIGHTED, "add", "batch_norm") and bare:
            return replace(layer, limits=limits_of(node))
        case "max_pool2d" if main == "conv2d" and alone and _pairs(node):
            return replace(layer, pool=node, pooled=layer.output)
        case "slice" | "permute" | "expand" | "pad" | "pad_constant" if main in STRIDED:
            return replace(layer, node=node, moves=(*layer.moves, layer.node))
    return None


def limits_of(node: Node) -> Limits:
    """The limits of a clamping activation."""
    return {"relu": (0.0, math.inf), "relu6": (0.0, 6.0)}[node.op]


def _pairs(node: Node) -> bool:
    """Whether a pooling has windows of 2 x 2 that neither overlap nor leave the image."""
    wanted = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "dilation": (1, 1), "ceil_mode": False}
    return all(node.attrs[name] == value for name, value in wanted.items())
