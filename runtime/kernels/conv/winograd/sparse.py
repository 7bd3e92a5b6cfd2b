"""Winograd's algorithm (`conv_winograd`) for layers of many channels, whose weights stay sparse in memory.

Transformed, a sparse weight takes some 40 bytes in place of 3, and to read those from memory takes longer than to make
them. So the weights of a *panel* of output channels are brought from the stream to dense taps and transformed, and then
serve all tiles whose transformed inputs fit in memory.

Vectors hold 16 output channels each, as the weights are transformed so; each is multiplied with one value of a tile.
Registers hold the sums of some tiles at a time, which need not be 16: 14 tiles are a row of 56 pixels, or two rows of
28. The order of sums does not depend on how the work is divided.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....dcformat.tensors import Tensor
from .... import simd
from ....jit import kernel
from ....simd import LANES
from ...contract import F32, I64, WHOLE, Call, Epilogue, Share, tag
from ...descriptor import Conv, Winograd, WinogradSparse
from ...epilogue import epilogue_array, limits, scale_shift
from ...weights import SparseWeights
from ..blocks import FAR, divide_work
from .tiles import (
    SPACE,
    WinogradTiling,
    lay_out,
    own_channels,
    part_of,
    prefetch_outputs,
    store_tiles,
    transform_inputs,
)

CHUNK = 16
"""Input channels whose taps are brought from the stream at a time: 18 KiB for 32 output channels and 3 x 3 taps."""
INPUT_ELEMENTS = 1 << 21
"""Most elements, 8 MiB, of transformed inputs that are kept for the weights of the next panel."""


@kernel
def transform_weights(
    taps: Any, points: Any, width: int, offsets: Any, symbols: Any, codebook: F32, starts: Any, channel: int, end: int,
    scratch: F32, d: I64,
) -> None:  # fmt: skip
    """Transform the weights of a panel, by point, input channel, output channel.

    Parameters
    ----------
    taps, points : Tag
        As long as there are taps r and points n along one axis.
    width : int
        Output channels of a panel, a multiple of 16.
    offsets : ndarray of uint16
        The place of each weight in a chunk, by input channel and tap; the output channel is added.
    symbols, codebook
        See `SparseWeights`.
    starts : ndarray of int32
        By chunk, output channel: the first weight.
    channel, end : int
        Output channels of the panel, from first to behind the last; missing ones get zeros.
    scratch : ndarray of float32, flat
    d : ndarray of int64
        The descriptor.
    """
    outputs, area = d[Conv.OUT_CHANNELS], len(taps) ** 2
    units, to = d[Winograd.GROUP_INPUTS], d[WinogradSparse.WEIGHTS]
    for first in range(0, units, CHUNK):
        count = min(CHUNK, units - first)
        end_of_taps = d[WinogradSparse.WEIGHT_TAPS] + count * area * width
        for at in range(d[WinogradSparse.WEIGHT_TAPS], end_of_taps, LANES):
            simd.store(scratch, at, simd.zeros((0,)))
        row = first // CHUNK * outputs
        for o in range(channel, end):
            place = d[WinogradSparse.WEIGHT_TAPS] + o - channel
            for i in range(simd.get(starts, row + o), simd.get(starts, row + outputs + o)):
                simd.put(scratch, place + simd.get(offsets, i), simd.weight(codebook, symbols, i))
        for unit in range(count):
            for lane in range(0, width, LANES):
                at = d[WinogradSparse.WEIGHT_TAPS] + unit * area * width + lane
                simd.winograd_weights(taps, points, scratch, at, width, scratch, to + lane, units * width + SPACE)
            to += width


@kernel
def multiply(
    sums_tag: Any, rows: Any, points: int, units: int, weights: int, inputs: int, sums_at: int, pitch: int,
    scratch: F32,
) -> None:  # fmt: skip
    """Sum products over channels: for each point, some tiles times a panel of output channels.

    Parameters
    ----------
    sums_tag, rows : Tag
        As long as the tiles times the vectors of a panel, and as the tiles.
    points, units : int
        Points, n * n, and channels to be summed.
    weights, inputs, sums_at : int
        Where they lie in scratch: weights by point, channel, output channel; inputs by point, channel, tile; sums by
        point, tile, output channel.
    pitch : int
        From the sums of a point to those of the next.
    """
    width = len(sums_tag) // len(rows) * LANES
    for point in range(points):
        sums = simd.zeros(sums_tag)
        for _ in range(units):
            sums = simd.fma_rows(sums, rows, scratch, scratch, inputs, scratch, weights)
            inputs += LANES
            weights += width
        inputs += SPACE
        weights += SPACE
        simd.store(scratch, sums_at + point * pitch, sums)


@kernel
def transform_outputs(
    points: Any, edge: Any, area: Any, tall: Any, out: F32, row: int, tile: int, count: int, at: int, hop: int,
    width: int, scratch: F32, epilogue: F32, channel: int, d: I64,
) -> None:  # fmt: skip
    """Transform the sums of some output channels, from vectors of channels to vectors of tiles, and store the outputs.

    Parameters
    ----------
    points, edge, area, tall : Tag
        As long as there are points n; outputs m along the edge of a tile; its outputs m * m; lanes.
    out : ndarray of float32, flat
    row : int
        First output channel, counted through all samples.
    tile : int
        First tile.
    count : int
        Output channels, at most 16.
    at, hop : int
        Where the sums of the first point lie in scratch, and how far it is from a point to the next.
    width : int
        From the sums of a tile to those of the next.
    channel : int
        First output channel, within a sample.
    """
    pitch = len(area) * LANES
    tiles, bounds = min(d[Winograd.PACK], d[Winograd.TILES] - tile), limits(epilogue)
    far = d[Conv.OUT_CHANNELS] * d[Conv.OUT_HEIGHT] * d[Conv.OUT_WIDTH] > FAR
    for t in range(LANES):
        if far and t < count:
            prefetch_outputs(edge, out, row + t, tile, d)
        if t < tiles:
            value = simd.winograd_outputs(edge, points, scratch, at + t * width, hop)
            simd.store(scratch, d[WinogradSparse.PIXELS] + t * pitch, value)
    for pixel in range(0, pitch, LANES):
        value = simd.transpose(simd.load_grid(tall, tall, scratch, d[WinogradSparse.PIXELS] + pixel, pitch))
        simd.store_grid(tall, scratch, d[WinogradSparse.TURNED] + pixel, pitch, value)
    for o in range(count):
        value = simd.load(area, scratch, d[WinogradSparse.TURNED] + o * pitch)
        store_tiles(edge, value, out, row + o, tile, scratch, *scale_shift(epilogue, channel + o), bounds, d)


@kernel
def conv_winograd_sparse(
    taps: Any, points: Any, edge: Any, area: Any, rest: Any, tall: Any, rows: Any, sums_tag: Any, few_rows: Any,
    few_sums: Any, x: F32, out: F32, scratch: F32, offsets: Any, symbols: Any, codebook: F32,
    starts: Any, epilogue: F32, d: I64,
) -> None:  # fmt: skip
    """Convolve a batch.

    Parameters
    ----------
    taps, points, edge, area, rest, tall : Tag
        See `transform_weights`, `transform_outputs` and `dense.transform_inputs`.
    rows, sums_tag, few_rows, few_sums : Tag
        As long as there are tiles whose sums registers hold, and sums; the same for at most half as many tiles.
    x, out : ndarray of float32, flat
    scratch : ndarray of float32, flat
    offsets, symbols, codebook, starts
        The stream of weights, see `transform_weights`.
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    d : ndarray of int64
        The descriptor.
    """
    size, pack, weights = len(points) ** 2, d[Winograd.PACK], d[WinogradSparse.WEIGHTS]
    groups, units = d[Winograd.GROUPS], d[Winograd.GROUP_INPUTS]
    width = len(sums_tag) // len(rows) * LANES
    pitch, vector_size = pack * width, size * (units * LANES + SPACE)
    # Lanes without a tile are computed too; zeros are at least numbers.
    for at in range(d[Winograd.PATCH], d[Winograd.INPUTS], LANES):
        simd.store(scratch, at, simd.zeros((0,)))
    for at in range(d[WinogradSparse.PIXELS], d[WinogradSparse.TURNED], LANES):
        simd.store(scratch, at, simd.zeros((0,)))
    for number in range(d[Conv.SAMPLES] * groups):
        sample, group = number // groups, number % groups
        begin, end = own_channels(group, d)
        if begin >= end:
            continue
        for first in range(d[Conv.FIRST], d[Conv.LAST], d[WinogradSparse.AT_ONCE]):
            last = min(first + d[WinogradSparse.AT_ONCE], d[Conv.LAST])
            for vector in range(first, last):
                tile, to = vector * pack, d[Winograd.INPUTS] + (vector - first) * vector_size
                transform_inputs(points, edge, edge, rest, 1, x, number * units, tile, scratch, to, d)
            for channel in range(begin, end, width):
                stop = min(channel + width, end)
                transform_weights(taps, points, width, offsets, symbols, codebook, starts, channel, stop, scratch, d)
                for vector in range(first, last):
                    tile, inputs = vector * pack, d[Winograd.INPUTS] + (vector - first) * vector_size
                    tiles = min(pack, d[Winograd.TILES] - tile)
                    for t in range(0, tiles, len(rows)):
                        at = d[Conv.SUMS] + t * width
                        if tiles - t > len(few_rows):
                            multiply(sums_tag, rows, size, units, weights, inputs + t, at, pitch, scratch)
                        else:
                            multiply(few_sums, few_rows, size, units, weights, inputs + t, at, pitch, scratch)
                    for o in range(channel, stop, LANES):
                        row, at = sample * d[Conv.OUT_CHANNELS] + o, d[Conv.SUMS] + o - channel
                        transform_outputs(
                            points, edge, area, tall, out, row, tile, min(LANES, stop - o), at, pitch, width, scratch,
                            epilogue, o, d,
                        )  # fmt: skip


@kernel
def _place_weights(
    indptr: I64, indices: Any, columns: int, width: int, offsets: NDArray[np.uint16], starts: NDArray[np.int32]
) -> None:
    """Fill `offsets` and `starts` of `transform_weights`, for chunks of `columns` columns."""
    outputs, chunks = len(indptr) - 1, len(starts) // (len(indptr) - 1) - 1
    for o in range(outputs):
        i = indptr[o]
        for chunk in range(chunks):
            starts[chunk * outputs + o] = i
            while i < indptr[o + 1] and indices[i] < (chunk + 1) * columns:
                offsets[i] = (indices[i] - chunk * columns) * width
                i += 1
        starts[chunks * outputs + o] = i


class ConvWinogradSparse:
    """A convolution packed for `conv_winograd_sparse`.

    Parameters
    ----------
    weight : Tensor
    tiling : WinogradTiling
        Of stride 1. Its rows are tiles, its columns vectors of output channels.
    epilogue : Epilogue
        Without a residual.
    """

    kernel_name = "conv_winograd_sparse"

    def __init__(self, weight: Tensor, tiling: WinogradTiling, epilogue: Epilogue) -> None:
        self.tiling, weights = tiling, SparseWeights.of(weight)
        g, width, points = tiling.geometry, tiling.columns * LANES, tiling.points**2
        inputs, taps = g.in_channels // g.groups, tiling.reach**2
        self._offsets = np.empty(weights.nnz, np.uint16)
        self._starts = np.empty((-(-inputs // CHUNK) + 1) * g.out_channels, np.int32)
        _place_weights(weights.indptr, weights.indices, CHUNK * taps, width, self._offsets, self._starts)
        self._symbols, self._codebook = weights.symbols, weights.codebook
        self._epilogue = epilogue_array(epilogue, g.out_channels)
        vector = points * (inputs * LANES + SPACE)
        at_once = max(1, min(tiling.vectors, INPUT_ELEMENTS // vector))
        places, self.scratch_elements = lay_out(
            patch=points * LANES,
            inputs=at_once * vector,
            sums=points * tiling.pack * width,
            outputs=(tiling.edge**2 + 1) * LANES,
            weights=points * (inputs * width + SPACE),
            weight_taps=CHUNK * taps * width,
            pixels=tiling.edge**2 * LANES * LANES,
            turned=tiling.edge**2 * LANES * LANES,
        )
        self._descriptor = tiling.descriptor(epilogue, places, WinogradSparse, at_once=at_once)
        arrays = self._offsets, self._starts, self._symbols, self._codebook
        self.weight_bytes = sum(array.nbytes for array in arrays)

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        tiling, g = self.tiling, self.tiling.geometry
        blocks, channels = divide_work(g, tiling.tiles / tiling.pack, share, tiling.columns * LANES)
        d = part_of(self._descriptor, blocks, channels)
        rest = (tiling.points - 1) % tiling.edge + 1
        tags = (
            *(tiling.reach, tiling.points, tiling.edge, tiling.edge**2, rest, LANES),
            *(n for few in (tiling.rows, tiling.rows // 2) for n in (few, few * tiling.columns)),
        )
        arguments = (
            *map(tag, tags),
            *(x.reshape(-1), out.reshape(-1), scratch, self._offsets, self._symbols, self._codebook, self._starts),
            *(self._epilogue, d),
        )
        return [(conv_winograd_sparse, arguments)]
