"""Plans of integers: which values are held as bytes, in what planes, and where floats become bytes and bytes floats.

A value with a range is held as bytes by whatever computes it (section 8 of the format page). A value that the network
is given or answers with stays float32: it has a number of its own, and a step between it and the bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import cast

from ...dcformat import Attr, Graph, Node, Quantization, Range, Shape
from ...dcformat.graph.ops.lines import image_attrs
from ..kernels.integer.planes import Planes
from ..kernels.integer.sparse import CACHED
from .fuse import STRIDED, Layer

CONVOLUTIONS = ("conv2d", "conv1d")
WEIGHTED = (*CONVOLUTIONS, "linear")
"""Operators that have kernels on integer weights."""
Size = tuple[int, int]


@dataclass(frozen=True)
class Integers:
    """Which values of a plan are bytes.

    Attributes
    ----------
    quantization : Quantization
    ranges : mapping of int to Range
        Of the values that are held as bytes.
    pads : mapping of (int, int) to (int, int)
        Of values of a height and width: the padding of their planes, above and below and between rows.
    origins : mapping of int to int
        By the identity of a node, the value that it makes.
    """

    quantization: Quantization
    ranges: Mapping[int, Range]
    pads: Mapping[Size, Size]
    origins: Mapping[int, int]

    def planes(self, shape: Shape) -> Planes:
        """The planes of values of a shape."""
        channels, *size = image(shape)
        height, width = size
        return Planes(channels, height, width, *self.pads.get((height, width), (0, 0)))

    def is_integer(self, layer: Layer) -> bool:
        """Whether a layer's products are those of integers, if its weights permit."""
        if layer.node.op not in WEIGHTED or layer.node.params["weight"] not in self.quantization.weights:
            return False
        return all(value in self.ranges for value in (*layer.inputs, *residual_of(layer)))


@dataclass(frozen=True)
class Lowered:
    """A graph's layers with those between floats and bytes.

    Attributes
    ----------
    integers : Integers
    layers : list of Layer
    shapes : list of tuple of int
        Of all values, those of the graph first.
    inputs, outputs : tuple of int
        The values that are given, and those of the answer.
    """

    integers: Integers
    layers: list[Layer]
    shapes: list[Shape]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def ends_of(graph: Graph) -> list[int]:
    """The values that layers end with: those with a range, but for elements that are moved and keep their range."""
    assert graph.quantization is not None
    ranges = graph.quantization.values
    nodes = ((value, graph.maker(value)) for value in ranges)
    strided = {value: node.inputs[0] for value, node in nodes if node is not None and node.op in STRIDED}
    return [value for value in ranges if value not in strided or ranges.get(strided[value]) != ranges[value]]


def lower(graph: Graph, layers: Sequence[Layer], shapes: Sequence[Shape]) -> Lowered:
    """Add what a plan of integers needs to the layers of a graph that has ranges."""
    assert graph.quantization is not None
    ranges, more = graph.quantization.values, list(shapes)

    def floats(value: int) -> int:
        """A number for the float32 of a value."""
        if value not in ranges:
            return value
        more.append(shapes[value])
        return len(more) - 1

    given, answers = tuple(range(len(graph.inputs))), dict.fromkeys(graph.answers)
    made = {value: floats(value) for value in answers}
    inputs = tuple(floats(value) for value in given)
    before = [_convert("quantize", *ends) for ends in zip(inputs, given, strict=True) if ends[0] != ends[1]]
    after = [_convert("dequantize", *ends) for ends in made.items() if ends[0] != ends[1]]
    origins = {id(node): graph.value_of(index) for index, node in enumerate(graph.nodes)}
    integers = Integers(graph.quantization, ranges, {}, origins)
    integers = Integers(graph.quantization, ranges, _pads(layers, shapes, integers), origins)
    return Lowered(integers, [*before, *layers, *after], more, inputs, tuple(made[value] for value in graph.answers))


def image(shape: Shape) -> tuple[int, int, int]:
    """A shape as that of an image, ``(channels, height, width)``; the last axis stays the last one."""
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    if len(shape) == 2:
        return shape[0], 1, shape[1]
    return prod(shape[:-2]), shape[-2] if len(shape) > 1 else 1, shape[-1] if shape else 1


def attrs_of(node: Node) -> Mapping[str, Attr]:
    """The attributes of an operator on images; of one on lines, those of its twin."""
    return image_attrs(node.attrs) if node.op.endswith("1d") else node.attrs


def residual_of(layer: Layer) -> tuple[int, ...]:
    """The value that a layer adds, if there is one."""
    return () if layer.residual is None else (layer.residual,)


def _convert(op: str, given: int, made: int) -> Layer:
    return Layer(Node(op, (given,)), (given,), made)


def _pads(layers: Sequence[Layer], shapes: Sequence[Shape], integers: Integers) -> dict[Size, Size]:
    """The padding that planes of each height and width need for the convolutions that read or make them.

    A layer of stride 1 that keeps the size reads its input's padding. For others the input is dealt out into rows as
    far apart as those of the output, which must have room for what the taps reach.
    """
    pads: dict[Size, Size] = {}
    copies: dict[Size, int] = {}
    for layer in layers:
        if layer.node.op not in CONVOLUTIONS or not integers.is_integer(layer):
            continue
        output = layer.output if layer.pooled is None else layer.pooled
        (channels, *given), (_, *made) = image(shapes[layer.inputs[0]]), image(shapes[output])
        attrs = attrs_of(layer.node)
        stride, padding, dilation = (cast(Size, attrs[name]) for name in ("stride", "padding", "dilation"))
        # columns from a window's first to its last: a bound that needs no kernel size
        behind = given[1] + 2 * padding[1] - 1 - stride[1] * (made[1] - 1)
        size, need = (made[0], made[1]), (0, behind // stride[1])
        if given == made and stride == (1, 1):
            need = padding
        had = pads.get(size, (0, 0))
        pads[size] = max(had[0], need[0]), max(had[1], need[1])
        taps = (behind - stride[1] + 1) // dilation[1] + 1  # columns of taps, or fewer by less than a stride
        shared = attrs["groups"] == 1
        copies[size] = max(copies.get(size, 0), channels * taps * stride[0] if shared or taps == 1 else CACHED)
    return {size: _without_columns(size, pad, copies[size]) for size, pad in pads.items()}


def _without_columns(size: Size, pad: Size, copies: int) -> Size:
    """The padding of planes of a size, without that between rows where shifted copies of planes take less time.

    That is so where a tile shrinks by a quarter, and all copies that a layer reads stay in the L1 cache.
    """
    spare = Planes(1, *size, pad[0] + 1, 0)  # a row more: shifted copies begin before the first pixel
    fewer = 4 * spare.halves <= 3 * Planes(1, *size, *pad).halves
    return (pad[0] + 1, 0) if fewer and copies * spare.plane <= CACHED else pad
