"""Sparse fully connected layer with AVX-512 permutes, three weights in 32 bits: for codebooks of up to 32.

Slices and groups are those of `linear_slices`, with three slots for each lane. A slot holds one weight in 10 bits: 5 of
``column - base``, 5 of symbol. A group sees the window x[base .. base + 30], and a zero behind it, which empty slots
refer to. Window and codebook are two vectors each, so that one permute fetches every lane's x, and another its weight.

Beside `linear_windowed`, whose windows are twice as wide, more slots are left over; but a slot takes two thirds of the
memory and of the permutes, which pays unless weights are few.

Each row is summed in an order that the packing alone tells: a batch gives the same bits however it is split.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dcformat import memory
from .. import simd
from ..jit import inlined, kernel
from ..layer import WHOLE, Call, Epilogue, LinearGeometry, Share
from .conv_tile import ACTIVATIONS, F32, I64, LANES, epilogue_arrays
from .linear_slices import NOWHERE, SAMPLES, by_length, divide_slices, finish
from .weights import SparseWeights

U32 = NDArray[np.uint32]
MOST_SHARED = 32
"""Entries of a codebook."""
WINDOW = 31
"""Columns of a window."""
FIELD = 5
"""Bits of a position in the window, and of a symbol."""
SLOTS = 3
EMPTY = 31
"""An empty slot: position 31, where the zero is, of symbol 0."""
AHEAD = 4096
"""Elements of the stream to prefetch ahead: 16 KiB."""


@inlined
def _slice(
    tag: Any, book: Any, stream: U32, bases: NDArray[Any], first: int, last: int, x: F32, at: int, step: int
) -> Any:
    """Sums of the 16 rows of one slice, three vectors for each of ``len(tag) / 3`` samples."""
    sums = simd.zeros(tag)
    for group in range(first, last):
        simd.prefetch_far(stream, group * LANES + AHEAD)
        sums = simd.fma_triples(sums, book, stream, group * LANES, x, at + simd.get(bases, group), step)
    return sums


@kernel
def linear_triples(
    x: F32,
    out: F32,
    residual: F32,
    scratch: F32,
    stream: U32,
    bases: NDArray[Any],
    starts: I64,
    rows: NDArray[np.int32],
    codebook: F32,
    scale: F32,
    shift: F32,
    batch: int,
    with_residual: bool,
    activation: int,
    first_slice: int,
    last_slice: int,
) -> None:
    """Multiply a batch by some of the slices.

    Parameters
    ----------
    x, out, residual : ndarray of float32, flat
        Activations, at least `WINDOW` a sample; `residual` is read only if `with_residual`.
    scratch : ndarray of float32, flat
        Sums of a slice.
    stream : ndarray of uint32, shape (16 * groups,)
    bases : ndarray of uint16 or int32, shape (groups,)
        At most ``features - WINDOW``.
    starts : ndarray of int64, shape (slices + 1,)
        First group of each slice.
    rows : ndarray of int32, shape (16 * slices,)
        Output of each lane; -1 for none.
    codebook : ndarray of float32, shape (32,)
        Finite.
    scale, shift : ndarray of float32, shape (16 * slices,)
        By lane.
    activation : int
        See `ACTIVATIONS`.
    """
    features, outputs = len(x) // batch, len(out) // batch
    book = simd.load((0, 0), codebook, 0)
    fours = batch - batch % SAMPLES
    for s in range(first_slice, last_slice):
        first, last, lane = simd.get(starts, s), simd.get(starts, s + 1), s * LANES
        for sample in range(0, fours, SAMPLES):
            tag = (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
            simd.store(scratch, 0, _slice(tag, book, stream, bases, first, last, x, sample * features, features))
            for i in range(SAMPLES):
                at, start = SLOTS * i * LANES, (sample + i) * outputs
                finish(SLOTS, at, lane, out, residual, scratch, start, rows, scale, shift, with_residual, activation)
        for sample in range(fours, batch):
            start = sample * outputs
            simd.store(scratch, 0, _slice((0, 0, 0), book, stream, bases, first, last, x, sample * features, features))
            finish(SLOTS, 0, lane, out, residual, scratch, start, rows, scale, shift, with_residual, activation)


@kernel
def _pack(
    indptr: I64,
    columns: NDArray[Any],
    symbols: NDArray[np.uint8],
    features: int,
    order: NDArray[np.int32],
    starts: I64,
    bases: NDArray[Any],
    stream: U32,
    fronts: I64,
) -> int:
    """Pack all slices, as far as there is room, and tell how many groups they take; `fronts` is scratch.

    Without branches on what a slot takes, which nobody can predict: an empty one looks at weight 0, for nothing.
    """
    pending, end, front = fronts[:LANES], fronts[LANES : 2 * LANES], fronts[2 * LANES :]
    group, room = 0, len(bases)
    for s in range(len(order) // LANES):
        starts[s] = group
        for lane in range(LANES):
            row = order[s * LANES + lane]
            pending[lane] = indptr[row] if row >= 0 else 0
            end[lane] = indptr[row + 1] if row >= 0 else 0
            front[lane] = columns[pending[lane]] if pending[lane] < end[lane] else NOWHERE
        while True:
            base = front[0]
            for lane in range(1, LANES):
                base = min(base, front[lane])
            if base == NOWHERE:
                break
            base = min(base, features - WINDOW)
            at = min(group, room - 1)  # what finds no room is counted
            bases[at] = base
            for lane in range(LANES):
                k, stop, word = pending[lane], end[lane], np.int64(0)
                following = k
                for slot in range(SLOTS):
                    more = k + slot < stop
                    weight = np.uint64(k + slot if more else 0)
                    position = np.int64(columns[weight]) - base
                    take = more & (position < WINDOW)
                    entry = np.int64(symbols[weight]) << FIELD | position
                    word |= (entry if take else EMPTY) << 2 * FIELD * slot
                    following += np.int64(take)
                stream[np.uint64(at * LANES + lane)] = word
                more = following < stop
                column = np.int64(columns[np.uint64(following if more else 0)])
                pending[lane], front[lane] = following, column if more else NOWHERE
            group += 1
    starts[len(order) // LANES] = group
    return group


class LinearTriples:
    """A fully connected layer packed for `linear_triples`.

    Parameters
    ----------
    weights : SparseWeights
        Shared, with a finite codebook of at most `MOST_SHARED`.
    geometry : LinearGeometry
        At least `WINDOW` inputs.
    epilogue : Epilogue
    """

    kernel_name = "linear_triples"
    scratch_elements = SLOTS * SAMPLES * LANES

    def __init__(self, weights: SparseWeights, geometry: LinearGeometry, epilogue: Epilogue) -> None:
        self._rows = by_length(weights.indptr)
        self._starts = np.zeros(len(self._rows) // LANES + 1, np.int64)
        source = weights.indptr, weights.indices, weights.symbols, geometry.in_features, self._rows, self._starts
        narrow = np.uint16 if geometry.in_features <= 1 << 16 else np.int32
        room, groups = 0, 2 * weights.nnz // (SLOTS * LANES) + len(self._rows)  # most often enough: half of the slots
        while groups > room:
            room = groups
            self._bases, self._stream = np.empty(room, narrow), memory.room(room * LANES, np.uint32)
            groups = _pack(*source, self._bases, self._stream, np.empty(3 * LANES, np.int64))
        self._bases, self._stream = self._bases[:groups], self._stream[: groups * LANES]
        self._codebook = np.zeros(MOST_SHARED, np.float32)
        self._codebook[: len(weights.codebook)] = weights.codebook
        self._tail = (
            *(array[self._rows] for array in epilogue_arrays(epilogue, geometry.out_features)),
            *(geometry.batch, epilogue.residual, ACTIVATIONS[epilogue.activation]),
        )
        packed = (self._stream, self._bases, self._starts, self._rows, self._codebook)
        self.weight_bytes = sum(a.nbytes for a in packed)

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `layer.PackedLayer`."""
        flat_out = out.reshape(-1)
        flat_residual = flat_out if residual is None else residual.reshape(-1)
        buffers = (x.reshape(-1), flat_out, flat_residual, scratch)
        weights = (self._stream, self._bases, self._starts, self._rows, self._codebook)
        return [(linear_triples, (*buffers, *weights, *self._tail, *divide_slices(self._starts, share)))]
