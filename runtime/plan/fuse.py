"""Fusion, from graph to layers: nodes that one kernel can compute become one layer.

The following nodes are fused where no other node reads the value in between:

- batch_norm, arithmetic with a number or with a constant for each channel, add and activations that clamp (relu, relu6,
  clamp) into the convolution or linear layer before them (its epilogue); into a transposed convolution no add,
- activations that clamp into arithmetic of two values, or a batch_norm, that stays on its own,
- max pooling of 2 x 2, or of 3 x 3 two apart, into the convolution before it, whose builder may still make it a
  separate step,
- constants into arithmetic of two values, which reads them where they lie,
- slices, permutations and expansions into one of them or a pad after them, as one strided copy: the option-A shortcut
  of CIFAR ResNets is a slice of rows, one of columns, and a pad.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from typing import cast

from ...dcformat import Graph, Node, Shape

ADDING = ("conv2d", "conv1d", "linear")
"""Operators whose kernels can add a residual in their epilogue."""
WEIGHTED = (*ADDING, "conv_transpose2d", "conv_transpose1d")
"""Operators whose kernels have an epilogue."""
STRIDED = ("slice", "permute", "expand")
"""Operators whose output is the input with other strides."""
CLAMPS = ("relu", "relu6", "clamp")
"""Activations that kernels have as limits of their output."""
PAIRS = ("add", "sub", "mul", "div", "maximum", "minimum", "pow", "equal", "less", "mask")
"""Arithmetic of two values."""
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
        Values it reads, without the residual and without constants that are fused.
    output : int
        The value it computes: that of the last node fused into it.
    moves : tuple of Node
        Nodes out of `STRIDED` applied to the input first, in order.
    norms : tuple of Layer
        Layers of one node that scale and shift each channel of the node's output, in order: batch normalisations, and
        arithmetic with constants.
    residual : int or None
        Value that is added after the normalisations.
    limits : Limits
        Least and greatest value of the sum: the activation.
    pool : Node or None
        Maximum pooling with windows of 2 x 2, or of 3 x 3 two apart, applied last.
    pooled : int or None
        The value that is pooled; it need not be stored.
    constants : mapping of int to str
        Of arithmetic of two values: which of the node's inputs are constants, and the name of the tensor.
    """

    node: Node
    inputs: tuple[int, ...]
    output: int
    moves: tuple[Node, ...] = ()
    norms: tuple[Layer, ...] = ()
    residual: int | None = None
    limits: Limits = FREE
    pool: Node | None = None
    pooled: int | None = None
    constants: Mapping[int, str] = field(default_factory=dict)


def fuse(graph: Graph, shapes: Sequence[Shape], ends: Collection[int] = ()) -> list[Layer]:
    """Turn a graph into layers. Nodes that no output depends on are dropped.

    Parameters
    ----------
    graph : Graph
        A legal graph.
    shapes : sequence of tuple of int
        What `dcz.dcformat.infer_shapes` gives for it.
    ends : collection of int
        Values that layers end with: nothing that reads them is fused into their layer.

    Returns
    -------
    list of Layer
        In order of execution: by the number of the value that they compute.
    """
    constants = _constants(graph)
    live = _live_nodes(graph, constants)
    readers = Counter(value for _, node in live for value in _reads(node, constants))
    readers.update([*graph.answers, *ends])
    layers: dict[int, Layer] = {}
    for output, node in live:
        layers[output] = _fold(_alone(node, output, constants), layers, readers, shapes)
    return list(layers.values())


def _constants(graph: Graph) -> dict[int, str]:
    """Values that are a stored tensor, maybe in another shape, and the name of the tensor."""
    names: dict[int, str] = {}
    for index, node in enumerate(graph.nodes):
        if node.op == "constant":
            names[graph.value_of(index)] = node.params["value"]
        elif node.op in ("reshape", "flatten") and node.inputs[0] in names:
            names[graph.value_of(index)] = names[node.inputs[0]]
    return names


def _reads(node: Node, constants: Mapping[int, str]) -> tuple[int, ...]:
    """The values that a node reads from the arena."""
    return tuple(value for value in node.inputs if node.op not in PAIRS or value not in constants)


def _alone(node: Node, output: int, constants: Mapping[int, str]) -> Layer:
    """A layer of one node."""
    inputs = _reads(node, constants)
    places = {place: constants[value] for place, value in enumerate(node.inputs) if value not in inputs}
    return Layer(node, inputs, output, constants=places)


