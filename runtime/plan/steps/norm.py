"""Steps of normalisations by an input's own statistics, and of reductions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import Any, cast

import numpy as np

from ....dcformat import Shape
from ...kernels.contract import F32, Call
from ...kernels.norm import groups as normalisation
from ...kernels.norm import reduce
from ...program import Bound
from ..fuse import Layer
from ..memory import ALIGNMENT, Use
from ..step import Builder, Context, Step, shared

PARALLEL_ELEMENTS = 1 << 18
"""Least number of elements of a layer that is shared among threads: some .08 ms."""


def trailing_norm(layer: Layer, context: Context) -> Step:
    """A normalisation over the last axes."""
    shape, trailing = context.shapes[layer.output], cast(int, layer.node.attrs["trailing"])
    size = prod(shape[len(shape) - trailing :])
    centred = layer.node.op == "layer_norm"
    return _normalisation(layer, context, prod(shape) // size, (size, 1), centred)


def group_norm(layer: Layer, context: Context) -> Step:
    """A normalisation over groups of channels."""
    (channels, *image), groups = context.shapes[layer.output], cast(int, layer.node.attrs["groups"])
    return _normalisation(layer, context, groups, (channels // groups, prod(image)), True)


def _normalisation(layer: Layer, context: Context, groups: int, group: tuple[int, int], centred: bool) -> Step:
    """The step, given a sample's number of groups; `group`: channels of one, and elements of a channel."""
    channels, inner = group
    weight, bias = (
        np.ascontiguousarray(context.decode(layer.node.params[role]).float32().dense()).reshape(-1)
        if role in layer.node.params
        else np.full(channels, missing, np.float32)
        for role, missing in (("weight", 1), ("bias", 0))
    )
    weight, bias = _same_period(weight, bias)
    kernel = normalisation.normalise if context.lanes == 1 else normalisation.normalise_lanes
    numbers = channels, inner, cast(float, layer.node.attrs["eps"]), centred
    total = context.samples * groups
    parts = context.parts(groups * channels * inner, PARALLEL_ELEMENTS)
    cuts = [total * i // parts for i in range(parts + 1)]

    def bind(inputs: list[F32], out: F32, scratch: F32) -> Sequence[Bound]:
        def part(first: int, last: int) -> list[Call]:
            return [(kernel, (inputs[0].reshape(-1), out.reshape(-1), weight, bias, *numbers, first, last))]

        return shared([part(*cut) for cut in pairwise(cuts) if cut[0] < cut[1]], part(0, total))

    use = Use(layer.inputs, layer.output, overwrites=layer.inputs)
    return Step(layer.node.op, kernel.__name__, use, bind)


def _same_period(weight: F32, bias: F32) -> tuple[F32, F32]:
    """Both as long as the longer, which one of ones or zeros for a single group is repeated to."""
    longer = max(len(weight), len(bias))
    return np.tile(weight, longer // len(weight)), np.tile(bias, longer // len(bias))


def reduction(layer: Layer, context: Context) -> Step:
    """A reduction: axis after axis from the last, where neighbours count as one."""
    axes = cast(tuple[int, ...], layer.node.attrs["axes"])
    views = list(_reduced(context.shapes[layer.inputs[0]], axes, context))
    sizes = [outer * inner for outer, _, inner in views[:-1]]
    room = [-(-size // ALIGNMENT) * ALIGNMENT for size in sizes]

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        calls, x, at = [], inputs[0].reshape(-1), 0
        for (_, n, inner), size, taken in zip(views, [*sizes, out.size], [*room, 0], strict=True):
            made = scratch[at : at + size] if taken else out.reshape(-1)
            kernel, numbers = _REDUCTIONS[layer.node.op]
            calls.append((kernel, (x, made, n, inner, *numbers(n))))
            x, at = made, at + taken
        return calls

    return Step(layer.node.op, layer.node.op, Use(layer.inputs, layer.output, scratch=sum(room)), bind)


def _reduced(shape: Shape, axes: Sequence[int], context: Context) -> Iterator[tuple[int, int, int]]:
    """(outer, n, inner) of each reduction of neighbouring axes, the last ones first."""
    end = len(axes)
    shape = (*shape, context.lanes)
    for i in range(end - 1, -1, -1):
        if i == 0 or axes[i - 1] + 1 != axes[i]:
            first, last = axes[i], axes[end - 1] + 1
            yield context.samples * prod(shape[:first]), prod(shape[first:last]), prod(shape[last:])
            shape = (*shape[:first], *(1,) * (last - first), *shape[last:])
            end = i


_REDUCTIONS: Mapping[str, tuple[Callable[..., Any], Callable[[int], tuple[float, ...]]]] = {
    "reduce_mean": (reduce.reduce_sum, lambda n: (1 / n,)),
    "reduce_sum": (reduce.reduce_sum, lambda n: (1.0,)),
    "reduce_max": (reduce.reduce_extreme, lambda n: (1.0,)),
    "reduce_min": (reduce.reduce_extreme, lambda n: (-1.0,)),
    "reduce_l2": (reduce.reduce_l2, lambda n: ()),
}
"""Kernel of each reduction, and its numbers for an axis of n elements."""

STEPS: Mapping[str, Builder] = {
    "layer_norm": trailing_norm,
    "rms_norm": trailing_norm,
    "group_norm": group_norm,
    **dict.fromkeys(_REDUCTIONS, reduction),
}
