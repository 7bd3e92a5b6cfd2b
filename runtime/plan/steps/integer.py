"""Steps of plans of integers: layers on planes of bytes, and layers in float32 between bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from math import prod
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ....dcformat import Range
from ....dcformat.graph.integer import IntegerLayer, ratio
from ....dcformat.graph.integer import quantize as to_integers
from ...kernels.contract import F32, Call, ConvGeometry, tag
from ...kernels.copy import copy
from ...kernels.integer.convert import dequantize, quantize
from ...kernels.integer.epilogue import IntegerEpilogue
from ...kernels.integer.linear import linear_bytes
from ...kernels.integer.planes import Bytes, Planes
from ...kernels.integer.pool import average_pool_bytes, max_pool_bytes, max_pool_rows
from ...kernels.integer.source import Source
from ...kernels.pool.plain import window_counts
from ...program import Bound
from .. import select_integer
from ..fold import scale_and_shift
from ..fuse import FREE, Layer
from ..integers import CONVOLUTIONS, WEIGHTED, Integers, attrs_of, image, residual_of
from ..memory import ALIGNMENT, Use
from ..step import Builder, Context, Step, pair, shared, transfers
from .byte_moves import move

PARALLEL_CYCLES = 1 << 18
"""Least number of cycles of a layer that is shared among threads: some .07 ms."""
PARALLEL_BYTES = 1 << 20
"""Least number of bytes that a pool reads and that is shared among threads."""
CHOOSING = ("max_pool2d", "max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool1d", "concat", "flatten", "reshape",
            "slice", "permute", "expand", "take", "pad")  # fmt: skip
"""Operators whose output elements are elements of the input."""


def conv(layer: Layer, context: Context) -> Step | None:
    """Convolution of bytes; None for one that has to be computed in float32."""
    integers = _integers(context)
    weight = context.decode(layer.node.params["weight"]).float32().dense()
    made = _integer_layer(layer, weight, context)
    if made is None:
        return None
    shape = weight.shape if weight.ndim == 4 else (*weight.shape[:2], 1, weight.shape[2])
    source = Source(
        _geometry(layer, shape, context),
        integers.planes(context.shapes[layer.inputs[0]]),
        integers.planes(context.shapes[layer.output]),
        integers.ranges[layer.inputs[0]].zero_point,
    )
    epilogue = _epilogue(layer, made, integers)
    choice = select_integer.choices(made.weights.reshape(shape), source, epilogue, context.target.bytes)[0]
    packed, floats = choice.pack(), layer.output not in integers.ranges
    parts = context.team.threads if context.samples == 1 and choice.cycles >= PARALLEL_CYCLES else 1
    rooms = _Rooms()
    phases, staged = rooms.add(source.scratch), rooms.add(4 * context.batch * source.made.size if floats else 0)
    own = [rooms.add(packed.scratch_bytes) for _ in range(parts)]

    def bind(inputs: list[Any], out: Any, scratch: F32) -> Sequence[Bound]:
        room = scratch.view(np.uint8)
        x, before = source.prepare(inputs[0], room[phases])
        target: Any = room[staged].view(np.float32) if floats else out
        added = inputs[-1]
        bound = [packed.bind(x, target, added, room[own[i]], (i, parts)) for i in range(parts)]
        calls = [*before, *shared(bound, packed.bind(x, target, added, room[own[0]]))]
        if floats:
            pixels: Any = source.made.view(target)
            calls.append(copy(out.reshape(*pixels.shape, 1), pixels[..., None]))
        return calls

    use = Use((*layer.inputs, *residual_of(layer)), layer.output, scratch=rooms.elements)
    return Step(layer.node.op, packed.kernel_name, use, bind, packed.weight_bytes, layer.node.params["weight"])


def linear(layer: Layer, context: Context) -> Step | None:
    """Fully connected layer of bytes; None for one that has to be computed in float32."""
    integers = _integers(context)
    made = _integer_layer(layer, context.decode(layer.node.params["weight"]).float32().dense(), context)
    if made is None:
        return None
    outputs = len(made.weights)
    rows, columns = np.nonzero(made.weights)
    indptr = np.searchsorted(rows, np.arange(outputs + 1)).astype(np.int64)
    stream = indptr, columns.astype(np.int32), made.weights[rows, columns]
    epilogue, floats = _epilogue(layer, made, integers), layer.output not in integers.ranges
    given, to = (integers.planes(context.shapes[value]) for value in (layer.inputs[0], layer.output))
    target = Planes(*image(context.shapes[layer.output]), 0, 0) if floats else to
    pitches = target.height * target.pitch if floats else target.plane
    sizes = (
        *(context.batch * given.channels, given.height, given.plane, given.start, given.pitch),
        *(pitches, target.start, target.pitch, to.plane, to.start, to.pitch),
    )

    def bind(inputs: list[Any], out: Any, scratch: F32) -> Sequence[Bound]:
        whole = np.array([*sizes, 0, outputs], np.int64)
        more = made.offset, epilogue.array(), int(epilogue.residual), epilogue.zero, whole
        return [(linear_bytes, (inputs[0], out.reshape(-1), inputs[-1], *stream, *more))]

    use = Use((*layer.inputs, *residual_of(layer)), layer.output)
    bytes_ = sum(array.nbytes for array in stream)
    return Step("linear", "linear_bytes", use, bind, bytes_, layer.node.params["weight"])


def max_pool(layer: Layer, context: Context) -> Step | None:
    """Maximum of bytes, where input and output have one range."""
    integers = _integers(context)
    if not _one_range(layer, integers):
        return None
    attrs = attrs_of(layer.node)
    given, made = (integers.planes(context.shapes[value]) for value in (layer.inputs[0], layer.output))
    down, across = zip(*(pair(attrs[name]) for name in ("kernel", "stride", "padding", "dilation")), strict=True)
    lines = (max_pool_rows(given.height, made.height, *down) * given.pitch).ravel()
    forms = [n for form in (given, made) for n in (form.height, form.width, form.plane, form.start, form.pitch)]
    channels, tags = given.channels, (tag(across[1] if across[1] in (1, 2, 4) else 1), tag(down[0]), tag(across[0]))
    parts = context.team.threads if context.samples == 1 and given.size >= PARALLEL_BYTES else 1
    cuts = [*(channels * i // parts for i in range(parts)), context.batch * channels]
    zero = integers.ranges[layer.output].zero_point

    def bind(inputs: list[Any], out: Any, scratch: F32) -> Sequence[Bound]:
        def part(first: int, last: int) -> list[Call]:
            sizes = np.array([last - first, *forms, *across[1:]], np.int64)
            arrays = inputs[0][first * given.plane : last * given.plane], out[first * made.plane : last * made.plane]
            return [(max_pool_bytes, (*tags, *arrays, zero, lines, sizes))]

        return shared([part(*cut) for cut in pairwise(cuts) if cut[0] < cut[1]], part(0, cuts[-1]))

    return Step(layer.node.op, "max_pool_bytes", Use(layer.inputs, layer.output), bind)


def average_pool(layer: Layer, context: Context) -> Step | None:
    """Average of bytes."""
    integers = _integers(context)
    if layer.inputs[0] not in integers.ranges:
        return None
    given, made = (image(context.shapes[value]) for value in (layer.inputs[0], layer.output))
    rows, columns = (_average_windows(layer, axis, given[1 + axis], made[1 + axis]) for axis in range(2))
    form, source = integers.planes(context.shapes[layer.inputs[0]]), integers.ranges[layer.inputs[0]]
    target = integers.ranges.get(layer.output)
    counts = rows[1][:, None].astype(np.float64) * columns[1]
    factors = (source.scale / (counts if target is None else counts * target.scale)).astype(np.float32).ravel()
    sizes = np.array([context.batch * form.channels, form.plane, form.start, form.pitch], np.int64)
    rooms = _Rooms()
    staged = rooms.add(0 if target is None else 4 * context.batch * prod(made))

    def bind(inputs: list[Any], out: Any, scratch: F32) -> list[Call]:
        means = out.reshape(-1) if target is None else scratch.view(np.uint8)[staged].view(np.float32)
        arrays = inputs[0], means, factors
        calls: list[Call] = [(average_pool_bytes, (*arrays, source.zero_point, rows[0], columns[0], sizes))]
        if target is not None:
            calls.append(_to_bytes(means, out, np.float32(1), target.zero_point, context, layer.output))
        return calls

    return Step(layer.node.op, "average_pool_bytes", Use(layer.inputs, layer.output, scratch=rooms.elements), bind)


def concat(layer: Layer, context: Context) -> Step | None:
    """Concatenation of channels of bytes of one range."""
    shape = context.shapes[layer.output]
    if not _one_range(layer, _integers(context)) or layer.node.attrs["axis"] != 0 or len(shape) not in (2, 3):
        return None
    forms = [_integers(context).planes(context.shapes[value]) for value in layer.inputs]
    whole = _integers(context).planes(shape)

    def bind(inputs: list[Any], out: Any, scratch: F32) -> list[Call]:
        copies = []
        for sample in range(context.batch):
            at = sample * whole.size
            for x, form in zip(inputs, forms, strict=True):
                copies.append((out[at : at + form.size].view(np.float32), _sample(x, form, sample).view(np.float32)))
                at += form.size
        return transfers([(target[None, :, None], source[None, :, None]) for target, source in copies])

    return Step("concat", "concat", Use(layer.inputs, layer.output, joins=context.batch == 1), bind)


def to_bytes(layer: Layer, context: Context) -> Step:
    """Numbers to the bytes of a range."""
    found = _integers(context).ranges[layer.output]

    def bind(inputs: list[Any], out: Any, scratch: F32) -> list[Call]:
        scale = np.float32(1) / np.float32(found.scale)
        return [_to_bytes(inputs[0].reshape(-1), out, scale, found.zero_point, context, layer.output)]

    return Step("quantize", "quantize", Use(layer.inputs, layer.output), bind)


def to_floats(layer: Layer, context: Context) -> Step:
    """The numbers that the bytes of a range stand for."""
    found = _integers(context).ranges[layer.inputs[0]]

    def bind(inputs: list[Any], out: Any, scratch: F32) -> list[Call]:
        return [
            _to_floats(inputs[0], out.reshape(-1), np.float32(found.scale), found.zero_point, context, layer.inputs[0])
        ]

    return Step("dequantize", "dequantize", Use(layer.inputs, layer.output), bind)


BYTES: Mapping[str, Callable[[Layer, Context], Step | None]] = {
    **dict.fromkeys(CONVOLUTIONS, conv),
    "linear": linear,
    "max_pool2d": max_pool,
    "max_pool1d": max_pool,
    **dict.fromkeys(("avg_pool2d", "avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool1d"), average_pool),
    "concat": concat,
    **dict.fromkeys(("slice", "pad"), move),
    "quantize": to_bytes,
    "dequantize": to_floats,
}
"""A builder for each operator that has a kernel on bytes; it gives None for layers that the kernel does not take."""


def build(layer: Layer, context: Context, in_floats: Mapping[str, Builder]) -> Step:
    """The step of a layer in a plan of integers: on bytes, or else in float32 between bytes.

    Parameters
    ----------
    layer : Layer
    context : Context
    in_floats : mapping of str to Builder
        Builders in float32, for each operator.
    """
    alone = layer if layer.pooled is None else replace(layer, output=layer.pooled, pool=None, pooled=None)
    take = BYTES.get(layer.node.op)
    weighted = layer.node.op in WEIGHTED
    step = take(alone, context) if take and (not weighted or _integers(context).is_integer(layer)) else None
    return step or _between(layer, in_floats[layer.node.op](layer, context), context)


def _between(layer: Layer, step: Step, context: Context) -> Step:
    """A step in float32 whose inputs or output are bytes, with what converts them."""
    ranges, made = _integers(context).ranges, step.use.makes
    target = ranges.get(made)
    taken = [value for value in dict.fromkeys(step.use.reads) if value in ranges]
    if target is None and not taken:
        return step
    choosing = layer.node.op in CHOOSING and all(_integers(context).origins[id(node)] in ranges for node in layer.moves)
    chosen = target is not None and choosing and len(taken) == len(set(step.use.reads))
    rooms = _Rooms()
    in_place = step.use.view and step.use.offset == 0 and target is None
    places = {value: rooms.add(0 if in_place else 4 * context.batch * prod(context.shapes[value])) for value in taken}
    answer = rooms.add(0 if target is None else 4 * context.batch * prod(context.shapes[made]))
    own = rooms.elements

    def bind(inputs: list[Any], out: Any, scratch: F32) -> Sequence[Bound]:
        room, before, floats = scratch.view(np.uint8), [], {}
        result = out if target is None else _floats(room[answer], made, context)
        for value, x in zip(step.use.reads, inputs, strict=True):
            if value in places and value not in floats:
                shape = context.batch, *context.shapes[value], 1
                floats[value] = out.reshape(shape) if in_place else _floats(room[places[value]], value, context)
                scale = ratio(ranges[value], target) if chosen and target else np.float32(ranges[value].scale)
                flat = floats[value].reshape(-1)
                before.append(_to_floats(x, flat, scale, ranges[value].zero_point, context, value))
        given = [floats.get(value, x) for value, x in zip(step.use.reads, inputs, strict=True)]
        calls = [*before, *step.bind(given, result, scratch[own:])]
        if target is not None:
            scale = np.float32(1) if chosen else np.float32(1) / np.float32(target.scale)
            calls.append(_to_bytes(result.reshape(-1), out, scale, target.zero_point, context, made))
        return calls

    use = Use(step.use.reads, made, scratch=own + step.use.scratch)
    return replace(step, use=use, bind=bind)


class _Rooms:
    """Cuts scratch memory into pieces of whole cache lines."""

    def __init__(self) -> None:
        self.elements = 0

    def add(self, size: int) -> slice:
        """A piece of some bytes."""
        first = 4 * self.elements
        self.elements += -(-size // (4 * ALIGNMENT)) * ALIGNMENT
        return slice(first, first + size)


def _integers(context: Context) -> Integers:
    assert context.integers is not None
    return context.integers


def _one_range(layer: Layer, integers: Integers) -> bool:
    """Whether all inputs and the output are bytes of one range."""
    ranges = integers.ranges
    return layer.output in ranges and all(ranges.get(value) == ranges[layer.output] for value in layer.inputs)


def _sample(x: Bytes, form: Planes, sample: int) -> Bytes:
    return x[sample * form.size : (sample + 1) * form.size]


def _floats(room: Bytes, value: int, context: Context) -> F32:
    return room.view(np.float32).reshape(context.batch, *context.shapes[value], 1)


def _sizes(context: Context, value: int) -> NDArray[np.int64]:
    form = _integers(context).planes(context.shapes[value])
    sizes = context.batch * form.channels, form.height, form.width, form.plane, form.start, form.pitch
    return np.array(sizes, np.int64)


def _to_bytes(x: F32, out: Bytes, scale: Any, zero: int, context: Context, value: int) -> Call:
    return quantize, (x, out, scale, zero, _sizes(context, value))


def _to_floats(x: Bytes, out: F32, scale: Any, zero: int, context: Context, value: int) -> Call:
    return dequantize, (x, out, scale, zero, _sizes(context, value))


def _integer_layer(layer: Layer, weight: F32, context: Context) -> IntegerLayer | None:
    """The integers of a layer."""
    integers, node = _integers(context), layer.node
    scales = integers.quantization.weights[node.params["weight"]]
    correction = integers.quantization.corrections.get(integers.origins[id(node)])
    given, made = integers.ranges[layer.inputs[0]], integers.ranges.get(layer.output)
    epilogue = scale_and_shift(node, layer.norms, context.decode, len(weight))
    return IntegerLayer.of(weight, scales, epilogue, correction, given, made)


def _epilogue(layer: Layer, made: IntegerLayer, integers: Integers) -> IntegerEpilogue:
    target, added = integers.ranges.get(layer.output), residual_of(layer)
    rest: dict[str, Any] = {}
    if added:
        found = integers.ranges[added[0]]
        factor = np.float32(found.scale) if target is None else ratio(found, target)
        rest = {"residual": True, "residual_zero": found.zero_point, "residual_factor": float(factor)}
    if target is None:
        return IntegerEpilogue(made.offset, made.factor, 0, *layer.limits, **rest)
    low, high = quantized_limits(layer.limits, target)
    return IntegerEpilogue(made.offset, made.factor, target.zero_point, low, high, **rest)


def quantized_limits(limits: tuple[float, float], target: Range) -> tuple[int, int]:
    """The limits of an activation as the integers of a range."""
    if limits == FREE:
        return 0, 255
    low, high = to_integers(np.array(limits, np.float32), target).tolist()
    return low, high


def _geometry(layer: Layer, shape: tuple[int, ...], context: Context) -> ConvGeometry:
    attrs = attrs_of(layer.node)
    (channels, height, width), (outputs, out_height, out_width) = (
        image(context.shapes[value]) for value in (layer.inputs[0], layer.output)
    )
    return ConvGeometry(
        *(context.batch, channels, height, width, outputs, (shape[2], shape[3]), pair(attrs["stride"])),
        *(pair(attrs["padding"]), pair(attrs["dilation"]), cast(int, attrs["groups"]), out_height, out_width),
    )


def _average_windows(layer: Layer, axis: int, size: int, out: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last of each window along an axis, within the image, and what its sum is divided by."""
    attrs = attrs_of(layer.node)
    if "output" in attrs:
        first = np.arange(out) * size // out
        last = -(-(np.arange(out) + 1) * size // out)
        return np.stack([first, last], axis=1), last - first
    kernel, stride, padding = (pair(attrs[name])[axis] for name in ("kernel", "stride", "padding"))
    start = np.arange(out) * stride - padding
    inside = np.clip(np.stack([start, start + kernel], axis=1), 0, size)
    counts = window_counts(size, out, kernel, stride, padding, bool(attrs["count_include_pad"]))
    return inside, counts.astype(np.int64)
