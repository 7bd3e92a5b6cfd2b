"""From a graph to a plan: layers bound to kernels, weights packed for them, memory laid out, for one batch size.

`STEPS` holds one builder an op. To add an op, write a builder that turns a layer into a `Step`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import repeat
from math import prod
from typing import cast

import numpy as np

from ...dcformat import FormatError, Graph, Shape
from ..execute.threads import Team
from ..kernels import elementwise
from ..kernels.contract import F32, Call, ConvGeometry, Epilogue, LinearGeometry, PackedLayer
from ..kernels.copy import copy
from . import select, select_batch16
from .fold import Decode, float32, scale_and_shift
from .fuse import Layer, fuse
from .memory import ALIGNMENT, Layout, Use, lay_out
from .step import Context, Step, pair, shared, transfers, view
from .steps.pool import pool2d
from .tuning import Tuning

MAX_ARENA = 1 << 30
"""Float32 elements a sample: 4 GiB, twice what a container's values may take at a time. Scratch comes on top of those,
and places of concatenations that wait for their parts."""


@dataclass(frozen=True)
class Plan:
    """A graph bound to kernels and buffers for one batch size; shared by all executors.

    Attributes
    ----------
    batch : int
        Samples a run.
    lanes : int
        How many of them lie side by side in memory: 1 or 16.
    shapes : list of tuple of int
        Shape of each value of the graph, without the batch axis.
    output : int
        The value to answer with.
    steps : list of Step
    layout : Layout
        Where each value lies in the arena.
    """

    batch: int
    lanes: int
    shapes: list[Shape]
    output: int
    steps: list[Step]
    layout: Layout


def plan(
    graph: Graph,
    shapes: list[Shape],
    decode: Decode,
    batch: int,
    team: Team | None = None,
    packers: int = 1,
    lanes: int = 1,
    elements: Mapping[str, int] | None = None,
    tuning: Tuning | None = None,
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
        Threads that will run the large layers of a single sample, or of samples side by side; the answers do not depend
        on it.
    packers : int
        Threads that decode and pack layers; the plan does not depend on it.
    lanes : int
        Samples that lie side by side: 1, or 16 for a batch of 16. Rounding differs between the two.
    elements : mapping of str to int, optional
        Of each tensor, by name, so that several packers can begin with the largest.
    tuning : Tuning, optional
        Picks kernels by trial; without it estimates decide.

    Returns
    -------
    Plan

    Raises
    ------
    FormatError
        A sample takes more than `MAX_ARENA` of memory.
    """
    context = Context(batch, lanes, shapes, decode, team or Team(1), tuning)
    layers = fuse(graph)
    steps = _pack(layers, context, packers, elements or {})
    uses = [step.use for step in steps]
    values = {0, graph.output, *(value for use in uses for value in (*use.reads, use.makes))}
    sizes = {value: batch * prod(shapes[value]) for value in values}
    layout = lay_out(sizes, uses, 0, graph.output)
    if layout.elements > batch * MAX_ARENA:
        found = f"{layout.elements / batch:.0f} elements"
        raise FormatError("the network's values take too much memory", expected=f"at most {MAX_ARENA}", found=found)
    return Plan(batch, lanes, shapes, graph.output, steps, layout)


def _pack(layers: list[Layer], context: Context, packers: int, elements: Mapping[str, int]) -> list[Step]:
    """Make the steps. Several threads begin with the largest: begun last, it would keep the others waiting."""
    if packers == 1:
        return [step for layer in layers for step in _steps(layer, context)]

    def size(layer: Layer) -> int:
        return sum(elements.get(name, 0) for name in layer.node.params.values())

    order = sorted(layers, key=size, reverse=True)
    with ThreadPoolExecutor(packers) as pool:  # the kernels that decode and pack release the GIL
        made = dict(zip(map(id, order), pool.map(_steps, order, repeat(context)), strict=True))
    return [step for layer in layers for step in made[id(layer)]]


def _steps(layer: Layer, context: Context) -> list[Step]:
    step = STEPS[layer.node.op](layer, context)
    if layer.pool is None or layer.pooled is None or step.use.makes == layer.output:
        return [step]
    return [step, pool2d(Layer(layer.pool, (layer.pooled,), layer.output), context)]


# Convolution and linear layers

PARALLEL_WORK = 1 << 22
"""Multiply-adds, some .18 ms, from which on a layer is worth helpers: 15 us if they wait, 100 if they sleep."""
LINEAR_WORK = 4
"""Multiply-adds in whose time a fully connected layer takes a weight."""


