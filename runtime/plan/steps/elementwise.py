"""Steps of operators that work element by element, and of softmax."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import cast

from ...kernels import elementwise
from ...kernels.contract import F32, Call
from ..fold import scale_and_shift
from ..fuse import Layer, limits_of
from ..memory import Use
from ..step import Builder, Context, Step


def clamp(layer: Layer, context: Context) -> Step:
    """An activation that was not fused into another layer."""
    limits = limits_of(layer.node)

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        return [(elementwise.clamp, (inputs[0].reshape(-1), out.reshape(-1), *limits))]

    return Step(layer.node.op, "clamp", Use(layer.inputs, layer.output, overwrites=layer.inputs), bind)


def leaky_relu(layer: Layer, context: Context) -> Step:
    """An activation that multiplies what is not above zero."""
    slope = cast(float, layer.node.attrs["negative_slope"])

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        return [(elementwise.leaky_relu, (inputs[0].reshape(-1), out.reshape(-1), slope))]

    return Step("leaky_relu", "leaky_relu", Use(layer.inputs, layer.output, overwrites=layer.inputs), bind)


def add(layer: Layer, context: Context) -> Step:
    """A sum of two values."""

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        a, b = (x.reshape(-1) for x in inputs)
        return [(elementwise.add, (a, b, out.reshape(-1), *layer.limits))]

    return Step("add", "add", Use(layer.inputs, layer.output, overwrites=layer.inputs), bind)


def batch_norm(layer: Layer, context: Context) -> Step:
    """A normalisation that was not fused into another layer."""
    scale, shift = scale_and_shift(None, [layer.node], context.decode)

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


STEPS: Mapping[str, Builder] = {
    "relu": clamp,
    "relu6": clamp,
    "leaky_relu": leaky_relu,
    "add": add,
    "batch_norm": batch_norm,
    "softmax": softmax,
}
