"""Steps of operators that work element by element, and of softmax."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import cast

import numpy as np

from ...kernels import binary, elementwise, unary
from ...kernels.contract import F32, Call
from ...program import Bound
from ...simd import LANES
from ..fold import scale_and_shift
from ..fuse import CLAMPS, PAIRS, Layer, limits_of
from ..memory import Use
from ..step import Builder, Context, Step, dense, shared

PARALLEL_ELEMENTS = 1 << 19
"""Least number of elements of a value that is shared among threads: some .2 ms."""


def each(layer: Layer, context: Context) -> Step:
    """A function of each element, or an activation that was not fused into another layer."""
    op, limits = layer.node.op, limits_of(layer.node)
    name = op if limits is None else "clamp"
    kernel, numbers = getattr(unary, name), tuple(layer.node.attrs.values()) if limits is None else limits
    elements = context.batch * prod(context.shapes[layer.output])
    parts = context.team.threads if context.samples == 1 and elements >= PARALLEL_ELEMENTS else 1
    cuts = [*(elements * i // parts // LANES * LANES for i in range(parts)), elements]

    def bind(inputs: list[F32], out: F32, scratch: F32) -> Sequence[Bound]:
        x, y = inputs[0].reshape(-1), out.reshape(-1)

        def part(first: int, last: int) -> list[Call]:
            return [(kernel, (x[first:last], y[first:last], *numbers))]

        return shared([part(*cut) for cut in pairwise(cuts)], part(0, elements))

    return Step(op, name, Use(layer.inputs, layer.output, overwrites=layer.inputs), bind)


def prelu(layer: Layer, context: Context) -> Step:
    """An activation with a slope for each channel, or for all."""
    slope = np.resize(dense(layer.node.params["weight"], context), context.shapes[layer.output][0])

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        x, y = (array.reshape(*array.shape[:2], -1) for array in (inputs[0], out))
        return [(unary.prelu, (x, y, slope))]

    return Step("prelu", "prelu", Use(layer.inputs, layer.output, overwrites=layer.inputs), bind)


def pair(layer: Layer, context: Context) -> Step:
    """A function of two values, or of a value and a constant, which is read where it lies."""
    kernel, rank = getattr(binary, layer.node.op), len(context.shapes[layer.output])
    constants = {
        place: dense(name, context).reshape(1, *context.shapes[layer.node.inputs[place]], 1)
        for place, name in layer.constants.items()
    }

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        values = iter(inputs)
        operands = [constants[place] if place in constants else next(values) for place in range(2)]
        a, b = (x.reshape(len(x), *(1,) * (rank + 2 - x.ndim), *x.shape[1:]) for x in operands)
        return [binary.pair(kernel, a, b, out, *layer.limits)]

    return Step(layer.node.op, layer.node.op, Use(layer.inputs, layer.output, overwrites=layer.inputs), bind)


def batch_norm(layer: Layer, context: Context) -> Step:
    """A normalisation that was not fused into another layer."""
    scale, shift = scale_and_shift(None, [layer], context.decode, context.shapes[layer.output][0])

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        x, y = (array.reshape(*array.shape[:2], -1) for array in (inputs[0], out))
        return [(elementwise.affine, (x, y, scale, shift, *layer.limits))]

    return Step("batch_norm", "affine", Use(layer.inputs, layer.output, overwrites=layer.inputs), bind)


def softmax(layer: Layer, context: Context) -> Step:
    """Softmax along an axis, or log-softmax."""
    axis, log = cast(int, layer.node.attrs["axis"]), bool(layer.node.attrs["log"])
    shape = context.shapes[layer.output]
    view = context.samples * prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]) * context.lanes

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        return [(elementwise.softmax, (inputs[0].reshape(view), out.reshape(view), log))]

    return Step("softmax", "softmax", Use(layer.inputs, layer.output), bind)


FUNCTIONS = (
    "leaky_relu",
    "sigmoid",
    "silu",
    "gelu",
    "hardsigmoid",
    "hardswish",
    "tanh",
    "elu",
    "softplus",
    "mish",
    "affine",
    "power",
    "reciprocal",
    "sqrt",
    "exp",
    "log",
    "erf",
    "abs",
    "sin",
    "cos",
    "floor",
    "ceil",
    "round",
)
"""Operators of one value whose kernels have their names."""
STEPS: Mapping[str, Builder] = {
    **dict.fromkeys((*CLAMPS, *FUNCTIONS), each),
    **dict.fromkeys(PAIRS, pair),
    "prelu": prelu,
    "batch_norm": batch_norm,
    "softmax": softmax,
}
