"""Sparse convolution in words of 16 bits: two weights of an output channel at a time, times two tiles of pixels.

Activations are float32. A sample's greatest magnitude gives the grid on which its pixels are rounded as tiles are
packed, so its outputs depend on nothing else. Two tiles are packed together: of each 128 bits, one half belongs to the
one tile and one to the other, so that the words of two weights come side by side by one instruction for each tile, with
pixels in their order. Products are summed in 32 bits, without overflow (`grid`), and the sums of blocks in float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....dcformat.tensors import Tensor
from ... import simd
from ...jit import inlined, kernel
from ...simd import LANES
from ...simd.reference.pairs import PAIR
from ..contract import F32, I64, WHOLE, Call, Epilogue, Share, tag
from ..conv.blocks import divide_work, most_outputs, part_of
from ..conv.direct.pack_input import describe
from ..conv.direct.tile import STORED_TOGETHER, Tiling, corner, store_tile
from ..descriptor import Block, Conv, Direct
from ..epilogue import limits
from ..integer.stream import make_stream
from .grid import make_grid
from .pack_words import grid_of, pack_words


@kernel
def conv_words_sparse(
    tag: Any,
    x: F32,
    out: F32,
    residual: F32,
    packed: NDArray[np.int16],
    scratch: F32,
    offsets: NDArray[np.uint16],
    weights: NDArray[np.int16],
    counts: NDArray[np.uint32],
    blocks: I64,
    epilogue: F32,
    levels: np.float32,
    apart: int,
    d: I64,
) -> None:
    """Convolve a batch.

    Parameters
    ----------
    tag : Tag
        As long as a tile has rows.
    x, out, residual : ndarray of float32, flat
        Activations; `residual` is read only where the descriptor says so.
    packed : ndarray of int16, flat
        Two packed tiles.
    scratch : ndarray of float32, flat
        The sums, from where the descriptor says.
    offsets, weights, counts
        The stream of weights: see `IntegerStream`; offsets are vectors of 32 words.
    blocks : ndarray of int64, shape (blocks, 8)
    epilogue : ndarray of float32
        See `kernels.epilogue`; scales are multiplied by those of the weights.
    levels : float32
        See `Grid`.
    apart : int
        Elements from the sums of the first tile of two to those of the second.
    d : ndarray of int64
        The descriptor: `Conv` and `Direct`. Its part of the work is pairs of tiles.
    """
    rows, bounds, zero = len(tag), limits(epilogue), np.float32(0)
    for sample in range(d[Conv.SAMPLES]):
        first_in = sample * d[Conv.IN_CHANNELS] * d[Direct.IN_PLANE]
        first_out = sample * d[Conv.OUT_CHANNELS] * d[Direct.OUT_PLANE]
        scale, step = grid_of(x, first_in, d[Conv.IN_CHANNELS] * d[Direct.IN_PLANE], levels)
        for pair in range(d[Conv.FIRST], d[Conv.LAST]):
            one, other = 2 * pair, min(2 * pair + 1, _tiles(rows, d) - 1)
            corners = corner(one, rows, d), corner(other, rows, d)
            for b in range(len(blocks)):
                first, last = blocks[b, Block.FIRST_UNIT], blocks[b, Block.LAST_UNIT]
                resumes, ends = blocks[b, Block.STARTS] == 0, blocks[b, Block.ENDS] != 0
                pack_words(x, first_in, first, last, (one, other), corners, packed, scale, d)
                at, position, segment = d[Conv.SUMS], blocks[b, Block.POSITION], blocks[b, Block.SEGMENT]
                for begin in range(blocks[b, Block.FIRST_OUTPUT], blocks[b, Block.LAST_OUTPUT], STORED_TOGETHER):
                    end, begin_at = min(begin + STORED_TOGETHER, blocks[b, Block.LAST_OUTPUT]), at
                    for _ in range(begin, end):
                        sums, stop = simd.no_pairs(tag), position + simd.get(counts, segment)
                        for number in range(position, stop):
                            sums = simd.dot_pair(sums, packed, offsets, weights, number)
                        position = stop
                        segment += 1
                        low, high = simd.first_sums(sums), simd.second_sums(sums)
                        if resumes:
                            low = simd.add(low, simd.load(tag, scratch, at))
                            high = simd.add(high, simd.load(tag, scratch, at + apart))
                        if ends:
                            low, high = simd.scale_shift(low, step, zero), simd.scale_shift(high, step, zero)
                        simd.store(scratch, at, low)
                        simd.store(scratch, at + apart, high)
                        at += rows * LANES
                    if ends:
                        for number in range(1 + (other > one)):
                            row, column = corners[number]
                            store_tile(
                                *(tag, scratch, begin_at + number * apart, begin, end, out, residual, first_out),
                                *(row, column, epilogue, bounds, d),
                            )


@inlined
def _tiles(rows: int, d: I64) -> int:
    """Tiles of a sample."""
    across = (d[Conv.OUT_WIDTH] + d[Direct.SPAN] - 1) // d[Direct.SPAN]
    height = rows * d[Direct.BANDS]
    tiles: int = across * ((d[Conv.OUT_HEIGHT] + height - 1) // height)
    return tiles


class ConvWordsSparse:
    """A convolution packed for `conv_words_sparse`.

    Parameters
    ----------
    weight : Tensor
        Finite.
    tiling : Tiling
    epilogue : Epilogue
    """

    kernel_name = "conv_words_sparse"

    def __init__(self, weight: Tensor, tiling: Tiling, epilogue: Epilogue) -> None:
        g = tiling.geometry
        self.tiling = tiling
        grid = make_grid(weight.float32().dense(), g, tiling.blocks)
        taps = np.arange(g.kernel[1]), tiling.tap_offsets()
        unit, vector = np.tile(taps[0], g.kernel[0]), np.repeat(taps[1], g.kernel[1])
        self._stream = make_stream(grid.weights, g, tiling.blocks, tiling.unit_vectors, unit, vector, PAIR)
        self._epilogue = grid.scaled(epilogue)
        self._levels, self._descriptor = np.float32(grid.levels), describe(tiling, epilogue)
        self._apart = most_outputs(tiling.blocks) * tiling.rows * LANES
        self.weight_bytes = self._stream.nbytes
        self.scratch_elements = tiling.tile_elements + 2 * self._apart

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        tiling, stream, flat_out = self.tiling, self._stream, out.reshape(-1)
        pairs, channels = divide_work(tiling.geometry, pairs_of(tiling), share)
        d, blocks = part_of(self._descriptor, tiling.blocks, pairs, channels)
        arguments = (
            *(tag(tiling.rows), x.reshape(-1), flat_out, flat_out if residual is None else residual.reshape(-1)),
            *(scratch[: tiling.tile_elements].view(np.int16), scratch, stream.offsets, stream.weights, stream.counts),
            *(stream.locate(blocks), self._epilogue, self._levels, self._apart, d),
        )
        return [(conv_words_sparse, arguments)]


def pairs_of(tiling: Tiling) -> int:
    """Pairs of tiles of a sample; the last one may lack its second."""
    return -(-tiling.tiles // PAIR)
