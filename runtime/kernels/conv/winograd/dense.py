"""Convolution by Winograd's algorithm (`simd.winograd_points`), for layers with too few zeros to skip them.

A kernel of r x r taps at stride 1 takes tiles of m x m outputs. At stride s the input comes apart into s * s *phases*,
images of every s-th row and column, each with a kernel of its own at stride 1: more channels, fewer taps. The
transforms are a small part. The work is a product of matrices for each of the n * n points, summed over channels; a
vector holds one value of each of 16 tiles, row by row of tiles. (`conv_winograd_lanes` is for 16 samples side by side.)

Registers hold the sums of a *run* of output channels times a *block* of vectors. The order of sums does not depend on
how the work is divided.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .....core import memory
from .....dcformat.tensors import Tensor
from .... import simd
from ....jit import inlined, kernel
from ....simd import LANES
from ...contract import F32, I64, WHOLE, Call, Epilogue, Share, tag
from ...descriptor import Conv, Winograd
from ...epilogue import epilogue_array, limits, scale_shift
from ...weights import DenseWeights
from ..blocks import FAR, divide_work
from .tiles import SPACE, WinogradTiling, own_channels, part_of, prefetch_outputs, store_tiles, transform_inputs

AHEAD = 2048
"""Weights from one that is multiplied to one that is prefetched: 8 KiB."""


@kernel
def multiply(
    sums_tag: Any, rows: Any, points: int, units: int, weights: F32, position: int, scratch: F32, d: I64
) -> None:
    """Sum products over channels: for each point a run of output channels times a block of vectors.

    Parameters
    ----------
    sums_tag, rows : Tag
        As long as the run has channels times the block has vectors, and as it has channels.
    points, units : int
        Points, n * n, and channels to be summed.
    weights : ndarray of float32
        From `position` on: by point, channel, output channel of the run.
    """
    columns = len(sums_tag) // len(rows)
    for point in range(points):
        sums = simd.zeros(sums_tag)
        place = d[Winograd.INPUTS] + point * (units * columns * LANES + SPACE)
        for _ in range(units):
            sums = simd.fma_rows(sums, rows, weights, weights, position, scratch, place)
            simd.prefetch_l2(weights, position + AHEAD)
            position += len(rows)
            place += columns * LANES
        simd.store(scratch, d[Conv.SUMS] + point * (len(sums_tag) * LANES + SPACE), sums)


@inlined
def sum_run(
    points: Any, rows: Any, sums_tag: Any, columns: int, group: int, channel: int, weights: F32, scratch: F32, d: I64
) -> None:
    """Sum products for `columns` vectors and the run of output channels of a group that begins at `channel`."""
    run, outputs, stride = len(rows), d[Winograd.GROUP_OUTPUTS], d[Winograd.STRIDE]
    size, units = len(points) ** 2, d[Winograd.GROUP_INPUTS] * stride * stride
    position = (group * ((outputs + run - 1) // run) + (channel - group * outputs) // run) * size * units * run
    if columns == 1:
        multiply(rows, rows, size, units, weights, position, scratch, d)
    else:
        multiply(sums_tag, rows, size, units, weights, position, scratch, d)


@kernel
def transform_outputs(
    points: Any, edge: Any, out: F32, channel: int, tile: int, at: int, hop: int, columns: int, scratch: F32,
    scale: float, shift: float, limits: Any, d: I64,
) -> None:  # fmt: skip
    """Transform the sums of one output channel, apply the epilogue, and store the outputs.

    Parameters
    ----------
    points, edge : Tag
        As long as there are points n, and outputs m along the edge of a tile.
    out : ndarray of float32, flat
    channel : int
        Output channel, counted through all samples.
    tile : int
        First tile of the block.
    at, hop : int
        Where the sums of the first point lie in scratch, and how far it is from a point to the next.
    columns : int
        Vectors of the block.
    """
    far = d[Conv.OUT_CHANNELS] * d[Conv.OUT_HEIGHT] * d[Conv.OUT_WIDTH] > FAR
    for p in range(columns):
        if far:
            prefetch_outputs(edge, out, channel + 1, tile + p * d[Winograd.PACK], d)
        value = simd.winograd_outputs(edge, points, scratch, at + p * LANES, hop)
        store_tiles(edge, value, out, channel, tile + p * d[Winograd.PACK], scratch, scale, shift, limits, d)


@kernel
def conv_winograd(
    points: Any, edge: Any, step: Any, rest: Any, rows: Any, sums_tag: Any, x: F32, out: F32, scratch: F32,
    weights: F32, epilogue: F32, d: I64,
) -> None:  # fmt: skip
    """Convolve a batch.

    Parameters
    ----------
    points, edge, step, rest : Tag
        See `transform_inputs`.
    rows, sums_tag : Tag
        As long as a run has output channels, and as that times the vectors of a block.
    x, out : ndarray of float32, flat
    scratch : ndarray of float32, flat
        A patch of the input, transformed inputs, sums, and outputs of a vector of tiles.
    weights : ndarray of float32
        Transformed: by group, run of output channels, point, channel, output channel of the run.
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    d : ndarray of int64
        The descriptor.
    """
    run, groups, inputs, pack = len(rows), d[Winograd.GROUPS], d[Winograd.GROUP_INPUTS], d[Winograd.PACK]
    bounds = limits(epilogue)
    # Lanes without a tile are computed too; zeros are at least numbers.
    for k in range(len(points) ** 2 * d[Winograd.STRIDE]):
        simd.store(scratch, d[Winograd.PATCH] + k * LANES, simd.zeros((0,)))
    vectors = (d[Winograd.TILES] + pack - 1) // pack
    for number in range(d[Conv.SAMPLES] * (d[Conv.LAST] - d[Conv.FIRST]) * groups):
        place, group = number // groups, number % groups
        sample = place // (d[Conv.LAST] - d[Conv.FIRST])
        vector = (d[Conv.FIRST] + place % (d[Conv.LAST] - d[Conv.FIRST])) * (len(sums_tag) // run)
        columns = len(sums_tag) // run if vectors - vector > 1 else 1
        begin, end = own_channels(group, d)
        if begin < end:
            first, to = (sample * groups + group) * inputs, d[Winograd.INPUTS]
            transform_inputs(points, edge, step, rest, columns, x, first, vector * pack, scratch, to, d)
        for channel in range(begin, end, run):
            sum_run(points, rows, sums_tag, columns, group, channel, weights, scratch, d)
            for o in range(channel, min(channel + run, end)):
                row = sample * d[Conv.OUT_CHANNELS] + o
                at, hop = d[Conv.SUMS] + (o - channel) * columns * LANES, run * columns * LANES + SPACE
                transform_outputs(
                    *(points, edge, out, row, vector * pack, at, hop, columns, scratch),
                    *(*scale_shift(epilogue, o), bounds, d),
                )


@kernel
def _transform_weights(
    taps: Any, points: Any, run: Any, symbols: Any, codebook: F32, sizes: I64, scratch: F32, target: F32
) -> None:
    """Fill `target` in the order in which `multiply` reads it; 16 output channels of a group at a time.

    `sizes` are groups, their outputs and inputs, the kernel's edge, and the stride; `scratch` takes taps, then points.
    """
    groups, outputs, inputs, edge, stride = sizes[0], sizes[1], sizes[2], sizes[3], sizes[4]
    r, area, size, units = len(taps), len(taps) ** 2, len(points) ** 2, inputs * stride * stride
    runs = (outputs + len(run) - 1) // len(run)
    for group in range(groups):
        for first in range(0, outputs, LANES):
            count = min(LANES, outputs - first)
            for unit in range(units):
                channel, phase = unit // (stride * stride), unit % (stride * stride)
                for tap in range(area):
                    simd.store(scratch, tap * LANES, simd.zeros((0,)))
                    y, x = tap // r * stride + phase // stride, tap % r * stride + phase % stride
                    if y < edge and x < edge:
                        place = (((group * outputs + first) * inputs + channel) * edge + y) * edge + x
                        for o in range(count):
                            weight = simd.weight(codebook, symbols, place + o * inputs * edge * edge)
                            simd.put(scratch, tap * LANES + o, weight)
                simd.winograd_weights(taps, points, scratch, 0, LANES, scratch, area * LANES, LANES)
                for number in range(first // len(run), min((first + LANES) // len(run), runs)):
                    for point in range(size):
                        to = (((group * runs + number) * size + point) * units + unit) * len(run)
                        at = (area + point) * LANES + number * len(run) - first
                        for o in range(len(run)):
                            simd.put(target, to + o, simd.get(scratch, at + o))


def transform_weights(weights: DenseWeights, tiling: WinogradTiling) -> F32:
    """Kernels of all phases, transformed, in the order in which `conv_winograd` reads them."""
    g, n, r = tiling.geometry, tiling.points, tiling.reach
    target, scratch = memory.room(tiling.weight_elements, np.float32), np.empty((r * r + n * n) * LANES, np.float32)
    sizes = g.groups, g.out_channels // g.groups, g.in_channels // g.groups, g.kernel[0], g.stride[0]
    tags = map(tag, (r, n, tiling.rows))
    symbols = weights.symbols.reshape(-1)
    _transform_weights(*tags, symbols, weights.codebook, np.array(sizes, np.int64), scratch, target)
    return target


class ConvWinograd:
    """A convolution packed for `conv_winograd`.

    Parameters
    ----------
    weight : Tensor
    tiling : WinogradTiling
    epilogue : Epilogue
        Without a residual.
    """

    kernel_name = "conv_winograd"

    def __init__(self, weight: Tensor, tiling: WinogradTiling, epilogue: Epilogue) -> None:
        self.tiling = tiling
        g = tiling.geometry
        self._weights = transform_weights(DenseWeights.of(weight), tiling)
        self._epilogue = epilogue_array(epilogue, g.out_channels)
        places, self.scratch_elements = tiling.places()
        self._descriptor = tiling.descriptor(epilogue, places)
        self.weight_bytes = self._weights.nbytes

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        tiling, stride = self.tiling, self.tiling.geometry.stride[0]
        step = tiling.edge * stride
        rest = (stride * tiling.points - 1) % step + 1
        tags = tiling.points, tiling.edge, step, rest, tiling.rows, tiling.rows * tiling.columns
        arguments = (
            *map(tag, tags),
            *(x.reshape(-1), out.reshape(-1), scratch, self._weights, self._epilogue, self._part(share)),
        )
        return [(conv_winograd, arguments)]

    def _part(self, share: Share) -> I64:
        """The descriptor of a part of the work."""
        tiling = self.tiling
        blocks, channels = divide_work(tiling.geometry, tiling.vectors / tiling.columns, share, tiling.rows)
        return part_of(self._descriptor, blocks, channels)
