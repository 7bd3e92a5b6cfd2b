"""Steps of operators that move data: views, concatenations, strided copies, pads and rows by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, cast

import numpy as np

from ....dcformat import Node, Shape
from ...kernels.contract import F32, Call
from ...kernels.copy import copy, fill, take_rows
from ..fuse import Layer
from ..memory import Use
from ..step import Builder, Context, Step, dense, transfers, view


def constant(layer: Layer, context: Context) -> Step:
    """A stored tensor, copied to each sample."""
    name = layer.node.params["value"]
    value = dense(name, context)

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        return [copy(out, np.broadcast_to(value.reshape(*out.shape[1:-1], 1), out.shape))]

    return Step("constant", "strided_copy", Use((), layer.output), bind, value.nbytes, name)


def flatten(layer: Layer, context: Context) -> Step:
    """The same elements in another shape."""
    return view(layer)


def concat(layer: Layer, context: Context) -> Step:
    """Concatenation along an axis."""
    axis = cast(int, layer.node.attrs["axis"])
    sizes = [context.shapes[value][axis] for value in layer.inputs]
    one_run = context.samples * prod(context.shapes[layer.output][:axis]) == 1

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        targets = np.split(out, np.cumsum(sizes)[:-1], axis=axis + 1)
        return transfers(list(zip(targets, inputs, strict=True)))

    return Step("concat", "concat", Use(layer.inputs, layer.output, joins=one_run), bind)


def strided(layer: Layer, context: Context) -> Step:
    """Slices, permutations and expansions: a view if the elements keep their order, else one strided copy."""
    nodes = (*layer.moves, layer.node)
    sketch = _sketch((context.samples, *context.shapes[layer.inputs[0]], context.lanes))
    found = moved(sketch, nodes)
    if found.flags.c_contiguous:
        offset = (found.ctypes.data - sketch.ctypes.data) // sketch.itemsize
        return _run(layer, offset, found.size)

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        return [copy(out, moved(inputs[0], nodes))]

    return Step(layer.node.op, "strided_copy", Use(layer.inputs, layer.output), bind)


def _run(layer: Layer, offset: int, size: int) -> Step:
    """The step of a layer whose output is a run of its input's elements."""

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        return transfers([(out, inputs[0].reshape(-1)[offset : offset + size].reshape(out.shape))])

    return Step(layer.node.op, "view", Use(layer.inputs, layer.output, view=True, offset=offset), bind)


def _sketch(shape: Shape) -> F32:
    """An array of this shape that has strides but no memory."""
    strides = np.cumprod((1, *shape[:0:-1]))[::-1] * np.float32().itemsize
    return np.lib.stride_tricks.as_strided(np.empty(1, np.float32), shape, strides)


def moved(source: F32, nodes: Sequence[Node]) -> F32:
    """A view of an array of shape (samples, ..., lanes) after nodes out of `STRIDED`."""
    for node in nodes:
        attrs = cast(dict[str, Any], node.attrs)
        match node.op:
            case "slice":
                cut = slice(attrs["start"], attrs["stop"], attrs["step"])
                source = source[(slice(None),) * (attrs["axis"] + 1) + (cut,)]
            case "permute":
                source = source.transpose(0, *(axis + 1 for axis in attrs["axes"]), -1)
            case "expand":
                source = np.broadcast_to(source, (len(source), *attrs["shape"], source.shape[-1]))
    return source


def pad(layer: Layer, context: Context) -> Step:
    """A copy into a frame of one value, of a strided input."""
    before = cast(tuple[int, ...], layer.node.attrs["before"])
    value = cast(float, layer.node.attrs.get("value", 0.0))

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        source, target = moved(inputs[0], layer.moves), out
        sizes = source.shape[1:-1]
        for axis, (start, size) in enumerate(zip(before, sizes, strict=True), 1):
            target = target[(slice(None),) * axis + (slice(start, start + size),)]
        frame = [out[:, : before[0]], out[:, before[0] + sizes[0] :]]  # each part is contiguous
        if out.shape[2:] != source.shape[2:]:
            frame.append(out[:, before[0] : before[0] + sizes[0]])
        return [*(fill(edge, value) for edge in frame if edge.size), copy(target, source)]

    return Step(layer.node.op, "strided_copy", Use(layer.inputs, layer.output), bind)


def take(layer: Layer, context: Context) -> Step:
    """Elements of an axis by their numbers: rows of all that stands behind it."""
    axis, shape = cast(int, layer.node.attrs["axis"]), context.shapes[layer.inputs[0]]
    indices = np.array(layer.node.attrs["indices"], np.int64)
    sizes = context.samples * prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]) * context.lanes

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        return [(take_rows, (inputs[0].reshape(-1), out.reshape(-1), indices, *sizes))]

    return Step("take", "take_rows", Use(layer.inputs, layer.output), bind)


STEPS: Mapping[str, Builder] = {
    "constant": constant,
    "concat": concat,
    "flatten": flatten,
    "reshape": flatten,
    "slice": strided,
    "permute": strided,
    "expand": strided,
    "pad": pad,
    "pad_constant": pad,
    "take": take,
}
