"""The stream of weights of a sparse convolution: for each block and output channel a *segment* of weights.

Of each weight it holds an offset into the block's packed tile, in vectors, and a symbol. Both lie in one word, since
loads limit the kernels: in 2 bytes where codebook and tile are small, of which one load brings four, or else in 3.
Where weights are not shared, offsets and float32 values are two arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....core import memory
from .... import simd
from ....jit import inlined, kernel
from ....simd import LANES
from ....simd.reference.stream import OFFSET_BITS, SYMBOL_BITS
from ...contract import F32, I64, ConvGeometry, Tag, tag
from ...descriptor import Block
from ...weights import SparseWeights
from ..blocks import most_units

BOOK = tag(2)
"""Tag as long as the vectors of a codebook that is kept in registers."""
SMALL = len(BOOK) * LANES
"""Most centroids beside words of 16 bits."""
LATENCY = 4
"""In fewer registers of sums than this, multiply-adds wait for each other; in less than twice as many, some do."""
TAP_SHIFT, BLOCK_SHIFT = 16, 32
"""A column's block, its tap and its offset in the block are packed into one number: one look-up a weight."""


@kernel
def _segments(
    indptr: I64,
    indices: NDArray[Any],
    symbols: NDArray[Any],
    row_block: I64,
    row_offset: I64,
    column: I64,
    block_start: I64,
    taps: int,
    starts: I64,
    offsets: NDArray[Any],
    out_symbols: NDArray[Any],
) -> None:
    """Sort CSR weights by segment and tap: count them into `starts`, with nothing to fill; then put them there."""
    fill = len(offsets) > 0
    for row in range(len(indptr) - 1):
        offset, block, first = row_offset[row], np.int64(-1), np.int64(0)
        for k in range(indptr[row], indptr[row + 1]):
            key = column[np.uint64(indices[np.uint64(k)])]
            if key >> BLOCK_SHIFT != block:  # predictable, as a row's weights come block by block; their taps are not
                block = key >> BLOCK_SHIFT
                first = (block_start[row_block[row] + block] + row) * taps
            tap = np.uint64(first + (key >> TAP_SHIFT & 0xFFFF))
            place = np.uint64(starts[tap])
            starts[tap] = place + np.uint64(1)
            if fill:
                offsets[place] = offset + (key & 0xFFFF)
                out_symbols[place] = symbols[np.uint64(k)]


@dataclass(frozen=True)
class Stream:
    """Weights in the order in which a kernel reads them.

    Attributes
    ----------
    words : ndarray of uint16 or uint32, shape (nnz,), or of uint8, shape (3 * nnz + 1,)
        See `simd_numpy_stream`.
    values : ndarray of float32
        The codebook, filled up with zeros to `BOOK` vectors beside words of 16 bits, or, where weights are not shared,
        shape (nnz,), the weights.
    counts : ndarray of uint32, shape (segments * taps,)
        Weights of each tap of each segment, by block, output channel, tap.
    taps : int
        Taps that the weights of a segment are sorted by.
    """

    words: NDArray[Any]
    values: NDArray[np.float32]
    counts: NDArray[np.uint32]
    taps: int = 1

    def book(self, wide: bool) -> Tag:
        """Tag as long as the vectors of the codebook that stay in registers; empty where it stays in memory.

        Parameters
        ----------
        wide : bool
            Whether the processor's registers hold 16 float32.
        """
        return BOOK if wide and self.words.dtype == np.uint16 else ()

    @property
    def nbytes(self) -> int:
        """Bytes that it takes in memory."""
        return self.words.nbytes + self.values.nbytes + self.counts.nbytes

    def locate(self, blocks: I64) -> I64:
        """The table of blocks with POSITION filled in."""
        located = blocks.copy()
        starts = np.cumsum(self.counts, dtype=np.int64) - self.counts
        located[:, Block.POSITION] = starts[blocks[:, Block.SEGMENT] * self.taps]
        return located


