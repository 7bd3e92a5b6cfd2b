"""Steps of the pooling operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from ...kernels.contract import F32, Call
from ...kernels.pool import plain as pool
from ...kernels.pool.batch16 import Windows, pool_lanes
from ...kernels.pool.triples import fits_triples, max_pool_triples, vectors_of
from ...program import Bound
from ...simd import LANES
from ..fuse import Layer
from ..memory import Use
from ..step import Builder, Context, Step, pair, shared, view
from .lines import on_lines

PARALLEL_PIXELS = 1 << 18
"""Least number of input pixels, over all channels, of a layer that is shared among threads: some .08 ms."""


def pool2d(layer: Layer, context: Context) -> Step:
    """Pooling by windows, or adaptive pooling, by the simplest kernel that computes it."""
    attrs, op = layer.node.attrs, layer.node.op
    if "output" in attrs:
        return _adaptive(layer, context)
    kernel, stride, padding = pair(attrs["kernel"]), pair(attrs["stride"]), pair(attrs["padding"])
    return _windows(layer, context, op.startswith("max"), kernel, stride, padding)


def _windows(
    layer: Layer,
    context: Context,
    largest: bool,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int],
) -> Step:
    (channels, height, width), (_, out_h, out_w) = context.shapes[layer.inputs[0]], context.shapes[layer.output]
    dilation = pair(layer.node.attrs.get("dilation", (1, 1)))
    scratch_size = pool.scratch_elements(out_w, kernel[1], stride[1], dilation[1], width, padding[1])
    count_pad = bool(layer.node.attrs.get("count_include_pad", True))
    rows = pool.window_counts(height, out_h, kernel[0], stride[0], padding[0], count_pad)
    columns = pool.window_counts(width, out_w, kernel[1], stride[1], padding[1], count_pad)
    sizes = *kernel, *stride, *padding, *dilation
    name = "max_pool2d" if largest else "avg_pool2d"
    if context.lanes > 1:
        down = Windows.regular(height, kernel[0], stride[0], padding[0], dilation[0], rows)
        across = Windows.regular(width, kernel[1], stride[1], padding[1], dilation[1], columns)
        return _pool_lanes(layer, name, (height, width), down, across, largest)

    pairs = largest and sizes == (2, 2, 2, 2, 0, 0, 1, 1) and (height, width) == (2 * out_h, 2 * out_w)
    paired = pairs and pool.fits_pairs(width, context.samples * channels * height * width)
    tripled = largest and fits_triples(sizes, (height, width), (out_h, out_w))
    parts = context.team.threads if context.samples == 1 and channels * height * width >= PARALLEL_PIXELS else 1
    cuts = [*(channels * i // parts // LANES * LANES for i in range(parts)), context.samples * channels]

    def bind(inputs: list[F32], out: F32, scratch: F32) -> Sequence[Bound]:
        x, y = inputs[0].reshape(cuts[-1], -1), out.reshape(cuts[-1], -1)

        def part(first: int, last: int, line: F32) -> list[Call]:
            arrays = x[first:last].reshape(-1), y[first:last].reshape(-1)
            if paired:
                return [(pool.max_pool_pairs, (*arrays, width))]
            if tripled:
                return [(max_pool_triples, (vectors_of(out_w), *arrays, height, width, out_h, out_w))]
            return [(pool.pool2d, (*arrays, line, rows, columns, height, width, largest, *sizes))]

        lines = [scratch[i * scratch_size : (i + 1) * scratch_size] for i in range(parts)]
        bound = [part(*cut, line) for cut, line in zip(pairwise(cuts), lines, strict=True) if cut[0] < cut[1]]
        return shared(bound, part(0, cuts[-1], lines[0]))

    use = Use(layer.inputs, layer.output, scratch=0 if paired or tripled else parts * scratch_size)
    kernel_name = "max_pool_pairs" if paired else "max_pool_triples" if tripled else name
    return Step(layer.node.op, kernel_name, use, bind)


def _adaptive(layer: Layer, context: Context) -> Step:
    """Adaptive pooling, by the simplest kernel that computes it."""
    largest = layer.node.op.startswith("adaptive_max")
    (_, height, width), (_, out_h, out_w) = context.shapes[layer.inputs[0]], context.shapes[layer.output]
    if (out_h, out_w) == (height, width):
        return view(layer)
    if context.lanes > 1:
        down, across = Windows.adaptive(height, out_h), Windows.adaptive(width, out_w)
        return _pool_lanes(layer, "adaptive_pool2d", (height, width), down, across, largest)
    if (out_h, out_w) == (1, 1) and not largest:
        return _global_average(layer, context)
    if height % out_h == width % out_w == 0:
        size = height // out_h, width // out_w
        return _windows(layer, context, largest, size, size, (0, 0))

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        return [(pool.adaptive_pool2d, (pool.planes(inputs[0]), pool.planes(out), largest))]

    return Step(layer.node.op, "adaptive_pool2d", Use(layer.inputs, layer.output), bind)


def _pool_lanes(layer: Layer, name: str, size: tuple[int, int], down: Windows, across: Windows, largest: bool) -> Step:
    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        x, y = inputs[0].reshape(-1), out.reshape(-1)
        return [(pool_lanes, (x, y, *size, *down.arrays(), *across.arrays(), largest))]

    return Step(layer.node.op, name, Use(layer.inputs, layer.output), bind)


def _global_average(layer: Layer, context: Context) -> Step:
    margin, channels = context.margins.get(layer.inputs[0]), context.shapes[layer.output][0]
    added = None if margin is None else margin.mean(channels, context.decode)

    def bind(inputs: list[F32], out: F32, scratch: F32) -> list[Call]:
        flat = out.reshape(-1)
        average: Call = (pool.global_avg_pool, (inputs[0].reshape(-1), flat))
        if margin is None:
            return [average]
        return [average, (pool.add_margin, (flat, np.float32(margin.share), added))]

    return Step(layer.node.op, "global_avg_pool", Use(layer.inputs, layer.output), bind)


IMAGES = ("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d")
LINES = ("max_pool1d", "avg_pool1d", "adaptive_avg_pool1d", "adaptive_max_pool1d")
STEPS: Mapping[str, Builder] = {**dict.fromkeys(IMAGES, pool2d), **dict.fromkeys(LINES, on_lines(pool2d))}
