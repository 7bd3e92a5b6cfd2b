"""What fully connected kernels share whose rows work side by side, one in each lane of a vector.

Sixteen rows are a *slice*; rows are sorted by their number of weights, so that those of a slice end together. A slice's
stream is cut into *groups*, a cache line each, with some *slots* for each lane, a weight a slot. A group has a *base*,
the least column that any lane still waits for, and sees a *window* of the inputs from there on; each lane takes what it
has in the window, as far as its slots go. Slots left over are empty.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .. import simd
from ..jit import inlined
from ..layer import Share
from .conv_tile import F32, I64, LANES

SAMPLES = 4
"""Samples that share the decoding of a slice."""
NOWHERE = 1 << 40
"""Column of a lane that has no more weights."""


def by_length(indptr: I64) -> NDArray[np.int32]:
    """Rows in the order in which they fill slices, the longest first; -1 for lanes left over."""
    rows = np.argsort(-np.diff(indptr), kind="stable").astype(np.int32)
    return np.append(rows, np.full(-len(rows) % LANES, -1, np.int32))


def divide_slices(starts: I64, share: Share) -> tuple[int, int]:
    """First slice of a part, and of the next: slices are of unequal length, parts get about as many groups each."""
    part, parts = share
    groups = starts[-1] * np.array([part, part + 1]) // parts
    first, last = (int(n) for n in np.searchsorted(starts[:-1], groups))
    return first, len(starts) - 1 if part + 1 == parts else last


@inlined
def finish(
    count: int, at: int, lane: int, out: F32, residual: F32, scratch: F32, start: int, rows: NDArray[np.int32],
    scale: F32, shift: F32, with_residual: bool, activation: int,
) -> None:  # fmt: skip
    """Apply the epilogue to `count` sums of 16 rows, from ``scratch[at]`` on; outputs begin at `start`."""
    tag = (0,)
    sums = simd.load(tag, scratch, at)
    for i in range(1, count):
        sums = simd.add(sums, simd.load(tag, scratch, at + i * LANES))
    sums = simd.fma_vectors(sums, simd.load(tag, scale, lane), simd.load(tag, shift, lane))
    if with_residual:
        simd.store(scratch, at, sums)
        for i in range(LANES):
            row = simd.get(rows, lane + i)
            if row >= 0:
                simd.put(scratch, at + i, simd.get(scratch, at + i) + simd.get(residual, start + row))
        sums = simd.load(tag, scratch, at)
    if activation >= 1:  # on vectors: which outputs are negative nobody can predict
        sums = simd.maximum(sums, np.float32(0))
    if activation == 2:
        sums = simd.minimum(sums, np.float32(6))
    simd.store(scratch, at, sums)
    for i in range(LANES):
        row = simd.get(rows, lane + i)
        if row >= 0:
            simd.put(out, start + row, simd.get(scratch, at + i))
