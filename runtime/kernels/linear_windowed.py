"""Sparse fully connected layer with AVX-512 permutes: the windowed-permute kernel, for shared weights.

Sixteen rows of the weights, a *slice*, work side by side, one in each lane; rows are sorted by their number of weights,
so that those of a slice end together. The stream of a slice is cut into *groups* of a few *slots*. A slot holds one
weight for each lane: 6 bits of ``column - base``, where `base` is the group's, and 8 bits of symbol. A group sees the
window x[base .. base + 63], or 31; for each slot permutes fetch every lane's x from the window and its weight from the
codebook, all in registers.

Groups are packed greedily: the base is the least column that any lane still waits for, and each lane takes what it has
in the window, up to the number of slots. Slots left over have the symbol of a zero.

Each row is summed in the order of its columns, whatever the packing: a batch gives the same bits however it is split.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import simd
from ..jit import inlined, kernel
from ..layer import WHOLE, Call, Epilogue, LinearGeometry, Share
from .conv_tile import ACTIVATIONS, F32, I64, LANES, epilogue_arrays
from .linear_sparse import activate
from .weights import SparseWeights

COLUMN_BITS = 6
MOST_CENTROIDS = 255
"""A codebook needs one more entry, a zero for empty slots."""
SAMPLES = 4
"""Samples that share the decoding of a slice."""
AHEAD = 4096
"""Elements of the stream to prefetch ahead: 8 KiB."""


@inlined
def _slice(
    tag: Any, slots: Any, window: Any, book: Any, x: F32, at: int, features: int,
    stream: NDArray[np.uint16], bases: NDArray[np.int32], first: int, last: int,
) -> Any:  # fmt: skip
    """Sums of the 16 rows of one slice for ``len(tag)`` samples."""
    sums = simd.zeros(tag)
    slot = first * len(slots) * LANES
    for group in range(first, last):
        begin = at + simd.get(bases, group)
        simd.prefetch((0,), stream, slot + AHEAD)
        for _ in range(len(slots)):
            indices = simd.load_indices(stream, slot)
            weights = simd.pick(book, simd.shift_right(indices, COLUMN_BITS))
            sums = simd.fma_picked(sums, weights, indices, window, x, begin, features)
            slot += LANES
    return sums


@inlined
def _finish(
    sums: Any, lane: int, out: F32, residual: F32, scratch: F32, start: int, rows: NDArray[np.int32],
    scale: F32, shift: F32, with_residual: bool, activation: int,
) -> None:  # fmt: skip
    """Apply the epilogue to the sums of 16 rows for one sample and scatter them to their outputs from `start` on."""
    tag = (0,)
    value = simd.fma_vectors(sums, simd.load(tag, scale, lane), simd.load(tag, shift, lane))
    simd.store(scratch, 0, value)
    for i in range(LANES):
        row = simd.get(rows, lane + i)
        if row >= 0:
            result = simd.get(scratch, i)
            if with_residual:
                result += simd.get(residual, start + row)
            simd.put(out, start + row, activate(result, activation))


@kernel
def linear_windowed(
    slots: Any,
    window: Any,
    book_tag: Any,
    x: F32,
    out: F32,
    residual: F32,
    scratch: F32,
    stream: NDArray[np.uint16],
    bases: NDArray[np.int32],
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
    slots : tuple of int
        As long as a group has slots.
    window : tuple of int
        As long as a window has vectors: 2 or 4.
    book_tag : tuple of int
        As long as the codebook has vectors: 2, 4, 8 or 16.
    x, out, residual : ndarray of float32, flat
        Activations; `residual` is read only if `with_residual`.
    scratch : ndarray of float32, flat
        Sums of a slice, twice.
    stream : ndarray of uint16
        Slots of all groups.
    bases : ndarray of int32, shape (groups,)
    starts : ndarray of int64, shape (slices + 1,)
        First group of each slice.
    rows : ndarray of int32, shape (16 * slices,)
        Output of each lane; -1 for none.
    codebook : ndarray of float32
        Whole vectors.
    scale, shift : ndarray of float32, shape (16 * slices,)
        By lane.
    activation : int
        See `ACTIVATIONS`.
    """
    features, outputs = len(x) // batch, len(out) // batch
    book = simd.load(book_tag, codebook, 0)
    fours = batch - batch % SAMPLES
    for s in range(first_slice, last_slice):
        first, last, lane = simd.get(starts, s), simd.get(starts, s + 1), s * LANES
        for sample in range(0, fours, SAMPLES):
            at = sample * features
            sums = _slice((0, 0, 0, 0), slots, window, book, x, at, features, stream, bases, first, last)
            simd.store(scratch, LANES, sums)
            for i in range(SAMPLES):
                start, each = (sample + i) * outputs, simd.load((0,), scratch, (1 + i) * LANES)
                _finish(each, lane, out, residual, scratch, start, rows, scale, shift, with_residual, activation)
        for sample in range(fours, batch):
            at, start = sample * features, sample * outputs
            each = _slice((0,), slots, window, book, x, at, features, stream, bases, first, last)
            _finish(each, lane, out, residual, scratch, start, rows, scale, shift, with_residual, activation)