def _epilogue(layer: Layer, context: Context) -> Epilogue:
    scale, shift = scale_and_shift(layer.node, layer.norms, context.decode)
    return Epilogue(scale, shift, layer.residual is not None, layer.activation, layer.pool is not None)


def _weighted(layer: Layer, packed: PackedLayer, context: Context, work: int) -> Step:
    residual = () if layer.residual is None else (layer.residual,)
    alone = context.samples == 1 and work * context.lanes >= PARALLEL_WORK
    parts = context.team.threads if alone else 1
    room = -(-packed.scratch_elements // ALIGNMENT) * ALIGNMENT

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        added = inputs[1] if residual else None
        bound = [packed.bind(inputs[0], out, added, scratch[i * room :], (i, parts)) for i in range(parts)]
        return shared(context.team, bound, packed.bind(inputs[0], out, added, scratch))

    use = Use((*layer.inputs, *residual), layer.output, overwrites=residual, scratch=parts * room)
    return Step(layer.node.op, packed.kernel_name, use, bind, packed.weight_bytes, layer.node.params["weight"])


def _conv2d(layer: Layer, context: Context) -> Step:
    attrs = layer.node.attrs
    weight = float32(context.decode(layer.node.params["weight"]))
    made = layer.output if layer.pooled is None else layer.pooled
    (channels, height, width), out = context.shapes[layer.inputs[0]], context.shapes[made]
    geometry = ConvGeometry(
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
    )
    work = weight.nnz * out[1] * out[2]
    epilogue = _epilogue(layer, context)
    list_choices = select.conv_choices if context.lanes == 1 else select_batch16.conv_choices
    choices = list_choices(weight, geometry, epilogue)
    if context.lanes == 1 and layer.pooled is not None:
        bare = replace(epilogue, pool=False)
        others = list_choices(weight, geometry, bare)
        if not select.pool_pays(geometry, choices, others):
            layer, epilogue, choices = replace(layer, output=layer.pooled, pool=None, pooled=None), bare, others
    if context.tuning is None:
        packed = choices[0].pack()
    else:
        packed = context.tuning.pick(choices, weight, geometry, epilogue, context.lanes)
    return _weighted(layer, packed, context, work)


def _linear(layer: Layer, context: Context) -> Step:
    weight = float32(context.decode(layer.node.params["weight"]))
    geometry = LinearGeometry(context.batch, in_features=weight.shape[1], out_features=weight.shape[0])
    work = weight.nnz * LINEAR_WORK
    list_choices = select.linear_choices if context.lanes == 1 else select_batch16.linear_choices
    packed = list_choices(weight, geometry, _epilogue(layer, context))[0].pack()
    return _weighted(layer, packed, context, work)


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
    view = context.samples * prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :]) * context.lanes

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        return [(elementwise.softmax, (inputs[0].reshape(view), out.reshape(view), log))]

    return Step("softmax", "softmax", Use(layer.inputs, layer.output), bind)


# Moving data


def _flatten(layer: Layer, context: Context) -> Step:
    return view(layer)


def _concat(layer: Layer, context: Context) -> Step:
    axis = cast(int, layer.node.attrs["axis"])
    sizes = [context.shapes[value][axis] for value in layer.inputs]
    one_run = context.samples * prod(context.shapes[layer.output][:axis]) == 1

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        targets = np.split(out, np.cumsum(sizes)[:-1], axis=axis + 1)
        return transfers(list(zip(targets, inputs, strict=True)))

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
            return [copy(target, source)]
        before, sizes = cast(tuple[int, ...], pad.attrs["before"]), source.shape[1:-1]
        for axis, (start, size) in enumerate(zip(before, sizes, strict=True), 1):
            target = target[(slice(None),) * axis + (slice(start, start + size),)]
        frame = [out[:, : before[0]], out[:, before[0] + sizes[0] :]]  # each in one piece
        if out.shape[2:] != source.shape[2:]:
            frame.append(out[:, before[0] : before[0] + sizes[0]])
        return [*((edge.fill, (0.0,)) for edge in frame if edge.size), copy(target, source)]

    return Step(layer.node.op, "strided_copy", Use(layer.inputs, layer.output), bind)


STEPS: Mapping[str, Callable[[Layer, Context], Step]] = {
    "conv2d": _conv2d,
    "linear": _linear,
    "batch_norm": _batch_norm,
    "relu": _clamp,
    "relu6": _clamp,
    "max_pool2d": pool2d,
    "avg_pool2d": pool2d,
    "adaptive_avg_pool2d": pool2d,
    "adaptive_max_pool2d": pool2d,
    "add": _add,
    "concat": _concat,
    "flatten": _flatten,
    "softmax": _softmax,
    "slice": _slice_pad,
    "pad": _slice_pad,
}
