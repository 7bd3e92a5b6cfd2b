"""From a graph to a plan: layers bound to kernels, weights packed for them, memory laid out, for one batch size.

`STEPS` holds one builder an op. To add an op, write a builder that turns a layer into a `Step`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from math import prod
from typing import cast

import numpy as np

from ..dcformat import Graph, Shape
from . import kernels
from .arena import ALIGNMENT, Layout, Use, lay_out
from .folding import Decode, float32, scale_and_shift
from .fusion import Layer, fuse
from .kernels import elementwise, pool
from .layer import F32, Call, ConvGeometry, Epilogue, LinearGeometry, PackedLayer
from .team import Team

Bind = Callable[[list[F32], F32, F32], list[Call]]
"""``bind(inputs, output, scratch)``: arrays of shape (batch, ...) in the arena, to calls ready to run."""


@dataclass(frozen=True)
class Step:
    """A layer with its kernel chosen and its weights packed, not yet bound to memory.

    Attributes
    ----------
    op : str
        The operator that does the main work.
    kernel : str
        Name of the kernel, for tables.
    use : Use
        The values that it reads and makes, and how they may share memory.
    bind : Bind
    weight_bytes : int
        Memory that its packed weights take.
    weight : str
        Name of its weight tensor; empty where it has none.
    """

    op: str
    kernel: str
    use: Use
    bind: Bind
    weight_bytes: int = 0
    weight: str = ""


@dataclass(frozen=True)
class Plan:
    """A graph bound to kernels and buffers for one batch size; shared by all executors.

    Attributes
    ----------
    batch : int
        Samples a run.
    shapes : list of tuple of int
        Shape of each value of the graph, without the batch axis.
    output : int
        The value to answer with.
    steps : list of Step
    layout : Layout
        Where each value lies in the arena.
    """

    batch: int
    shapes: list[Shape]
    output: int
    steps: list[Step]
    layout: Layout


@dataclass(frozen=True)
class Context:
    """What a builder knows besides its layer."""

    batch: int
    shapes: list[Shape]
    decode: Decode
    team: Team


def plan(
    graph: Graph, shapes: list[Shape], decode: Decode, batch: int, team: Team | None = None, packers: int = 1
) -> Plan:
    """Plan a graph for one batch size.

    Parameters
    ----------
    graph : Graph
    shapes : list of tuple of int
        What `dcz.dcformat.infer_shapes` gives for it.
    decode : callable
        ``decode(name) -> Tensor``. Each tensor is decoded when its layer is packed and dropped afterwards: at no time
        are decoded weights of more layers than there are threads in memory.
    batch : int
    team : Team, optional
        Threads that will run the large layers of a single sample; the answers do not depend on it.
    packers : int
        Threads that decode and pack layers; the plan does not depend on it.

    Returns
    -------
    Plan
    """
    context = Context(batch, shapes, decode, team or Team(1))
    layers = fuse(graph)
    if packers == 1:
        steps = [_step(layer, context) for layer in layers]
    else:
        with ThreadPoolExecutor(packers) as pool:  # the kernels that decode and pack release the GIL
            steps = list(pool.map(_step, layers, repeat(context)))
    uses = [step.use for step in steps]
    values = {0, graph.output, *(value for use in uses for value in (*use.reads, use.makes))}
    sizes = {value: batch * prod(shapes[value]) for value in values}
    return Plan(batch, shapes, graph.output, steps, lay_out(sizes, uses, 0, graph.output))


def _step(layer: Layer, context: Context) -> Step:
    return STEPS[layer.node.op](layer, context)


# Convolution and linear layers

PARALLEL_WORK = 1 << 24
"""Multiply-adds, some .7 ms, from which on a layer is worth the 50 us that it takes to get helpers to work on it."""
LINEAR_WORK = 8
"""Multiply-adds in whose time the weight of a fully connected layer comes from memory."""


def _epilogue(layer: Layer, context: Context) -> Epilogue:
    scale, shift = scale_and_shift(layer.node, layer.norms, context.decode)
    return Epilogue(scale, shift, layer.residual is not None, layer.activation)


def _weighted(layer: Layer, packed: PackedLayer, context: Context, work: int) -> Step:
    residual = () if layer.residual is None else (layer.residual,)
    parts = context.team.threads if context.batch == 1 and work >= PARALLEL_WORK else 1
    room = -(-packed.scratch_elements // ALIGNMENT) * ALIGNMENT

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        added = inputs[1] if residual else None
        bound = [packed.bind(inputs[0], out, added, scratch[i * room :], (i, parts)) for i in range(parts)]
        busy = [calls for calls in bound if calls]
        return busy[0] if len(busy) == 1 else [(context.team.run, (busy,))]

    use = Use((*layer.inputs, *residual), layer.output, overwrites=residual, scratch=parts * room)
    return Step(layer.node.op, packed.kernel_name, use, bind, packed.weight_bytes, layer.node.params["weight"])


def _conv2d(layer: Layer, context: Context) -> Step:
    attrs = layer.node.attrs
    weight = float32(context.decode(layer.node.params["weight"]))
    (channels, height, width), out = context.shapes[layer.inputs[0]], context.shapes[layer.output]
    geometry = ConvGeometry(
        batch=context.batch,
        in_channels=channels,
        height=height,
        width=width,
        out_channels=out[0],
        kernel=(weight.shape[2], weight.shape[3]),
        stride=_pair(attrs["stride"]),
        padding=_pair(attrs["padding"]),
        dilation=_pair(attrs["dilation"]),
        groups=cast(int, attrs["groups"]),
        out_height=out[1],
        out_width=out[2],
    )
    work = weight.nnz * out[1] * out[2]
    return _weighted(layer, kernels.pack_conv(weight, geometry, _epilogue(layer, context)), context, work)


def _linear(layer: Layer, context: Context) -> Step:
    weight = float32(context.decode(layer.node.params["weight"]))
    geometry = LinearGeometry(context.batch, in_features=weight.shape[1], out_features=weight.shape[0])
    work = weight.nnz * LINEAR_WORK
    return _weighted(layer, kernels.pack_linear(weight, geometry, _epilogue(layer, context)), context, work)


def _pair(value: object) -> tuple[int, int]:
    return cast(tuple[int, int], value)


# Element by element


def _clamp(layer: Layer, context: Context) -> Step:
    low, high = elementwise.CLAMPS[layer.node.op]

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        return [(elementwise.clamp, (inputs[0].reshape(-1), out.reshape(-1), low, high))]

    return Step(layer.node.op, "clamp", Use(layer.inputs, layer.output, overwrites=layer.inputs), bind)


def _add(layer: Layer, context: Context) -> Step:
    low, high = elementwise.CLAMPS[layer.activation]

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        a, b = (x.reshape(-1) for x in inputs)
        return [(elementwise.add, (a, b, out.reshape(-1), low, high))]

    return Step("add", "add", Use(layer.inputs, layer.output, overwrites=layer.inputs), bind)


def _batch_norm(layer: Layer, context: Context) -> Step:
    low, high = elementwise.CLAMPS[layer.activation]
    scale, shift = scale_and_shift(None, [layer.node], context.decode)

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        x, y = (array.reshape(*array.shape[:2], -1) for array in (inputs[0], out))
        return [(elementwise.affine, (x, y, scale, shift, low, high))]

    return Step("batch_norm", "affine", Use(layer.inputs, layer.output, overwrites=layer.inputs), bind)


def _softmax(layer: Layer, context: Context) -> Step:
    axis, log = cast(int, layer.node.attrs["axis"]), bool(layer.node.attrs["log"])
    shape = context.shapes[layer.output]
    view = context.batch * prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        return [(elementwise.softmax, (inputs[0].reshape(view), out.reshape(view), log))]

    return Step("softmax", "softmax", Use(layer.inputs, layer.output), bind)


# Pooling


def _pool2d(layer: Layer, context: Context) -> Step:
    attrs, op = layer.node.attrs, layer.node.op
    if "output" in attrs:
        return _adaptive(layer, context)
    kernel, stride, padding = _pair(attrs["kernel"]), _pair(attrs["stride"]), _pair(attrs["padding"])
    return _windows(layer, context, op.startswith("max"), kernel, stride, padding)


def _windows(
    layer: Layer,
    context: Context,
    largest: bool,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Step:
    (_, height, width), (_, out_h, out_w) = context.shapes[layer.inputs[0]], context.shapes[layer.output]
    dilation = _pair(layer.node.attrs.get("dilation", (1, 1)))
    scratch_size = pool.scratch_elements(out_w, kernel[1], stride[1], dilation[1], width, padding[1])
    count_pad = bool(layer.node.attrs.get("count_include_pad", True))
    rows = pool.window_counts(height, out_h, kernel[0], stride[0], padding[0], count_pad)
    columns = pool.window_counts(width, out_w, kernel[1], stride[1], padding[1], count_pad)
    sizes = *kernel, *stride, *padding, *dilation

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        arrays = inputs[0].reshape(-1), out.reshape(-1), scratch[:scratch_size], rows, columns
        return [(pool.pool2d, (*arrays, height, width, largest, *sizes))]

    name = "max_pool2d" if largest else "avg_pool2d"
    return Step(layer.node.op, name, Use(layer.inputs, layer.output, scratch=scratch_size), bind)


def _adaptive(layer: Layer, context: Context) -> Step:
    """Adaptive pooling, as the simplest kernel that does the same."""
    largest = layer.node.op == "adaptive_max_pool2d"
    (_, height, width), (_, out_h, out_w) = context.shapes[layer.inputs[0]], context.shapes[layer.output]
    if (out_h, out_w) == (height, width):
        return _copy(layer, "view", Use(layer.inputs, layer.output, view=True))
    if (out_h, out_w) == (1, 1) and not largest:
        return _global_average(layer)
    if height % out_h == width % out_w == 0:
        size = height // out_h, width // out_w
        return _windows(layer, context, largest, size, size, (0, 0))

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        return [(pool.adaptive_pool2d, (pool.planes(inputs[0]), pool.planes(out), largest))]

    return Step(layer.node.op, "adaptive_pool2d", Use(layer.inputs, layer.output), bind)


def _global_average(layer: Layer) -> Step:
    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        x = inputs[0]
        planes = x.reshape(x.shape[0] * x.shape[1], -1)
        return [(pool.global_avg_pool, (planes, out.reshape(-1), scratch[: pool.LANES]))]

    return Step(layer.node.op, "global_avg_pool", Use(layer.inputs, layer.output, scratch=pool.LANES), bind)


# Moving data


def _transfers(pairs: list[tuple[F32, F32]]) -> list[Call]:
    """Copies (to, from), but for data that was made in its place."""
    return [(np.copyto, pair) for pair in pairs if pair[0].ctypes.data != pair[1].ctypes.data]


def _copy(layer: Layer, name: str, use: Use) -> Step:
    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        return _transfers([(out, inputs[0].reshape(out.shape))])

    return Step(layer.node.op, name, use, bind)


def _flatten(layer: Layer, context: Context) -> Step:
    return _copy(layer, "view", Use(layer.inputs, layer.output, view=True))


def _concat(layer: Layer, context: Context) -> Step:
    axis = cast(int, layer.node.attrs["axis"])
    sizes = [context.shapes[value][axis] for value in layer.inputs]
    one_run = context.batch * prod(context.shapes[layer.output][:axis]) == 1

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        targets = np.split(out, np.cumsum(sizes)[:-1], axis=axis + 1)
        return _transfers(list(zip(targets, inputs, strict=True)))

    return Step("concat", "concat", Use(layer.inputs, layer.output, joins=one_run), bind)


def _slice_pad(layer: Layer, context: Context) -> Step:
    """Slices, and a pad behind them if there is one: one strided copy into a frame of zeros."""
    pad = layer.node if layer.node.op == "pad" else None
    slices = [*layer.slices] if pad else [*layer.slices, layer.node]

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        source, target = inputs[0], out
        for node in slices:
            axis, start, stop, step = (cast(int, node.attrs[name]) for name in ("axis", "start", "stop", "step"))
            source = source[(slice(None),) * (axis + 1) + (slice(start, stop, step),)]
        if pad is None:
            return [(np.copyto, (target, source))]
        before = cast(tuple[int, ...], pad.attrs["before"])
        for axis, (start, size) in enumerate(zip(before, source.shape[1:], strict=True), 1):
            target = target[(slice(None),) * axis + (slice(start, start + size),)]
        return [(out.fill, (0.0,)), (np.copyto, (target, source))]

    return Step(layer.node.op, "strided_copy", Use(layer.inputs, layer.output), bind)


STEPS: Mapping[str, Callable[[Layer, Context], Step]] = {
    "conv2d": _conv2d,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "relu": _clamp,
    "relu6": _clamp,
    "max_pool2d": _pool2d,
    "avg_pool2d": _pool2d,
    "adaptive_avg_pool2d": _pool2d,
    "adaptive_max_pool2d": _pool2d,
    "add": _add,
    "concat": _concat,
    "flatten": _flatten,
    "softmax": _softmax,
    "slice": _slice_pad,
    "pad": _slice_pad,
}