def _live_nodes(graph: Graph, constants: Mapping[int, str]) -> list[tuple[int, Node]]:
    """The nodes that an output depends on, in order, each with the value that it computes."""
    needed = set(graph.answers)
    live = []
    for index in range(len(graph.nodes) - 1, -1, -1):
        value = graph.value_of(index)
        if value in needed:
            live.append((value, graph.nodes[index]))
            needed.update(_reads(graph.nodes[index], constants))
    return live[::-1]


def _fold(alone: Layer, layers: dict[int, Layer], readers: Mapping[int, int], shapes: Sequence[Shape]) -> Layer:
    """Fuse a layer of one node into the layer that computes one of its inputs, and remove that one from `layers`.

    Of two such layers the later one is chosen. A layer runs at its last node's place, when all its inputs are computed.
    Without such a layer the node stays alone.
    """
    for value in sorted(alone.inputs, reverse=True):
        layer = layers.get(value)
        if layer is None or readers[value] > 1:
            continue
        folded = _folded(layer, alone, shapes)
        if folded is not None:
            del layers[value]
            return replace(folded, output=alone.output)
    return alone


def _folded(layer: Layer, after: Layer, shapes: Sequence[Shape]) -> Layer | None:
    """A layer with the one node of the layer after it; None if its kernels cannot take that in."""
    node = after.node
    main, bare, alone = layer.node.op, layer.limits == FREE, layer.residual is None
    if layer.pool is not None:
        return None
    match node.op:
        case op if main in WEIGHTED and bare and alone and _is_norm(after, -1 if main == "linear" else 0, shapes):
            return replace(layer, norms=(*layer.norms, after))
        case "add" if main in ADDING and bare and alone and _is_residual(after, shapes):
            (other,) = (value for value in node.inputs if value != layer.output)
            return replace(layer, residual=other)
        case op if op in CLAMPS and main in (*WEIGHTED, *PAIRS, "batch_norm") and bare:
            return replace(layer, limits=limits_of(node) or FREE)
        case "max_pool2d" if main == "conv2d" and alone and _fits(after, shapes):
            return replace(layer, pool=node, pooled=layer.output)
        case "slice" | "permute" | "expand" | "pad" | "pad_constant" if main in STRIDED:
            return replace(layer, node=node, moves=(*layer.moves, layer.node))
    return None


def _is_norm(layer: Layer, axis: int, shapes: Sequence[Shape]) -> bool:
    """Whether a layer of one node scales and shifts each channel, of which the values' axis is given."""
    node, shape = layer.node, shapes[layer.output]
    if node.op in ("batch_norm", "affine"):
        return node.op == "affine" or len(shape) == 1 or axis == 0
    by_constant = node.op in ("add", "sub", "mul") or (node.op == "div" and 1 in layer.constants)
    if not by_constant or len(layer.inputs) != 1 or len(layer.constants) != 1 or shapes[layer.inputs[0]] != shape:
        return False
    (place,) = layer.constants
    constant = shapes[node.inputs[place]]
    constant = (1,) * (len(shape) - len(constant)) + constant
    return prod(constant) in (1, constant[axis])


def _is_residual(total: Layer, shapes: Sequence[Shape]) -> bool:
    """Whether a sum is one of two activations of one shape."""
    return len(total.inputs) == 2 and all(shapes[value] == shapes[total.output] for value in total.inputs)


def limits_of(node: Node) -> Limits | None:
    """The limits of an activation that clamps; None for other operators."""
    if node.op == "clamp":
        return cast(float, node.attrs["low"]), cast(float, node.attrs["high"])
    return {"relu": (0.0, math.inf), "relu6": (0.0, 6.0)}.get(node.op)


def _fits(pool: Layer, shapes: Sequence[Shape]) -> bool:
    """Whether a pooling has windows of 2 x 2 or of 3 x 3, two apart, none of which leaves the image."""
    attrs, (given,) = pool.node.attrs, pool.inputs
    if (attrs["stride"], attrs["padding"], attrs["dilation"]) != ((2, 2), (0, 0), (1, 1)):
        return False
    if overlap(pool.node):
        return shapes[pool.output][1:] == tuple((side - 1) // 2 for side in shapes[given][1:])
    return attrs["kernel"] == (2, 2) and not attrs["ceil_mode"]


def overlap(pool: Node) -> bool:
    """Whether the windows of a pooling that is fused are 3 x 3."""
    return pool.attrs["kernel"] == (3, 3)
