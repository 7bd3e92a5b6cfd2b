"""Positions of the stored weights as gaps (Han et al. 2015, section 2), with escapes instead of filler weights.

A gap symbol of b bits below ``2**b - 1`` skips that many positions and stores a weight; the symbol ``2**b - 1``, the
escape, skips that many positions and stores nothing. So gap g becomes ``g // (2**b - 1)`` escapes and then ``g %
(2**b - 1)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .constants import MAX_GAP_BITS
from .jit import kernel


def gaps_of(positions: NDArray[np.int64], chunk: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Gaps between stored weights, counted anew in each chunk.

    Parameters
    ----------
    positions : ndarray of int64, shape (n,)
        Ascending flat positions.
    chunk : int
        Stored weights a chunk.

    Returns
    -------
    gaps : ndarray of int64, shape (n,)
        Positions skipped before each weight; 0 for the first of a chunk.
    starts : ndarray of int64, shape (number of chunks,)
        Position of the first weight of each chunk.
    """
    gaps = np.diff(positions, prepend=-1) - 1
    gaps[::chunk] = 0
    return gaps, positions[::chunk]


def gap_counts(gaps: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Histogram of the gap symbols at each width: width in bits -> ndarray of int64, shape (2**width,)."""
    values, occurrences = np.unique(gaps, return_counts=True)
    histograms = {}
    for bits in range(1, MAX_GAP_BITS + 1):
        escape = (1 << bits) - 1
        counts = np.bincount(values % escape, weights=occurrences, minlength=1 << bits).astype(np.int64)
        counts[escape] = int((values // escape * occurrences).sum())
        histograms[bits] = counts
    return histograms


def gap_symbols(gaps: NDArray[np.int64], bits: int) -> NDArray[np.uint8]:
    """Gap symbols of a width: ndarray of uint8, shape (n + escapes,)."""
    escape = (1 << bits) - 1
    runs = gaps // escape + 1
    symbols = np.full(int(runs.sum()), escape, dtype=np.uint8)
    symbols[np.cumsum(runs) - 1] = gaps % escape
    return symbols


@kernel
def positions_of(
    symbols: NDArray[np.uint8],
    symbol_counts: NDArray[np.int64],
    starts: NDArray[np.int64],
    escape: int,
    chunk: int,
    size: int,
    out: NDArray[np.int32],
) -> int:
    """Gap symbols back to flat positions.

    Parameters
    ----------
    symbols : ndarray of uint8
        Gap symbols of all chunks, one chunk after the other.
    symbol_counts, starts : ndarray of int64, shape (chunks,)
        Gap symbols in each chunk, and the position of its first weight.
    escape : int
        The escape symbol.
    chunk : int
        Stored weights a chunk (the last one holds the rest).
    size : int
        Weights of the tensor, zeros counted: every position must be below.
    out : ndarray of int32, shape (n,)
        Receives the positions, ascending.

    Returns
    -------
    int
        -1, or the first chunk whose gaps do not give its number of weights, in ascending positions below `size`, the
        first at its start, without an escape behind the last.
    """
    read = 0
    previous = -1
    for c in range(len(starts)):
        at = c * chunk
        end = min(at + chunk, len(out))
        position = starts[c]
        for k in range(read, read + symbol_counts[c]):
            gap = np.int64(symbols[k])
            position += gap
            if gap != escape:
                if at == end or position >= size or position <= previous:
                    return c
                out[at] = position
                previous = position
                position += 1
                at += 1
        read += symbol_counts[c]
        # One way to write each chunk: the first weight stands at the start, and no escape leads nowhere.
        if at != end or out[c * chunk] != starts[c] or symbols[read - 1] == escape:
            return c
    return -1


@kernel
def rows_of(positions: NDArray[np.int32], row_size: int, indptr: NDArray[np.int64], indices: NDArray[np.int32]) -> None:
    """Ascending flat positions to CSR.

    Parameters
    ----------
    positions : ndarray of int32, shape (n,)
    row_size : int
        Weights a row.
    indptr : ndarray of int64, shape (rows + 1,)
        Receives the row limits.
    indices : ndarray of int32, shape (n,)
        Receives the columns; may be `positions`.
    """
    row = 0
    limit = row_size
    indptr[0] = 0
    for k in range(len(positions)):
        while positions[k] >= limit:
            row += 1
            indptr[row] = k
            limit += row_size
        indices[k] = positions[k] - (limit - row_size)
    for r in range(row + 1, len(indptr)):
        indptr[r] = len(positions)


@kernel
def count_swapped(positions: NDArray[np.int32], rows: int, inner: int, counts: NDArray[np.int64]) -> None:
    """Add to `counts` how many of some positions lie in each row; parameters as for `place_swapped`."""
    line = rows * inner
    start = positions[0] // line * line
    for k in range(len(positions)):
        position = np.int64(positions[k])
        while position >= start + line:
            start += line
        offset = position - start
        counts[offset if inner == 1 else offset // inner] += 1


@kernel
def place_swapped(
    positions: NDArray[np.int32],
    stored: NDArray[Any],
    rows: int,
    inner: int,
    free: NDArray[np.int64],
    indices: NDArray[np.int32],
    out: NDArray[Any],
) -> None:
    """Ascending flat positions of a tensor whose first two axes are swapped, to CSR of the tensor itself.

    Position ``(i * rows + o) * inner + k`` stands for row o, column ``i * inner + k``. Within a row positions ascend
    with the column, so a stable counting sort by row is all that it takes: `count_swapped`, then this.

    Parameters
    ----------
    positions : ndarray of int32, shape (n,)
        All, or, call by call, one stretch after the other; n >= 1.
    stored : ndarray of unsigned integers, shape (n,)
        What is stored at the positions.
    rows, inner : int
        Extent of axis 0, and of all from axis 2 on together.
    free : ndarray of int64, shape (rows,)
        Where the next weight of each row goes; advanced.
    indices : ndarray of int32, shape (all weights,)
    out : ndarray of unsigned integers, shape (all weights,)
        Receives what is stored, in CSR order.
    """
    line = rows * inner  # a stored row; positions ascend, so which one it is takes no division
    start = positions[0] // line * line
    column = start // rows
    for k in range(len(positions)):
        position = np.int64(positions[k])
        while position >= start + line:
            start += line
            column += inner
        offset = position - start
        row = offset if inner == 1 else offset // inner
        place = free[row]
        indices[place] = column + offset - row * inner
        out[place] = stored[k]
        free[row] = place + 1
