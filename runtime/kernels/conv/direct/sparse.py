"""Sparse convolution: each stored weight of an output channel is multiplied with a packed tile of pixels.

Weights come as a stream (`weight_stream`); a symbol is looked up in the codebook as it is broadcast. A small codebook
is kept in registers, since loads limit the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....dcformat.tensors import Tensor
from .... import simd
from ....jit import inlined, kernel
from ....simd import LANES
from ...contract import F32, I64, WHOLE, Call, Epilogue, Share, tag
from ...descriptor import Block, Conv, Direct
from ...epilogue import epilogue_array, limits
from ...weights import SparseWeights
from ..blocks import most_outputs, part_of
from .pack_input import describe, pack_tile
from .tile import STORED_TOGETHER, Tiling, corner, is_contiguous, prefetch_outputs, store_contiguous, store_tile
from .weight_stream import Stream, chains_of, make_stream, sum_products


@inlined
def convolve(
    sum_segment: Any, chains: Any, operands: Any, tag: Any, x: F32, out: F32, residual: F32, scratch: F32, blocks: I64,
    epilogue: F32, d: I64,
) -> None:  # fmt: skip
    """Convolve a batch, tile by tile, block by block, and within by output channel.

    Parameters
    ----------
    sum_segment : callable
        ``sum_segment(tag, chains, operands, scratch, at, resumes, segment, position) -> (sums, position)``: the sums of
        a segment of weights, the first of which is number `position`, times the packed tile in scratch, and the
        position of the next segment. If it resumes sums, those from ``scratch[at]`` on are added.
    operands : tuple
        Its other operands.
    chains, tag, x, out, residual, scratch, blocks, epilogue, d
        As `conv_sparse` takes them.
    """
    rows, bounds = len(tag), limits(epilogue)
    for sample in range(d[Conv.SAMPLES]):
        first_in = sample * d[Conv.IN_CHANNELS] * d[Direct.IN_PLANE]
        first_out = sample * d[Conv.OUT_CHANNELS] * d[Direct.OUT_PLANE]
        for tile in range(d[Conv.FIRST], d[Conv.LAST]):
            row, column = corner(tile, rows, d)
            contiguous = is_contiguous(row, rows, chains, d)
            for b in range(len(blocks)):
                first, last = blocks[b, Block.FIRST_UNIT], blocks[b, Block.LAST_UNIT]
                resumes, ends = blocks[b, Block.STARTS] == 0, blocks[b, Block.ENDS] != 0
                pack_tile(tag, x, first_in, first, last, tile, row, column, scratch, d)
                at, position, segment = d[Conv.SUMS], blocks[b, Block.POSITION], blocks[b, Block.SEGMENT]
                for begin in range(blocks[b, Block.FIRST_OUTPUT], blocks[b, Block.LAST_OUTPUT], STORED_TOGETHER):
                    end, begin_at = min(begin + STORED_TOGETHER, blocks[b, Block.LAST_OUTPUT]), at
                    for channel in range(begin, end):
                        if ends:
                            prefetch_outputs(tag, out, first_out + channel * d[Direct.OUT_PLANE], row, column, d)
                        sums, position = sum_segment(tag, chains, operands, scratch, at, resumes, segment, position)
                        segment += 1
                        if ends and contiguous:
                            store_contiguous(tag, sums, channel, out, residual, first_out, row, epilogue, bounds, d)
                        else:
                            simd.store(scratch, at, sums)
                        at += rows * LANES
                    if ends and not contiguous:
                        store_tile(
                            *(tag, scratch, begin_at, begin, end, out, residual, first_out, row, column),
                            *(epilogue, bounds, d),
                        )


@kernel
def conv_sparse(
    tag: Any,
    chains: Any,
    book_tag: Any,
    x: F32,
    out: F32,
    residual: F32,
    scratch: F32,
    words: NDArray[Any],
    values: F32,
    counts: NDArray[np.uint32],
    blocks: I64,
    epilogue: F32,
    d: I64,
) -> None:
    """Convolve a batch.

    Parameters
    ----------
    tag, chains, book_tag : Tag
        As long as a tile has rows; the chains that they are summed in; and the codebook vectors kept in registers.
    x, out, residual : ndarray of float32, flat
        Activations; `residual` is read only where the descriptor says so.
    scratch : ndarray of float32, flat
        The packed tile, then the sums.
    words, values
        The stream of weights.
    counts : ndarray of uint32, shape (segments,)
        Weights of each segment.
    blocks : ndarray of int64, shape (blocks, 8)
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    d : ndarray of int64
        The descriptor: `Conv` and `Direct`.
    """
    operands = words, values, counts, simd.load(book_tag, values, 0)
    convolve(_sum_segment, chains, operands, tag, x, out, residual, scratch, blocks, epilogue, d)


@inlined
def _sum_segment(
    tag: Any, chains: Any, operands: Any, scratch: F32, at: int, resumes: bool, segment: int, position: int
) -> tuple[Any, int]:
    """See `convolve`."""
    words, values, counts, book = operands
    sums, end = simd.zeros(tag), position + simd.get(counts, segment)
    if resumes:
        sums = simd.load(tag, scratch, at)
        simd.prefetch(tag, scratch, at + len(tag) * LANES)
    return sum_products(tag, chains, sums, scratch, words, values, book, position, end), end


class ConvStream:
    """A convolution packed for `conv_sparse`, or for a kernel whose first arguments are the same.

    Parameters
    ----------
    kernel : callable
    stream : Stream
    tiling : Tiling
    epilogue : Epilogue
    more : tuple
        The kernel's further arguments.
    """

    kernel_name: str

    def __init__(
        self, kernel: Callable[..., Any], stream: Stream, tiling: Tiling, epilogue: Epilogue, more: tuple[Any, ...] = ()
    ) -> None:
        self.tiling = tiling
        self._kernel, self._stream, self._more = kernel, stream, more
        self._epilogue = epilogue_array(epilogue, tiling.geometry.out_channels)
        self._descriptor = describe(tiling, epilogue)
        self.weight_bytes = stream.nbytes
        self.scratch_elements = tiling.tile_elements + most_outputs(tiling.blocks) * tiling.rows * LANES

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        flat_out, stream, tiling = out.reshape(-1), self._stream, self.tiling
        d, blocks = part_of(self._descriptor, tiling.blocks, *tiling.share(share))
        arguments = (
            *(tag(tiling.rows), chains_of(tiling.rows, tiling.wide), stream.book(tiling.wide), x.reshape(-1), flat_out),
            *(flat_out if residual is None else residual.reshape(-1), scratch),
            *(stream.words, stream.values, stream.counts),
            *(stream.locate(blocks), self._epilogue, d, *self._more),
        )
        return [(self._kernel, arguments)]


class ConvSparse(ConvStream):
    """A convolution packed for `conv_sparse`.

    Parameters
    ----------
    weight : Tensor
    tiling : Tiling
    epilogue : Epilogue
    """

    kernel_name = "conv_sparse"

    def __init__(self, weight: Tensor, tiling: Tiling, epilogue: Epilogue) -> None:
        g = tiling.geometry
        inputs, ky, kx = np.indices((g.in_channels // g.groups, *g.kernel)).reshape(3, -1)
        unit, vector = inputs * g.kernel[1] + kx, tiling.tap_offsets()[ky]
        stream = make_stream(SparseWeights.of(weight), g, tiling.blocks, tiling.unit_vectors, unit, vector)
        super().__init__(conv_sparse, stream, tiling, epilogue)
