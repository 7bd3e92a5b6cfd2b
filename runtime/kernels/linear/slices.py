"""Slices of rows: the weights of fully connected kernels that compute 16 rows at a time, one in each lane of a vector.

Sixteen rows are a *slice*. Rows are sorted by their number of weights, so that those of a slice end together. A slice's
stream is cut into *groups*, a cache line each, with 32 bits for each lane: two or three *slots*. A slot holds one
weight, as its *entry* ``position << symbol bits | symbol``. A group has a *base*, the least column of all weights that
are left, and a *window* of the inputs from there on; the position of a weight is its column less the base. Each lane
puts its next weights that lie in the window into its slots. Slots that are left over are empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....core import memory
from ... import simd
from ...jit import inlined, kernel
from ...simd import LANES
from ..contract import F32, I64, Share
from ..epilogue import clamp, limits
from ..weights import SparseWeights

U16 = NDArray[np.uint16]

WORDS = 2 * LANES
"""16-bit words of a group, and of a vector."""
MOST_SLOTS = 3
SAMPLES = 4
"""Samples that share the decoding of a slice."""
MOST_FEATURES = 1 << 23
"""Most inputs of a layer: column and symbol of a weight must fit 32 bits, and `_END` must differ from all of them."""
_END = (1 << 32) - 1
"""The next entry of a lane that has no more weights."""


@dataclass(frozen=True)
class Form:
    """How weights lie in the groups of a kernel.

    Attributes
    ----------
    slots, bits : int
        Slots of a lane, 2 or 3, and bits of a slot.
    symbol_bits : int
        Bits of a symbol; the bits of the position follow.
    window : int
        Columns of a window.
    step : int
        A power of two; all bases are multiples of it.
    last : int
        Greatest base.
    empty : int
        Entry of an empty slot.
    """

    slots: int
    bits: int
    symbol_bits: int
    window: int
    step: int
    last: int
    empty: int


@kernel
def _pack(
    tag: Any,
    indptr: I64,
    columns: NDArray[Any],
    symbols: NDArray[np.uint8],
    order: NDArray[np.int32],
    bits: int,
    symbol_bits: int,
    window: int,
    step: int,
    last: int,
    empty: int,
    starts: I64,
    bases: NDArray[Any],
    stream: U16,
    entries: NDArray[np.uint32],
    pending: NDArray[np.int32],
) -> int:
    """Pack all slices, and return how many groups they take; groups beyond the room are counted, but not kept.

    `tag` is as long as a lane has slots; `entries` and `pending` are scratch.
    """
    group, room, limit = 0, len(bases), window << symbol_bits
    for s in range(len(order) // LANES):
        starts[s] = group
        filled = 0
        for lane in range(LANES):
            row = order[s * LANES + lane]
            pending[lane] = filled
            if row >= 0:
                shift = filled - indptr[row]
                for k in range(indptr[row], indptr[row + 1]):
                    entry = np.int64(columns[np.uint64(k)]) << symbol_bits | np.int64(symbols[np.uint64(k)])
                    entries[np.uint64(k + shift)] = entry
                filled += indptr[row + 1] - indptr[row]
            for _ in range(MOST_SLOTS):
                entries[filled] = _END
                filled += 1
        while True:
            waiting = simd.gather(tag, entries, pending)
            first = simd.reduce_min(waiting)
            if first == _END:
                break
            base = min(first >> symbol_bits, last) & -step
            at = min(group, room - 1)  # beyond the room, groups are only counted
            bases[at] = base
            simd.pack_slots(stream, at * WORDS, pending, waiting, base << symbol_bits, limit, empty, bits)
            group += 1
    starts[len(order) // LANES] = group
    return group


class Slices:
    """Weights in slices.

    Parameters
    ----------
    weights : SparseWeights
        Shared, of at most `MOST_FEATURES` columns.
    columns : int
        Inputs.
    form : Form

    Attributes
    ----------
    stream : ndarray of uint16, shape (32 * groups,)
    bases : ndarray of uint16, or int32 where there are more than 65,536 columns, shape (groups,)
    starts : ndarray of int64, shape (slices + 1,)
        First group of each slice.
    rows : ndarray of int32, shape (16 * slices,)
        Row of each lane; -1 for none.
    """

    def __init__(self, weights: SparseWeights, columns: int, form: Form) -> None:
        counts = np.diff(weights.indptr)
        rows = np.argsort(-counts, kind="stable").astype(np.int32)
        self.rows = np.append(rows, np.full(-len(rows) % LANES, -1, np.int32))
        self.starts = np.zeros(len(self.rows) // LANES + 1, np.int64)
        longest = int(counts[rows[:LANES]].sum()) + LANES * MOST_SLOTS
        scratch = np.empty(longest, np.uint32), np.empty(LANES, np.int32)
        shape = form.bits, form.symbol_bits, form.window, form.step, form.last, form.empty
        source = (0,) * form.slots, weights.indptr, weights.indices, weights.symbols, self.rows
        narrow = np.uint16 if columns <= 1 << 16 else np.int32
        # Room for half of the slots to be empty, which is nearly always enough.
        room, groups = 0, 2 * weights.nnz // (form.slots * LANES) + len(self.rows)
        while groups > room:
            room = groups
            self.bases, self.stream = np.empty(room, narrow), memory.room(room * WORDS, np.uint16)
            groups = _pack(*source, *shape, self.starts, self.bases, self.stream, *scratch)
        self.bases, self.stream = self.bases[:groups], self.stream[: groups * WORDS]

    def divide(self, share: Share) -> tuple[int, int]:
        """The first slice of a part, and that of the next: parts have about as many groups, slices differ in length."""
        part, parts = share
        groups = self.starts[-1] * np.array([part, part + 1]) // parts
        first, last = (int(n) for n in np.searchsorted(self.starts[:-1], groups))
        return first, len(self.starts) - 1 if part + 1 == parts else last

    @property
    def nbytes(self) -> int:
        """Bytes in memory."""
        return sum(a.nbytes for a in (self.stream, self.bases, self.starts, self.rows))


@inlined
def multiply_slices(
    sum_slice: Any, operands: Any, four: Any, one: Any, out: F32, residual: F32, scratch: F32, starts: I64,
    rows: NDArray[np.int32], epilogue: F32, batch: int, with_residual: bool, first_slice: int, last_slice: int,
) -> None:  # fmt: skip
    """Multiply a batch by some of the slices, four samples at a time, and the rest one by one.

    Parameters
    ----------
    sum_slice : callable
        ``sum_slice(tag, operands, first, last, sample)``: the 16 sums of a slice, groups `first` to `last`, for each
        sample from `sample` on: some vectors, still to be added up.
    operands : tuple
        Its other operands.
    four, one : Tag
        As long as four samples, and one, have vectors.
    out, residual : ndarray of float32, flat
        Activations; `residual` is read only if `with_residual`.
    scratch : ndarray of float32, flat
        Sums of a slice.
    starts, rows
        Of `Slices`.
    epilogue : ndarray of float32
        See `kernels.epilogue`; scale and shift by lane.
    """
    outputs, fours, vectors = len(out) // batch, batch - batch % SAMPLES, len(one)
    for s in range(first_slice, last_slice):
        first, last, lane = simd.get(starts, s), simd.get(starts, s + 1), s * LANES
        for sample in range(0, fours, SAMPLES):
            simd.store(scratch, 0, sum_slice(four, operands, first, last, sample))
            for i in range(SAMPLES):
                at, start = vectors * i * LANES, (sample + i) * outputs
                store_slice(vectors, at, lane, out, residual, scratch, start, rows, epilogue, with_residual)
        for sample in range(fours, batch):
            simd.store(scratch, 0, sum_slice(one, operands, first, last, sample))
            store_slice(vectors, 0, lane, out, residual, scratch, sample * outputs, rows, epilogue, with_residual)


@inlined
def store_slice(
    count: int, at: int, lane: int, out: F32, residual: F32, scratch: F32, start: int, rows: NDArray[np.int32],
    epilogue: F32, with_residual: bool,
) -> None:  # fmt: skip
    """Add up the `count` vectors of a slice's sums from ``scratch[at]`` on, apply the epilogue, and store the outputs.

    The sample's outputs begin at ``out[start]``.
    """
    tag = (0,)
    sums = simd.load(tag, scratch, at)
    for i in range(1, count):
        sums = simd.add(sums, simd.load(tag, scratch, at + i * LANES))
    sums = simd.fma_vectors(sums, simd.load(tag, epilogue, lane), simd.load(tag, epilogue, len(rows) + lane))
    if with_residual:
        simd.store(scratch, at, sums)
        for i in range(LANES):
            row = simd.get(rows, lane + i)
            if row >= 0:
                simd.put(scratch, at + i, simd.get(scratch, at + i) + simd.get(residual, start + row))
        sums = simd.load(tag, scratch, at)
    simd.store(scratch, at, clamp(sums, limits(epilogue)))
    for i in range(LANES):
        row = simd.get(rows, lane + i)
        if row >= 0:
            simd.put(out, start + row, simd.get(scratch, at + i))
