"""Steps of convolutions and fully connected layers: choose a kernel, and pack the weights for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import cast

from ....dcformat.tensors import Tensor
from ...kernels.contract import F32, ConvGeometry, Epilogue, LinearGeometry, PackedLayer
from ...kernels.conv.phases import Phases
from ...kernels.weights import SparseWeights
from ...program import Bound
from .. import select, select_batch16
from ..fold import scale_and_shift
from ..fuse import Layer, overlap
from ..memory import ALIGNMENT, Use
from ..problem import Choice
from ..step import Builder, Context, Step, pair, shared
from .lines import on_lines
from .rows import RowLayer

PARALLEL_WORK = 1 << 22
"""Least number of multiply-adds of a layer that is shared among threads: some .18 ms. Waiting helpers cost 15 us,
sleeping ones 100."""
LINEAR_WORK = 4
"""Time of a weight of a fully connected layer, in multiply-adds."""


def conv2d(layer: Layer, context: Context) -> Step:
    """Convolution, with the pool after it where the kernel can fuse it and that is faster."""
    weight = context.decode(layer.node.params["weight"]).float32()
    geometry = _conv_geometry(layer, weight, context)
    layer, epilogue, choices = _conv_choices(layer, weight, geometry, context)
    return _convolution(layer, weight, geometry, epilogue, choices, context)


def conv_transpose2d(layer: Layer, context: Context) -> Step:
    """Transposed convolution, as an ordinary one whose outputs are interleaved."""
    transposed = context.decode(layer.node.params["weight"]).float32()
    phases = Phases.of(_conv_geometry(layer, transposed, context))
    weight, geometry = phases.weights(SparseWeights.of(transposed)), phases.geometry
    epilogue = _epilogue(layer, context).repeated(phases.count)
    step = _convolution(layer, weight, geometry, epilogue, _choices(weight, geometry, epilogue, context), context)
    shape = context.samples, geometry.out_channels, geometry.out_height, geometry.out_width, context.lanes
    if shape[1:4] == context.shapes[layer.output]:
        return step
    room = -(-prod(shape) // ALIGNMENT) * ALIGNMENT

    def bind(inputs: list[F32], out: F32, scratch: F32) -> Sequence[Bound]:
        made = scratch[: prod(shape)].reshape(shape)
        return [*step.bind(inputs, made, scratch[room:]), *phases.interleave(made, out)]

    return replace(step, use=replace(step.use, scratch=room + step.use.scratch), bind=bind)


def linear(layer: Layer, context: Context) -> Step:
    """Fully connected layer, of one row or of several."""
    weight, epilogue = context.decode(layer.node.params["weight"]).float32(), _epilogue(layer, context)
    rows = prod(context.shapes[layer.inputs[0]][:-1])
    if rows > 1:
        residual = () if layer.residual is None else (layer.residual,)
        packed = RowLayer(weight, epilogue, rows, context, context.parts(weight.nnz * rows, PARALLEL_WORK))
        use = Use((*layer.inputs, *residual), layer.output, scratch=packed.scratch_elements)
        kernel, name = packed.layer.kernel_name, layer.node.params["weight"]
        return Step("linear", kernel, use, packed.bind, packed.layer.weight_bytes, name)
    geometry = LinearGeometry(context.batch, in_features=weight.shape[1], out_features=weight.shape[0])
    list_choices = select.linear_choices if context.lanes == 1 else select_batch16.linear_choices
    return _weighted(
        layer, list_choices(weight, geometry, epilogue, context.target)[0].pack(), context, weight.nnz * LINEAR_WORK
    )


def _conv_geometry(layer: Layer, weight: Tensor, context: Context) -> ConvGeometry:
    attrs = layer.node.attrs
    made = layer.output if layer.pooled is None else layer.pooled
    (channels, height, width), out = context.shapes[layer.inputs[0]], context.shapes[made]
    return ConvGeometry(
        batch=context.batch,
        in_channels=channels,
        height=height,
        width=width,
        out_channels=out[0],
        kernel=(weight.shape[2], weight.shape[3]),
        stride=pair(attrs["stride"]),
        padding=pair(attrs["padding"]),
        dilation=pair(attrs["dilation"]),
        groups=cast(int, attrs["groups"]),
        out_height=out[1],
        out_width=out[2],
        nonnegative=layer.inputs[0] in context.nonnegative,
    )


def _conv_choices(
    layer: Layer, weight: Tensor, geometry: ConvGeometry, context: Context
) -> tuple[Layer, Epilogue, list[Choice]]:
    """The choices of a convolution, with its layer and epilogue; without the pool where a separate step is faster."""
    epilogue = _epilogue(layer, context)
    choices = _choices(weight, geometry, epilogue, context)
    if layer.pooled is None or (context.lanes > 1 and choices):
        return layer, epilogue, choices
    bare = replace(epilogue, pool=False, overlap=False)
    others = _choices(weight, geometry, bare, context)
    if select.pool_pays(geometry, choices, others, context.target):
        return layer, epilogue, choices
    return replace(layer, output=layer.pooled, pool=None, pooled=None), bare, others


def _choices(weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue, context: Context) -> list[Choice]:
    list_choices = select.conv_choices if context.lanes == 1 else select_batch16.conv_choices
    return list_choices(weight, geometry, epilogue, context.target)


def _convolution(
    layer: Layer, weight: Tensor, geometry: ConvGeometry, epilogue: Epilogue, choices: list[Choice], context: Context
) -> Step:
    if context.tuning is None:
        packed = choices[0].pack()
    else:
        packed = context.tuning.pick(choices, weight, geometry, epilogue, context.lanes)
    return _weighted(layer, packed, context, weight.nnz * geometry.out_height * geometry.out_width)


def _epilogue(layer: Layer, context: Context) -> Epilogue:
    shape = context.shapes[layer.output]
    channels = shape[-1] if layer.node.op == "linear" else shape[0]
    scale, shift = scale_and_shift(layer.node, layer.norms, context.decode, channels)
    pool = layer.pool
    overlapping = pool is not None and overlap(pool)
    return Epilogue(scale, shift, layer.residual is not None, *layer.limits, pool is not None, overlapping)


def _weighted(layer: Layer, packed: PackedLayer, context: Context, work: int) -> Step:
    """The step of a packed layer, given its multiply-adds a sample."""
    residual = () if layer.residual is None else (layer.residual,)
    parts = context.parts(work, PARALLEL_WORK)
    room = -(-packed.scratch_elements // ALIGNMENT) * ALIGNMENT

    def bind(inputs: list[F32], out: F32, scratch: F32) -> Sequence[Bound]:
        added = inputs[1] if residual else None
        bound = [packed.bind(inputs[0], out, added, scratch[i * room :], (i, parts)) for i in range(parts)]
        return shared(bound, packed.bind(inputs[0], out, added, scratch))

    use = Use((*layer.inputs, *residual), layer.output, overwrites=residual, scratch=parts * room)
    return Step(layer.node.op, packed.kernel_name, use, bind, packed.weight_bytes, layer.node.params["weight"])


STEPS: Mapping[str, Builder] = {
    "conv2d": conv2d,
    "conv1d": on_lines(conv2d),
    "conv_transpose2d": conv_transpose2d,
    "conv_transpose1d": on_lines(conv_transpose2d),
    "linear": linear,
}