@kernel
def _groups(
    indptr: I64,
    columns: NDArray[np.int32],
    symbols: NDArray[np.uint8],
    order: NDArray[np.int32],
    features: int,
    slots: int,
    window: int,
    zero: int,
    starts: I64,
    bases: NDArray[np.int32],
    stream: NDArray[np.uint16],
) -> None:
    """Pack all slices; with an empty stream only count their groups, into `starts`."""
    pending, end = np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    group = 0
    for s in range(len(order) // LANES):
        starts[s] = group
        for lane in range(LANES):
            row = order[s * LANES + lane]
            pending[lane] = indptr[row] if row >= 0 else 0
            end[lane] = indptr[row + 1] if row >= 0 else 0
        while True:
            base = features
            for lane in range(LANES):
                if pending[lane] < end[lane]:
                    base = min(base, columns[pending[lane]])
            if base == features:
                break
            base = min(base, features - window)
            if len(stream) > 0:
                bases[group] = base
            for lane in range(LANES):
                for slot in range(slots):
                    entry = zero << COLUMN_BITS
                    k = pending[lane]
                    if k < end[lane] and columns[k] < base + window:
                        entry = (np.int64(symbols[k]) << COLUMN_BITS) + columns[k] - base
                        pending[lane] += 1
                    if len(stream) > 0:
                        stream[(group * slots + slot) * LANES + lane] = entry
            group += 1
    starts[len(order) // LANES] = group


class LinearWindowed:
    """A fully connected layer packed for `linear_windowed`.

    Parameters
    ----------
    weights : SparseWeights
        Shared, with at most `MOST_CENTROIDS` centroids.
    geometry : LinearGeometry
        With at least as many input features as a window.
    epilogue : Epilogue
    slots : int
        Slots of a group.
    window : int
        Elements of a window: 32 or 64.
    """

    kernel_name = "linear_windowed"
    scratch_elements = (1 + SAMPLES) * LANES

    def __init__(
        self, weights: SparseWeights, geometry: LinearGeometry, epilogue: Epilogue, slots: int, window: int
    ) -> None:
        rows = np.argsort(-np.diff(weights.indptr), kind="stable").astype(np.int32)
        self._rows = np.append(rows, np.full(-len(rows) % LANES, -1, np.int32))
        self._starts = np.zeros(len(self._rows) // LANES + 1, np.int64)
        zero = len(weights.codebook)
        source = (weights.indptr, weights.indices, weights.symbols, self._rows, geometry.in_features)
        cut = (slots, window, zero, self._starts)
        _groups(*source, *cut, np.empty(0, np.int32), np.empty(0, np.uint16))
        groups = int(self._starts[-1])
        self._bases, self._stream = np.empty(groups, np.int32), np.empty(groups * slots * LANES, np.uint16)
        if groups:
            _groups(*source, *cut, self._bases, self._stream)
        vectors = max(2, 1 << (zero // LANES).bit_length())
        self._codebook = np.zeros(vectors * LANES, np.float32)
        self._codebook[:zero] = weights.codebook
        self._tags = ((0,) * slots, (0,) * (window // LANES), (0,) * vectors)
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
        # Slices are of unequal length: parts get about the same number of groups.
        part, parts = share
        groups = self._starts[-1] * np.array([part, part + 1]) // parts
        first, last = (int(n) for n in np.searchsorted(self._starts[:-1], groups))
        last = len(self._starts) - 1 if part + 1 == parts else last
        return [(linear_windowed, (*self._tags, *buffers, *weights, *self._tail, first, last))]
