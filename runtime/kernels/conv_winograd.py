"""Convolution by Winograd's fast algorithm (`winograd`), for layers that are not sparse enough to skip their zeros.

A kernel of r x r taps at stride 1 takes tiles of m x m outputs. At stride s the input comes apart into s * s *phases*,
images of every s-th row and column, each with a kernel of its own at stride 1: more channels, fewer taps. What is
transformed is small; the work is a product of matrices for each of the n * n points, channels summed, whose vectors
hold one value each of 16 tiles, row by row of tiles, or where 16 samples lie side by side, of one tile.

So many vectors as registers hold sums for, beside a run of output channels, make a *block*. The order of sums does not
depend on how the work is shared.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import simd, winograd
from ..jit import inlined, kernel
from ..layer import WHOLE, Call, ConvGeometry, Epilogue, Share
from . import conv_tile
from .conv_lanes import PAIR, WINDOW
from .conv_tile import ACTIVATIONS, F32, I64, LANES
from .weights import DenseWeights

# Places in the descriptor.
SAMPLES, GROUPS, IN_CHANNELS, HEIGHT, WIDTH, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH = range(8)
STRIDE, PAD_Y, PAD_X, ACROSS, TILES, PACK, ACTIVATION, POOL = range(8, 16)
PATCH, INPUTS, SUMS, OUTPUTS = range(16, 20)
FIRST_BLOCK, LAST_BLOCK, FIRST_CHANNEL, LAST_CHANNEL = range(20, 24)


@inlined
def _gather(
    points: Any, edge: Any, step: Any, rest: Any, x: F32, plane: int, phase: int, tile: int, scratch: F32, d: I64
) -> None:
    """Lay out what a vector of tiles sees of a channel: for each row of the phase, all columns of all phases."""
    n, m, stride, height, width = len(points), len(edge), d[STRIDE], d[HEIGHT], d[WIDTH]
    reach = stride * n
    lane = 0
    while lane < d[PACK] and tile < d[TILES]:
        row, column = tile // d[ACROSS], tile % d[ACROSS]
        count = min(d[PACK] - lane, min(d[ACROSS] - column, d[TILES] - tile))
        left = len(step) * column - d[PAD_X]
        near = count + reach // len(step) < LANES  # what the last tile sees beyond its own columns is in these vectors
        for i in range(n):
            y = stride * (m * row + i) + phase - d[PAD_Y]
            at, end = d[PATCH] + i * reach * LANES + lane, width if 0 <= y < height else 0
            if d[PACK] == 1:
                for k in range(reach):
                    vector = simd.zeros((0,))
                    if 0 <= left + k < end:
                        vector = simd.load((0,), x, (plane + y * width + left + k) * LANES)
                    simd.store(scratch, at + k * LANES, vector)
            else:
                start = left
                whole = simd.load_apart(step, step, x, plane + y * width + start, max(0, -start), end - start)
                simd.store_rows(scratch, at, LANES, 0, count, len(step) * LANES, whole)
                for _ in range((reach - len(rest)) // len(step) - 1):
                    start += len(step)
                    at += len(step) * LANES
                    if near:
                        whole = simd.next_lanes(step, whole)
                    else:
                        whole = simd.load_apart(step, step, x, plane + y * width + start, max(0, -start), end - start)
                    simd.store_rows(scratch, at, LANES, 0, count, len(step) * LANES, whole)
                start += len(step)
                at += len(step) * LANES
                if near:
                    part = simd.next_lanes(rest, whole)
                else:
                    part = simd.load_apart(rest, step, x, plane + y * width + start, max(0, -start), end - start)
                simd.store_rows(scratch, at, LANES, 0, count, len(step) * LANES, part)
        lane += count
        tile += count


@kernel
def transform_inputs(
    points: Any, edge: Any, step: Any, rest: Any, columns: int, x: F32, first: int, tile: int, scratch: F32, d: I64
) -> None:
    """Transform all channels of a group, as the vectors of tiles from `tile` on see them.

    Parameters
    ----------
    points, edge, step, rest : tuple of int
        As long as there are points n; outputs m along the edge of a tile; input columns from a tile to the next; what
        is left of the columns that a tile sees after so many as possible of those.
    columns : int
        Vectors of the block.
    x : ndarray of float32, flat
    first : int
        Plane of `x` of the group's first channel.
    scratch : ndarray of float32, flat
    d : ndarray of int64
        The descriptor.
    """
    n, stride, plane = len(points), d[STRIDE], d[HEIGHT] * d[WIDTH]
    hop = d[IN_CHANNELS] * stride * stride * columns * LANES
    to = d[INPUTS]
    for channel in range(first, first + d[IN_CHANNELS]):
        for phase in range(stride):
            for p in range(columns):
                _gather(points, edge, step, rest, x, channel * plane, phase, tile + p * d[PACK], scratch, d)
                for across in range(stride):
                    at, place = d[PATCH] + across * LANES, to + (across * columns + p) * LANES
                    simd.winograd_inputs(points, scratch, at, stride * n * LANES, stride * LANES, scratch, place, hop)
            to += stride * columns * LANES


@kernel
def multiply(
    sums_tag: Any, rows: Any, points: int, units: int, weights: F32, position: int, scratch: F32, d: I64
) -> None:
    """Sum products over channels: for each point a run of output channels times a block of vectors.

    Parameters
    ----------
    sums_tag, rows : tuple of int
        As long as the run has channels times the block has vectors, and as it has channels.
    points, units : int
        Points, n * n, and channels to be summed.
    weights : ndarray of float32
        From `position` on: by point, channel, output channel of the run.
    """
    columns = len(sums_tag) // len(rows)
    for point in range(points):
        sums = simd.zeros(sums_tag)
        place = d[INPUTS] + point * units * columns * LANES
        for _ in range(units):
            sums = simd.fma_rows(sums, rows, weights, weights, position, scratch, place)
            position += len(rows)
            place += columns * LANES
        simd.store(scratch, d[SUMS] + point * len(sums_tag) * LANES, sums)


@inlined
def _scatter(edge: Any, out: F32, plane: int, tile: int, scratch: F32, d: I64) -> None:
    """Bring the outputs of a vector of tiles to their places, or the greatest of each window if they are pooled."""
    m, height, width = len(edge), d[OUT_HEIGHT], d[OUT_WIDTH]
    if d[POOL] != 0:
        row, column = tile // d[ACROSS] * m, tile % d[ACROSS] * m
        for i in range(0, min(m, height - row) - 1, 2):
            target = plane + (row + i) // 2 * (width // 2) + column // 2
            for j in range(0, min(m, width - column) - 1, 2):
                window = simd.load_grid(WINDOW, PAIR, scratch, d[OUTPUTS] + (i * m + j) * LANES, m * LANES)
                simd.store(out, (target + j // 2) * LANES, simd.pool_grid(PAIR, window))
        return
    lane = 0
    while lane < d[PACK] and tile < d[TILES]:
        row, column = tile // d[ACROSS], tile % d[ACROSS]
        count = min(d[PACK] - lane, min(d[ACROSS] - column, d[TILES] - tile))
        for i in range(min(m, height - m * row)):
            target = plane + (m * row + i) * width + m * column
            if d[PACK] == 1:
                for j in range(min(m, width - m * column)):
                    simd.store(out, (target + j) * LANES, simd.load((0,), scratch, d[OUTPUTS] + (i * m + j) * LANES))
            else:
                value = simd.load_grid(edge, edge, scratch, d[OUTPUTS] + i * m * LANES + lane, LANES)
                simd.store_together(out, target, min(m * count, width - m * column), value)
        lane += count
        tile += count


@kernel
def transform_outputs(
    points: Any, edge: Any, out: F32, plane: int, tile: int, at: int, hop: int, columns: int, scratch: F32,
    scale: float, shift: float, d: I64,
) -> None:  # fmt: skip
    """Transform the sums of one output channel, apply the epilogue, and store the outputs.

    Parameters
    ----------
    points, edge : tuple of int
        As long as there are points n, and outputs m along the edge of a tile.
    out : ndarray of float32, flat
    plane : int
        Index of the channel's first pixel in `out`.
    tile : int
        First tile of the block.
    at, hop : int
        Where the sums of the first point lie in scratch, and how far it is from a point to the next.
    columns : int
        Vectors of the block.
    """
    floor = np.float32(0 if d[ACTIVATION] != 0 else -np.inf)
    ceiling = np.float32(6 if d[ACTIVATION] == 2 else np.inf)
    for p in range(columns):
        value = simd.scale_shift(simd.winograd_outputs(edge, points, scratch, at + p * LANES, hop), scale, shift)
        simd.store(scratch, d[OUTPUTS], simd.minimum(simd.maximum(value, floor), ceiling))
        _scatter(edge, out, plane, tile + p * d[PACK], scratch, d)


@kernel
def conv_winograd(
    points: Any, edge: Any, step: Any, rest: Any, rows: Any, sums_tag: Any, x: F32, out: F32, scratch: F32,
    weights: F32, scale: F32, shift: F32, d: I64,
) -> None:  # fmt: skip
    """Convolve a batch.

    Parameters
    ----------
    points, edge, step, rest : tuple of int
        See `transform_inputs`.
    rows, sums_tag : tuple of int
        As long as a run has output channels, and as that times the vectors of a block.
    x, out : ndarray of float32, flat
    scratch : ndarray of float32, flat
        A patch of the input, transformed inputs, sums, and outputs of a vector of tiles.
    weights : ndarray of float32
        Transformed: by group, run of output channels, point, channel, output channel of the run.
    scale, shift : ndarray of float32, shape (out_channels,)
    d : ndarray of int64
        The descriptor.
    """
    run, size, units, outputs = len(rows), len(points) ** 2, d[IN_CHANNELS] * d[STRIDE] * d[STRIDE], d[OUT_CHANNELS]
    # Lanes without a tile are computed with what is there, which had better be numbers.
    for k in range(size * d[STRIDE]):
        simd.store(scratch, d[PATCH] + k * LANES, simd.zeros((0,)))
    vectors = (d[TILES] + d[PACK] - 1) // d[PACK]
    shrink = 1 + d[POOL]
    plane_size = (d[OUT_HEIGHT] // shrink) * (d[OUT_WIDTH] // shrink)
    for number in range(d[SAMPLES] * (d[LAST_BLOCK] - d[FIRST_BLOCK]) * d[GROUPS]):
        place, group = number // d[GROUPS], number % d[GROUPS]
        sample = place // (d[LAST_BLOCK] - d[FIRST_BLOCK])
        vector = (d[FIRST_BLOCK] + place % (d[LAST_BLOCK] - d[FIRST_BLOCK])) * (len(sums_tag) // run)
        columns = len(sums_tag) // run if vectors - vector > 1 else 1
        begin, end = max(d[FIRST_CHANNEL], group * outputs), min(d[LAST_CHANNEL], (group + 1) * outputs)
        if begin < end:
            first = (sample * d[GROUPS] + group) * d[IN_CHANNELS]
            transform_inputs(points, edge, step, rest, columns, x, first, vector * d[PACK], scratch, d)
        for channel in range(begin, end, run):
            position = (group * ((outputs + run - 1) // run) + (channel - group * outputs) // run) * size * units * run
            if columns == 1:
                multiply(rows, rows, size, units, weights, position, scratch, d)
            else:
                multiply(sums_tag, rows, size, units, weights, position, scratch, d)
            for o in range(channel, min(channel + run, end)):
                plane = (sample * d[GROUPS] * outputs + o) * plane_size
                at, hop = d[SUMS] + (o - channel) * columns * LANES, run * columns * LANES
                transform_outputs(
                    points, edge, out, plane, vector * d[PACK], at, hop, columns, scratch, scale[o], shift[o], d
                )


def transform_weights(weights: DenseWeights, g: ConvGeometry, r: int, n: int, run: int) -> F32:
    """Kernels of all phases, transformed, in the order in which `conv_winograd` reads them."""
    stride, inputs, outputs = g.stride[0], g.in_channels // g.groups, g.out_channels // g.groups
    matrix, edge = winograd.kernel_matrix(r, n), stride * r
    both = np.kron(matrix, matrix).T  # one product for the kernels of an output, in place of two for each
    parts = []
    for channel in range(0, g.out_channels, outputs):
        for first in range(channel, channel + outputs, run):
            symbols = weights.symbols[first : min(first + run, channel + outputs)]
            dense = weights.codebook[symbols] if len(weights.codebook) else symbols
            missing = run - len(dense), 0, edge - g.kernel[0], edge - g.kernel[1]
            taps = np.pad(dense.astype(np.float64), [(0, more) for more in missing])
            taps = taps.reshape(run, inputs, r, stride, r, stride).transpose(0, 1, 3, 5, 2, 4)
            points = taps.reshape(run, inputs * stride * stride, r * r) @ both
            parts.append(points.transpose(2, 1, 0).astype(np.float32).ravel())
    return np.concatenate(parts)


class WinogradTiling:
    """How a layer is cut into tiles.

    Parameters
    ----------
    geometry : ConvGeometry
        One that `fits`.
    run, columns : int
        Output channels, and vectors, whose sums are held in registers.
    pack : int
        Tiles of a vector: 16, or 1 where 16 samples lie side by side.

    Attributes
    ----------
    reach, edge, points : int
        Taps r of a phase, outputs m of a tile, and points n, along one axis.
    """

    def __init__(self, geometry: ConvGeometry, run: int, columns: int, pack: int) -> None:
        self.geometry, self.run, self.columns, self.pack = geometry, run, columns, pack
        self.reach = -(-geometry.kernel[0] // geometry.stride[0])
        self.edge = winograd.OUTPUTS[self.reach]
        self.points = self.edge + self.reach - 1

    @staticmethod
    def fits(g: ConvGeometry) -> bool:
        """Whether there is a way: for square kernels and strides, without dilation, of few enough taps a phase."""
        square = g.kernel[0] == g.kernel[1] and g.stride[0] == g.stride[1] and g.dilation == (1, 1)
        return square and -(-g.kernel[0] // g.stride[0]) in winograd.OUTPUTS

    @property
    def units(self) -> int:
        """Channels of a group that are summed: those of all phases."""
        return self.geometry.in_channels // self.geometry.groups * self.geometry.stride[0] ** 2

    @property
    def runs(self) -> int:
        """Runs of output channels, of all groups."""
        g = self.geometry
        return g.groups * -(-(g.out_channels // g.groups) // self.run)

    @property
    def weight_elements(self) -> int:
        """Elements of the transformed weights."""
        return self.points**2 * self.units * self.runs * self.run

    @property
    def across(self) -> int:
        """Tiles of a row."""
        return -(-self.geometry.out_width // self.edge)

    @property
    def tiles(self) -> int:
        """Tiles of an image."""
        return -(-self.geometry.out_height // self.edge) * self.across

    @property
    def vectors(self) -> int:
        """Vectors that hold the tiles of an image."""
        return -(-self.tiles // self.pack)

    @property
    def blocks(self) -> int:
        """Blocks of vectors of an image."""
        return -(-self.vectors // self.columns)

    def places(self) -> tuple[list[int], int]:
        """Where patch, inputs, sums and outputs begin in scratch, and its size, in elements."""
        patch = self.points**2 * self.geometry.stride[0]
        sizes = patch, self.points**2 * self.units * self.columns, self.points**2 * self.run * self.columns
        ends = np.cumsum([size * LANES for size in (*sizes, self.edge**2 + 1)]).tolist()
        return [0, *ends[:-1]], ends[-1]


class ConvWinograd:
    """A convolution packed for `conv_winograd`.

    Parameters
    ----------
    weights : DenseWeights
    tiling : WinogradTiling
    epilogue : Epilogue
        Without a residual.
    """

    kernel_name = "conv_winograd"

    def __init__(self, weights: DenseWeights, tiling: WinogradTiling, epilogue: Epilogue) -> None:
        self.tiling = tiling
        g = tiling.geometry
        self._weights = transform_weights(weights, g, tiling.reach, tiling.points, tiling.run)
        self._scale, self._shift = conv_tile.epilogue_arrays(epilogue, g.out_channels)
        places, self.scratch_elements = tiling.places()
        self._descriptor = np.array(
            [
                *(g.batch if tiling.pack > 1 else 1, g.groups, g.in_channels // g.groups, g.height, g.width),
                *(g.out_channels // g.groups, g.out_height, g.out_width, g.stride[0], *g.padding),
                *(tiling.across, tiling.tiles, tiling.pack, ACTIVATIONS[epilogue.activation], epilogue.pool, *places),
                *(0, tiling.blocks, 0, g.out_channels),
            ],
            dtype=np.int64,
        )
        self.weight_bytes = self._weights.nbytes

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `layer.PackedLayer`."""
        tiling, g = self.tiling, self.tiling.geometry
        blocks, channels = conv_tile.divide_work(g, tiling.vectors / tiling.columns, share, tiling.run)
        d = self._descriptor.copy()
        d[FIRST_BLOCK:] = blocks.start, blocks.stop, channels.start, channels.stop
        step = tiling.edge * g.stride[0]
        rest = (g.stride[0] * tiling.points - 1) % step + 1
        tags = tiling.points, tiling.edge, step, rest, tiling.run, tiling.run * tiling.columns
        arguments = (
            *((0,) * length for length in tags),
            *(x.reshape(-1), out.reshape(-1), scratch, self._weights, self._scale, self._shift, d),
        )
        return [(conv_winograd, arguments)]
