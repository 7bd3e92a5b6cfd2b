"""Places of weights: runs of gap symbols to CSR, and a weight's place among the signs.

The cells of a matrix come in tables: a stretch of neighbouring columns in each row, or part of a row. A run has the
gaps between the weights of a table, from cell to cell in the order of rows. So the weights of a row come from several
runs, each of which goes on where the row before left it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..jit import inlined, kernel

_U64 = np.uint64  # unsigned indices: numba then adds no test for negative ones
_ONE = _U64(1)

Walk: TypeAlias = tuple[
    NDArray[np.uint8],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.int64],
    NDArray[np.uint8],
    NDArray[np.int64],
    NDArray[Any],
]
"""Gap symbols; ends of the runs among them, and of the weights; escapes; row classes; limits of the column classes in
the coded order, of shape (parts, classes + 1); column at each coded place, or empty."""


@kernel
def check_runs(gaps: NDArray[np.uint8], ends: NDArray[np.int64], stored: NDArray[np.int64], escapes: Any) -> int:
    """Check that each run stores its weights, with a weight at its end: -1, or the first that does not.

    Parameters
    ----------
    gaps : ndarray of uint8
    ends, stored : ndarray of int64, shape (tables,)
        End of each run among the symbols, and of its weights among the weights.
    escapes : ndarray of int64, shape (tables,)
        The symbol of each run that stores no weight.
    """
    first, before = 0, 0
    for t in range(len(ends)):
        weights = np.int32(0)
        escape = np.uint8(escapes[t])
        for gap in gaps[first : ends[t]]:
            weights += np.int32(gap != escape)
        if weights != stored[t] - before or (ends[t] > first and gaps[ends[t] - 1] == escape):
            return t
        first, before = ends[t], stored[t]
    return -1


@inlined
def begin_runs(walk: Walk) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Go to the first cell of the first stretch of each run, and to its first gap symbol and weight."""
    ends, stored = walk[1], walk[2]
    runs = len(ends)
    ahead, at, weight = np.empty(runs, np.int64), np.empty(runs, np.int64), np.empty(runs, np.int64)
    first, before = 0, 0
    for t in range(len(ends)):
        ahead[t], at[t], weight[t] = 0, first, before
        first, before = ends[t], stored[t]
    return ahead, at, weight


@kernel
def run_places(walk: Walk, rows: int, padded: NDArray[np.int32], size: int, places: NDArray[np.int32]) -> int:
    """Place of each weight, in the order of runs, where kernels have a line of zeros above and a column of them beside.

    Parameters
    ----------
    walk : Walk
        Sound by `check_runs`.
    rows : int
    padded : ndarray of int32, shape (columns,)
        Place of each column in a row.
    size : int
        Places of a row.
    places : ndarray of int32, shape (weights,)
        Receives them.

    Returns
    -------
    int
        Weights that lie in the matrix.
    """
    gaps, ends, _, escapes, row_classes, limits, order = walk
    parts, classes = limits.shape[0], limits.shape[1] - 1
    ahead, at, weight = begin_runs(walk)
    found = np.int64(0)
    for row in range(rows):
        before = row * size
        for part in range(parts):
            row_class = row_classes[row * parts + part]
            for c in range(classes):
                t, limit = row_class + c, limits[part, c + 1]
                cell, k, n = limits[part, c] + ahead[t], _U64(at[t]), _U64(weight[t])
                end, escape, first = _U64(ends[t]), np.uint8(escapes[t]), n
                while k < end and cell + np.int64(gaps[k]) < limit:
                    cell += np.int64(gaps[k])
                    # An escape writes as well, what the next weight of the run writes over.
                    column = np.int64(order[_U64(cell)]) if len(order) else cell
                    stored = _U64(gaps[k] != escape)
                    places[n] = before + padded[_U64(column)]
                    cell += np.int64(stored)
                    n += stored
                    k += _ONE
                found += np.int64(n - first)
                ahead[t], at[t], weight[t] = cell - limit, k, n
    return found  # type: ignore[return-value]


_WORD, _IN_WORD = _U64(6), _U64(63)
_PAIRS, _FOURS, _BYTES = _U64(0x5555555555555555), _U64(0x3333333333333333), _U64(0x0F0F0F0F0F0F0F0F)
_SUM, _TOP_BYTE = _U64(0x0101010101010101), _U64(56)


@inlined
def _ones(bits: np.uint64) -> np.uint64:
    """Bits that are set: LLVM makes one instruction of it."""
    bits = bits - (bits >> _ONE & _PAIRS)
    bits = (bits & _FOURS) + (bits >> _U64(2) & _FOURS)
    bits = bits + (bits >> _U64(4)) & _BYTES
    # Sums of bytes; a product of Python's scalars would warn that it wraps.
    bits += bits << _U64(8)
    bits += bits << _U64(16)
    return bits + (bits << _U64(32)) >> _TOP_BYTE


@inlined
def mark(marks: NDArray[np.uint64], place: np.uint64, stored: np.uint64) -> None:
    """Mark a place, or with 0 leave it as it is."""
    marks[place >> _WORD] |= stored << (place & _IN_WORD)


@inlined
def count_marks(marks: NDArray[np.uint64], before: NDArray[np.uint64], first: np.uint64) -> np.uint64:
    """Number of marks before each word, counted from `first`; the number behind the last."""
    for word in range(_U64(len(marks))):
        before[word] = first
        first += _ones(marks[word])
    return first


@inlined
def rank(marks: NDArray[np.uint64], before: NDArray[np.uint64], place: np.uint64) -> np.uint64:
    """Number of marks before a place."""
    word = place >> _WORD
    return before[word] + _ones(marks[word] & (_ONE << (place & _IN_WORD)) - _ONE)  # type: ignore[no-any-return]
