"""Steps of products of two values, and of attention."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import cast

import numpy as np

from ....dcformat import Shape
from ...kernels.contract import F32, I64, Call
from ...kernels.matmul import attention as attending
from ...kernels.matmul import product
from ...program import Bound
from ...simd import LANES
from ..fuse import Layer
from ..memory import ALIGNMENT, Use
from ..step import Builder, Context, Step, shared

PARALLEL_WORK = 1 << 22
"""Least number of multiply-adds of a layer that is shared among threads: some .1 ms."""


def matmul(layer: Layer, context: Context) -> Step:
    """A product of two values."""
    a, b = (context.shapes[value] for value in layer.inputs)
    sizes = a[-2], a[-1], b[-1]
    pairs = _matrices([a, b], context.shapes[layer.output][:-2], context.samples)
    parts = min(len(pairs), context.parts(len(pairs) * prod(sizes), PARALLEL_WORK))
    room = -(-product.scratch_elements(*sizes) // ALIGNMENT) * ALIGNMENT
    cuts = [len(pairs) * i // parts for i in range(parts + 1)]

    def bind(inputs: list[F32], out: F32, scratch: F32) -> Sequence[Bound]:
        arrays = [array.reshape(-1) for array in (*inputs, out)]

        def part(i: int, first: int, last: int) -> list[Call]:
            return [(product.matmul, (*arrays, scratch[i * room : (i + 1) * room], pairs, *sizes, first, last))]

        return shared([part(i, *cut) for i, cut in enumerate(pairwise(cuts))], part(0, 0, len(pairs)))

    return Step("matmul", "matmul", Use(layer.inputs, layer.output, scratch=parts * room), bind)


def attention(layer: Layer, context: Context) -> Step:
    """Scaled dot-product attention."""
    q, k, v, *mask = shapes = [context.shapes[value] for value in layer.inputs]
    heads = _matrices([*shapes, *([(1, 1)] if not mask else [])], context.shapes[layer.output][:-2], context.samples)
    sizes = q[-2], k[-2], q[-1], v[-1]
    numbers = cast(float, layer.node.attrs["scale"]), bool(layer.node.attrs["causal"])
    blocks = len(heads) * -(-q[-2] // LANES)
    parts = min(blocks, context.parts(len(heads) * q[-2] * k[-2] * (q[-1] + v[-1]), PARALLEL_WORK))
    room = -(-attending.scratch_elements(*sizes[1:]) // ALIGNMENT) * ALIGNMENT
    cuts = [blocks * i // parts for i in range(parts + 1)]

    def bind(inputs: list[F32], out: F32, scratch: F32) -> Sequence[Bound]:
        bias = inputs[3] if mask else scratch[:0]
        arrays = [array.reshape(-1) for array in (*inputs[:3], bias, out)]

        def part(i: int, first: int, last: int) -> list[Call]:
            own = scratch[i * room : (i + 1) * room]
            return [(attending.attention, (*arrays, own, heads, *sizes, *numbers, first, last))]

        return shared([part(i, *cut) for i, cut in enumerate(pairwise(cuts))], part(0, 0, blocks))

    return Step("attention", "attention", Use(layer.inputs, layer.output, scratch=parts * room), bind)


def _matrices(shapes: Sequence[Shape], leading: Shape, samples: int) -> I64:
    """Which matrix of each input a product is of: shape (samples * products, inputs)."""
    columns = []
    for shape in shapes:
        own = shape[:-2]
        numbers = np.arange(samples * prod(own)).reshape(samples, *(1,) * (len(leading) - len(own)), *own)
        columns.append(np.broadcast_to(numbers, (samples, *leading)).reshape(-1))
    return np.stack(columns, axis=1).astype(np.int64)


STEPS: Mapping[str, Builder] = {"matmul": matmul, "attention": attention}
"""None of them takes interleaved samples."""
