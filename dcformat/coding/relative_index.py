"""Positions of the stored weights as gaps (Han et al. 2015, section 2), with escapes instead of filler weights.

A gap symbol of b bits below ``2**b - 1`` skips that many positions and stores a weight; the symbol ``2**b - 1``, the
escape, skips that many positions and stores nothing. So gap g becomes ``g // (2**b - 1)`` escapes and then ``g %
(2**b - 1)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..constants import MAX_GAP_BITS
from ..jit import kernel
from .eight import EACH_BYTE, LOW_BYTES, all_differ, eight_at
from .histograms import PIECE


def gaps_of(positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Gaps between the stored weights of a chunk.

    Parameters
    ----------
    positions : ndarray of int64, shape (n,)
        Ascending flat positions, one or more.

    Returns
    -------
    ndarray of int64, shape (n,)
        Positions skipped before each weight; 0 for the first one, whose position is the chunk's start.
    """
    gaps = np.zeros(len(positions), np.int64)
    np.subtract(positions[1:], positions[:-1], out=gaps[1:])
    gaps[1:] -= 1
    return gaps


def gap_counts(gaps: NDArray[np.int64], occurrences: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Histogram of the gap symbols at each width.

    Parameters
    ----------
    gaps, occurrences : ndarray of int64, shape (n,)
        Gaps, and how often each occurs; the same gap may stand there several times.

    Returns
    -------
    dict of int to ndarray of int64, shape (2**width,)
        By width in bits.
    """
    histograms = {}
    for bits in range(1, MAX_GAP_BITS + 1):
        escape = (1 << bits) - 1
        counts = np.bincount(gaps % escape, weights=occurrences, minlength=1 << bits).astype(np.int64)
        counts[escape] = int((gaps // escape * occurrences).sum())
        histograms[bits] = counts
    return histograms


def gap_symbols(gaps: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """Gap symbols of a width: ndarray of uint8, shape (n + escapes,)."""
    pieces = [_gap_symbols(gaps[begin : begin + PIECE], (1 << bits) - 1) for begin in range(0, len(gaps), PIECE)]
    return np.concatenate(pieces)


def _gap_symbols(gaps: NDArray[Any], escape: int) -> NDArray[np.uint8]:
    ends = np.cumsum(gaps // escape + 1)
    symbols = np.full(int(ends[-1]), escape, dtype=np.uint8)
    ends -= 1
    symbols[ends] = gaps % escape
    return symbols


@kernel
def check_gaps(
    symbols: NDArray[np.uint8],
    counts: NDArray[np.int64],
    starts: NDArray[np.int64],
    escape: int,
    chunk: int,
    stored: int,
    size: int,
) -> int:
    """Check the gap symbols of a tensor, so that `indices_of` need not.

    Parameters
    ----------
    symbols : ndarray of uint8
        Gap symbols of all chunks, one chunk after the other.
    counts, starts : ndarray of int64, shape (chunks,)
        Gap symbols in each chunk, and the position of its first weight.
    escape : int
        The escape symbol.
    chunk, stored : int
        Stored weights a chunk (the last one holds the rest), and in all.
    size : int
        Weights of the tensor, zeros counted.

    Returns
    -------
    int
        -1, or the first chunk whose gaps do not give its number of weights, in ascending positions below `size`, the
        first at its start, without an escape behind the last.
    """
    read = 0
    previous = -1
    for c in range(len(starts)):
        part = symbols[read : read + counts[c]]
        weights, skipped = np.int64(0), np.int64(0)
        for k in range(len(part)):
            weights += np.int64(part[k] != escape)
            skipped += np.int64(part[k])
        # One way to write each chunk: the first weight stands at the start, and no escape leads nowhere.
        plain = len(part) > 0 and part[0] == 0 and part[-1] != escape
        if not plain or weights != min(chunk, stored - c * chunk) or starts[c] <= previous:
            return c
        previous = starts[c] + skipped + weights - 1
        if previous >= size:
            return c
        read += counts[c]
    return -1


_U64 = np.uint64
_WORD = _U64(0xFFFF)
_EVENS, _ODDS = _U64(0x0006000400020000), _U64(0x0007000500030001)
"""Weights before the first, third, ... of eight, and before the second, fourth, ..., in words of 16 bits."""


@kernel
def indices_of(
    symbols: NDArray[np.uint8],
    counts: NDArray[np.int64],
    starts: NDArray[np.int64],
    escape: int,
    row_size: int,
    indptr: NDArray[np.int64],
    indices: NDArray[Any],
) -> None:
    """Gap symbols that `check_gaps` found sound, to CSR: eight at a time, as bytes of a number, while a row goes on.

    Parameters
    ----------
    symbols, counts, starts, escape
        As for `check_gaps`.
    row_size : int
        Weights a row, zeros counted.
    indptr : ndarray of int64, shape (rows + 1,)
        Receives the row limits.
    indices : ndarray of integers, shape (stored weights,)
        Receives the columns.
    """
    k = row = 0
    limit = row_size
    at = np.int64(0)
    indptr[0] = 0
    escapes = _U64(escape) * EACH_BYTE
    for c in range(len(starts)):
        position, end = starts[c], k + counts[c]
        while k < end:
            if k + 8 <= end:
                word = eight_at(symbols, k)
                if all_differ(word, escapes):
                    low, high = word & LOW_BYTES, word >> _U64(8) & LOW_BYTES
                    odd = low + high
                    odd += odd << _U64(16)
                    odd += odd << _U64(32)  # sums of all pairs so far
                    even = odd - high + _EVENS
                    odd += _ODDS
                    last = position + np.int64(odd >> _U64(48))
                    if last < limit:
                        column = position - (limit - row_size)
                        for i in range(4):
                            place = np.uint64(at + 2 * i)
                            indices[place] = column + np.int64(even >> _U64(16 * i) & _WORD)
                            indices[place + _U64(1)] = column + np.int64(odd >> _U64(16 * i) & _WORD)
                        position = last + 1
                        k += 8
                        at += 8
                        continue
            for _ in range(min(8, end - k)):
                gap = np.int64(symbols[np.uint64(k)])
                position += gap
                while position >= limit:
                    row += 1
                    indptr[row] = at
                    limit += row_size
                # An escape writes as well, what the next weight writes over: that is faster than to ask.
                indices[np.uint64(at)] = position - (limit - row_size)
                weight = np.int64(gap != escape)
                at += weight
                position += weight
                k += 1
    for r in range(row + 1, len(indptr)):
        indptr[r] = at


@kernel
def transpose(
    symbols: NDArray[np.uint8],
    counts: NDArray[np.int64],
    starts: NDArray[np.int64],
    escape: int,
    row_size: int,
    inner: int,
    stored: NDArray[Any],
    free: NDArray[np.int64],
    columns: NDArray[Any],
    out: NDArray[Any],
) -> None:
    """Gap symbols of a tensor whose first two axes are swapped, to CSR of the tensor itself.

    Place ``o * inner + k`` of stored row i stands for row o, column ``i * inner + k``. Within a row columns ascend with
    i, so a stable counting sort by row is all that it takes: first with nothing to receive (`columns` empty), to count.

    Parameters
    ----------
    symbols, counts, starts, escape
        As for `check_gaps`, which found them sound.
    row_size : int
        Weights a stored row, zeros counted.
    inner : int
        Extent of all axes from axis 2 on together.
    stored : ndarray of unsigned integers, shape (n,)
        What is stored there.
    free : ndarray of int64, shape (rows,)
        Advanced by the weights of each row; where to place the next one.
    columns : ndarray of integers, shape (n,), or (0,)
    out : ndarray of unsigned integers, shape (n,)
        Receives what is stored, in CSR order.
    """
    counting = len(columns) == 0
    per_weight = 1.0 / inner
    read, at = 0, np.uint64(0)
    first, column = 0, 0  # of the stored row: its place in the tensor, its column in the transposed one
    for c in range(len(starts)):
        position = starts[c]
        for k in range(read, read + counts[c]):
            gap = np.int64(symbols[np.uint64(k)])
            position += gap
            while position >= first + row_size:
                first += row_size
                column += inner
            if gap == escape:
                continue
            index = position - first
            position += 1
            row = np.int64((index + 0.5) * per_weight) if inner > 1 else index  # exact below 2**51, and no division
            place = np.uint64(free[np.uint64(row)])
            free[np.uint64(row)] = place + np.uint64(1)
            if not counting:
                columns[place] = column + index - row * inner
                out[place] = stored[at]
                at += np.uint64(1)
        read += counts[c]
