"""Counting and coding in contexts: the encoder's side of `context_decode`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import kernel
from .context_places import flush


@kernel
def coded_columns(
    indptr: NDArray[np.int64],
    indices: NDArray[Any],
    place_of: NDArray[np.int32],
    marks: NDArray[np.uint32],
    out: NDArray[np.int32],
) -> None:
    """Coded places of the weights of each row, in their order.

    Parameters
    ----------
    indptr, indices
        Row limits and columns.
    place_of : ndarray of int32, shape (columns,)
        Coded place of each column: the inverse of a layout's order.
    marks : ndarray of uint32, shape (ceil(columns / 32),)
        Zeros.
    out : ndarray of int32, shape (weights,)
    """
    at = np.uint64(0)
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            place = np.uint64(place_of[np.int64(indices[k])])
            marks[place >> np.uint64(5)] |= np.uint32(np.uint64(1) << (place & np.uint64(31)))
        at = flush(marks, out, at)


@kernel
def walk_gaps(
    indptr: NDArray[np.int64],
    places: NDArray[np.int32],
    first: int,
    end: int,
    parts: int,
    row_classes: NDArray[np.uint8],
    column_classes: NDArray[np.uint8],
    escape: int,
    counts: NDArray[np.int64],
    symbols: NDArray[np.uint8],
    tables: NDArray[np.uint8],
) -> int:
    """Gap symbols of a chunk and their tables, counted, and written where there is room for them.

    Parameters
    ----------
    indptr : ndarray of int64, shape (rows + 1,)
    places : ndarray of int32, shape (weights,)
        Coded places, ascending in each row.
    first, end : int
        Rows of the chunk.
    parts, row_classes, column_classes
        Of the layout.
    escape : int
    counts : ndarray of int64, shape (tables, escape + 1)
        Added to.
    symbols, tables : ndarray of uint8, shape (n,) or (0,)

    Returns
    -------
    int
        Number of symbols.
    """
    columns = len(column_classes)
    width = columns // parts
    written = 0
    start_row, start = first, 0  # where the next gap begins
    for row in range(first, end):
        for k in range(indptr[row], indptr[row + 1]):
            gap = (row - start_row) * columns + places[k] - start
            while True:
                table = row_classes[start_row * parts + start // width] + column_classes[start]
                symbol = min(gap, escape)
                counts[table, symbol] += 1
                if written < len(symbols):
                    symbols[written], tables[written] = symbol, table
                written += 1
                start += symbol + (symbol != escape)
                while start >= columns:
                    start -= columns
                    start_row = min(start_row + 1, len(indptr) - 2)
                if symbol != escape:
                    break
                gap -= escape
    return written


@kernel
def neighbour_sums(
    places: NDArray[np.int32],
    limits: NDArray[np.int64],
    up: int,
    positive: int,
    symbols: NDArray[np.uint8],
    signs: NDArray[np.int8],
    out: NDArray[np.uint8],
) -> None:
    """Signed sum of each weight's neighbours, plus 6: see `context_decode.decode_values`.

    Parameters
    ----------
    places, up, positive
        As there.
    limits : ndarray of int64, shape (chunks + 1,)
        First weight of each chunk, and the end of the last.
    symbols : ndarray of uint8, shape (weights,)
    signs : ndarray of int8
        Zeros; more than the greatest of `places`.
    out : ndarray of uint8, shape (weights,)
    """
    for chunk in range(len(limits) - 1):
        for k in range(limits[chunk], limits[chunk + 1]):
            place = places[k]
            near = np.int64(signs[place - 1]) + signs[place - up]
            out[k] = 6 + 2 * near + signs[place - up - 1] + signs[place - up + 1]
            signs[place] = 1 if symbols[k] < positive else -1
        for k in range(limits[chunk], limits[chunk + 1]):
            signs[places[k]] = 0