def make_stream(
    weights: SparseWeights,
    g: ConvGeometry,
    blocks: I64,
    unit_vectors: int,
    unit: I64,
    vector: I64 | int,
    tap: I64 | int = 0,
    taps: int = 1,
) -> Stream:
    """Sort the weights of a convolution by segment, and within a segment by tap.

    Parameters
    ----------
    weights : SparseWeights
        Rows are output channels; columns count input channel of the group, ky, kx.
    g : ConvGeometry
    blocks : ndarray of int64, shape (blocks, 8)
    unit_vectors : int
        Vectors that a unit takes in the packed tile.
    unit, vector, tap : ndarray of int64, shape (columns,)
        Of each column of the weights: the unit, counted within the group, that it is multiplied with; the vector within
        the unit for the first pixel of a tile; the tap that it is sorted by.
    taps : int
        Taps that the weights of a segment are sorted by.
    """
    block = np.concatenate([np.full(b[Block.LAST_UNIT] - b[Block.FIRST_UNIT], i) for i, b in enumerate(blocks)])
    offset = (np.arange(len(block)) - blocks[block, Block.FIRST_UNIT]) * unit_vectors
    units, outputs = len(block) // g.groups, g.out_channels // g.groups
    first_unit = np.arange(g.out_channels) // outputs * units
    places = (
        *(weights.indptr, weights.indices, weights.symbols),
        *(block[first_unit], offset[first_unit], block[unit] << BLOCK_SHIFT | tap << TAP_SHIFT | offset[unit] + vector),
        *(blocks[:, Block.SEGMENT] - blocks[:, Block.FIRST_OUTPUT], taps),
    )
    segments = int((blocks[:, Block.LAST_OUTPUT] - blocks[:, Block.FIRST_OUTPUT]).sum())
    counts = np.zeros(segments * taps + 1, np.int64)
    nnz, shared = weights.nnz, weights.symbols.dtype == np.uint8
    most = most_units(blocks) * unit_vectors
    small = shared and len(weights.codebook) <= SMALL and most <= 1 << OFFSET_BITS
    words: NDArray[Any]
    offsets: NDArray[Any]
    symbols: NDArray[Any]
    if not shared:
        words = offsets = np.empty(nnz, np.uint32)
        values = symbols = np.empty(nnz, np.float32)
    elif small:
        words = offsets = np.empty(nnz, np.uint16)
        values, symbols = np.pad(weights.codebook, (0, SMALL - len(weights.codebook))), np.empty(nnz, np.uint8)
    else:
        words = memory.room(3 * nnz + 1, np.uint8)
        values, symbols, offsets = weights.codebook, words[2::3], np.ndarray(nnz, "<u2", words, strides=3)
    _segments(*places, counts, offsets[:0], symbols[:0])
    starts = np.cumsum(counts) - counts
    if nnz:
        _segments(*places, starts, offsets, symbols)
    if small:
        words <<= SYMBOL_BITS
        words |= symbols
    return Stream(words, values, counts[:-1].astype(np.uint32), taps)


def chains_of(rows: int, wide: bool) -> Tag:
    """Tag as long as the chains that a tile is summed in: no more than hide the latency, as each takes registers.

    Parameters
    ----------
    rows : int
        Of the tile.
    wide : bool
        Whether a register holds 16 float32, and not 8.
    """
    registers = rows if wide else 2 * rows
    return tag(1 if registers >= 2 * LATENCY else 2 if registers >= LATENCY else 4)


@inlined
def sum_products(
    tag: Any, chains: Any, sums: Any, tile: F32, words: NDArray[Any], values: F32, book: Any, first: int, last: int
) -> Any:
    """Add to `sums` the products of weights `first` to `last` with the vectors of a tile at their offsets.

    A short tile is summed in two or four chains, which hide the latency of the additions.

    Parameters
    ----------
    tag, chains : Tag
        As long as the tile has rows, and what `chains_of` gives.
    sums, book : Vectors
        `book` is the codebook, or empty if it stays in memory.
    tile : ndarray of float32, flat
    words, values : ndarray
        Of `Stream`.
    first, last : int
    """
    left = last - first
    second, third, fourth = simd.zeros(tag), simd.zeros(tag), simd.zeros(tag)
    for k in range(first, last - 3, 4):
        four = simd.four_words(words, k)
        if len(chains) == 1:
            sums = _one_of_four(sums, tile, words, values, book, four, 0)
            sums = _one_of_four(sums, tile, words, values, book, four, 1)
            sums = _one_of_four(sums, tile, words, values, book, four, 2)
            sums = _one_of_four(sums, tile, words, values, book, four, 3)
        elif len(chains) == 2:
            sums = _one_of_four(sums, tile, words, values, book, four, 0)
            second = _one_of_four(second, tile, words, values, book, four, 1)
            sums = _one_of_four(sums, tile, words, values, book, four, 2)
            second = _one_of_four(second, tile, words, values, book, four, 3)
        else:
            sums = _one_of_four(sums, tile, words, values, book, four, 0)
            second = _one_of_four(second, tile, words, values, book, four, 1)
            third = _one_of_four(third, tile, words, values, book, four, 2)
            fourth = _one_of_four(fourth, tile, words, values, book, four, 3)
    if left & 2 != 0:
        k = first + (left & ~3)
        sums = _one(sums, tile, words, values, book, k)
        if len(chains) == 1:
            sums = _one(sums, tile, words, values, book, k + 1)
        else:
            second = _one(second, tile, words, values, book, k + 1)
    if left & 1 != 0:
        sums = _one(sums, tile, words, values, book, last - 1)
    if len(chains) > 1:
        sums = simd.add(sums, second)
    if len(chains) > 2:
        sums = simd.add(sums, simd.add(third, fourth))
    return sums


@inlined
def _one(sums: Any, tile: F32, words: NDArray[Any], values: F32, book: Any, k: int) -> Any:
    return simd.fma(sums, simd.word_weight(words, values, book, k), tile, simd.word_offset(words, k) * LANES)


@inlined
def _one_of_four(sums: Any, tile: F32, words: NDArray[Any], values: F32, book: Any, four: int, place: int) -> Any:
    weight = simd.four_weight(words, values, book, four, place)
    return simd.fma(sums, weight, tile, simd.four_offset(words, four, place) * LANES)
