"""Places of weights: gap symbols to CSR, and a weight's place among the signs of its chunk."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import inlined, kernel

_U64 = np.uint64  # unsigned indices: numba then adds no test for negative ones
_ZERO, _ONE = _U64(0), _U64(1)


@kernel
def padded_places(
    indptr: NDArray[np.int64],
    indices: NDArray[Any],
    rows: NDArray[np.int64],
    padded: NDArray[np.int32],
    size: int,
    places: NDArray[np.int32],
) -> None:
    """Place of each weight in its chunk, where each kernel has a line of zeros above and a column of zeros beside it.

    Parameters
    ----------
    indptr, indices
        Row limits and columns.
    rows : ndarray of int64, shape (chunks + 1,)
        First row of each chunk, and the end of the last.
    padded : ndarray of int32, shape (columns,)
        Place of each column in a row.
    size : int
        Places of a row.
    places : ndarray of int32, shape (weights,)
        Receives them.
    """
    for chunk in range(len(rows) - 1):
        for row in range(rows[chunk], rows[chunk + 1]):
            before = (row - rows[chunk]) * size
            for k in range(indptr[row], indptr[row + 1]):
                places[np.uint64(k)] = before + padded[np.uint64(indices[np.uint64(k)])]


_BITS = _U64(32)
_SPREAD, _SPREAD_SHIFT = _U64(0x077CB531), _U64(27)
_POSITIONS = np.array(
    [
        0,
        1,
        28,
        2,
        29,
        14,
        24,
        3,
        30,
        22,
        20,
        15,
        25,
        17,
        4,
        8,
        31,
        27,
        13,
        23,
        21,
        19,
        16,
        7,
        26,
        12,
        18,
        6,
        11,
        5,
        10,
        9,
    ],
    np.uint64,
)
"""Number of the bit b at ``b * _SPREAD >> 27`` modulo 32: a de Bruijn sequence (Leiserson, Prokop, Randall, 1998)."""


@inlined
def flush(marks: NDArray[np.uint32], indices: NDArray[Any], at: np.uint64) -> np.uint64:
    """Write the columns that are marked, in order, and clear the marks; the place after them."""
    for word in range(_U64(len(marks))):
        bits = _U64(marks[word])
        if bits:
            marks[word] = 0
            while bits:
                rest = bits & (bits - _ONE)
                number = (bits ^ rest) * _SPREAD >> _SPREAD_SHIFT & _U64(31)
                indices[at] = word * _BITS + _POSITIONS[number]
                at += _ONE
                bits = rest
    return at


@kernel
def place_gaps(
    symbols: NDArray[np.uint8],
    limits: NDArray[np.int64],
    stored: NDArray[np.int64],
    rows: NDArray[np.int64],
    width: int,
    order: NDArray[np.int32],
    escape: int,
    marks: NDArray[np.uint32],
    indptr: NDArray[np.int64],
    indices: NDArray[Any],
) -> int:
    """Gap symbols to CSR.

    Parameters
    ----------
    symbols : ndarray of uint8
    limits : ndarray of int64, shape (chunks + 1,)
        Place of each chunk's first symbol, and of the end of the last.
    stored : ndarray of int64, shape (chunks + 1,)
        Place of each chunk's first weight, and of the end of the last.
    rows : ndarray of int64, shape (chunks + 1,)
        First row of each chunk, and the end of the last.
    width : int
        Columns of a row.
    order : ndarray of int32, shape (width,) or (0,)
        Column at each coded place of a row; empty where they are coded in order.
    escape : int
    marks : ndarray of uint32, shape (ceil(width / 32),) or (0,)
        Zeros.
    indptr : ndarray of int64, shape (rows + 1,)
        Receives the row limits.
    indices : ndarray of integers, shape (weights,)
        Receives the columns.

    Returns
    -------
    int
        -1, or the first chunk whose gaps do not give its weights within its rows.
    """
    sorted_columns = len(order) > 0
    at = _ZERO
    indptr[0] = 0
    for chunk in range(len(rows) - 1):
        weights = np.int64(0)
        for n in range(limits[chunk], limits[chunk + 1]):
            weights += np.int64(symbols[_U64(n)] != escape)
        if weights != stored[chunk + 1] - stored[chunk]:
            return chunk
        row, end, column = rows[chunk], rows[chunk + 1], 0
        for n in range(limits[chunk], limits[chunk + 1]):
            gap = np.int64(symbols[_U64(n)])
            column += gap  # type: ignore[assignment]
            while column >= width:
                if row + 1 >= end:
                    return chunk
                if sorted_columns:
                    at = flush(marks, indices, at)
                row += 1
                indptr[row] = np.int64(at)
                column -= width
            if gap != escape:
                if sorted_columns:
                    place = _U64(order[_U64(column)])
                    marks[place >> _U64(5)] |= np.uint32(_ONE << (place & _U64(31)))
                else:
                    indices[at] = column
                    at += _ONE
                column += 1
        if sorted_columns:
            at = flush(marks, indices, at)
        for r in range(row + 1, end + 1):
            indptr[r] = np.int64(at)
    return -1
