"""Steps of operators that move data: views, concatenations, slices and pads."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import cast

import numpy as np

from ...kernels.contract import F32, Call
from ...kernels.copy import copy, zero
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


def slice_pad(layer: Layer, context: Context) -> Step:
    """Slices, and the pad after them if there is one: one strided copy into a zeroed array."""
    pad = layer.node if layer.node.op == "pad" else None
    slices = [*layer.slices] if pad else [*layer.slices, layer.node]

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        source, target = inputs[0], out
        for node in slices:
            axis, start, stop, step = (cast(int, node.attrs[name]) for name in ("axis", "start", "stop", "step"))
            source = source[(slice(None),) * (axis + 1) + (slice(start, stop, step),)]
        if pad is None:
            return [copy(target, source)]
        before, sizes = cast(tuple[int, ...], pad.attrs["before"]), source.shape[1:-1]
        for axis, (start, size) in enumerate(zip(before, sizes, strict=True), 1):
            target = target[(slice(None),) * axis + (slice(start, start + size),)]
        frame = [out[:, : before[0]], out[:, before[0] + sizes[0] :]]  # each part is contiguous
        if out.shape[2:] != source.shape[2:]:
            frame.append(out[:, before[0] : before[0] + sizes[0]])
        return [*(zero(edge) for edge in frame if edge.size), copy(target, source)]

    return Step(layer.node.op, "strided_copy", Use(layer.inputs, layer.output), bind)


STEPS: Mapping[str, Builder] = {
    "constant": constant,
    "concat": concat,
    "flatten": flatten,
    "reshape": flatten,
    "slice": slice_pad,
    "pad": slice_pad,
}
