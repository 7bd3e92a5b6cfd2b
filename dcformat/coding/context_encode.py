"""Weights in the order of runs, and the signs of their neighbours: the encoder's side of `context_decode`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import kernel
from .context_places import count_marks, mark, rank
from .frequencies import SUMS


@kernel
def coded_columns(
    indptr: NDArray[np.int64],
    indices: NDArray[Any],
    place_of: NDArray[np.int32],
    out: NDArray[np.int32],
    weights: NDArray[np.int32],
) -> None:
    """Coded places of the weights of each row, in their order.

    Parameters
    ----------
    indptr, indices
        Row limits and columns.
    place_of : ndarray of int32, shape (columns,)
        Coded place of each column: the inverse of a layout's order.
    out : ndarray of int32, shape (weights,)
        Receives the places.
    weights : ndarray of int32, shape (weights,)
        Receives the number of the weight at each.
    """
    marks, before = np.zeros((len(place_of) + 63) // 64, np.uint64), np.empty((len(place_of) + 63) // 64, np.uint64)
    for row in range(len(indptr) - 1):
        for k in range(indptr[row], indptr[row + 1]):
            mark(marks, np.uint64(place_of[np.int64(indices[k])]), np.uint64(1))
        count_marks(marks, before, np.uint64(indptr[row]))
        for k in range(indptr[row], indptr[row + 1]):
            place = np.uint64(place_of[np.int64(indices[k])])
            at = rank(marks, before, place)
            out[at], weights[at] = place, k
        marks[:] = 0


@kernel
def into_runs(
    indptr: NDArray[np.int64],
    places: NDArray[np.int32],
    row_classes: NDArray[np.uint8],
    limits: NDArray[np.int64],
    at: NDArray[np.int64],
    cells: NDArray[np.int64],
    weights: NDArray[np.int32],
    out: NDArray[np.int32],
) -> None:
    """Sort weights into runs.

    Parameters
    ----------
    indptr : ndarray of int64, shape (rows + 1,)
    places : ndarray of int32, shape (weights,)
        Coded places, ascending in each row.
    row_classes, limits
        Of the layout.
    at : ndarray of int64, shape (tables,)
        First weight of each run; becomes its end. With `out` empty, weights are counted.
    cells : ndarray of int64, shape (tables,)
        Zeros; receives the cells of each table.
    weights, out : ndarray of int32, shape (weights,) or (0,)
        Receive the place in `places`, and the cell of its table, of each weight.
    """
    parts, classes = limits.shape[0], limits.shape[1] - 1
    for row in range(len(indptr) - 1):
        k, end = indptr[row], indptr[row + 1]
        for part in range(parts):
            row_class = row_classes[row * parts + part]
            for c in range(classes):
                t = row_class + c
                while k < end and places[k] < limits[part, c + 1]:
                    if len(out):
                        out[at[t]] = cells[t] + places[k] - limits[part, c]
                        weights[at[t]] = k
                    at[t] += 1
                    k += 1
                cells[t] += limits[part, c + 1] - limits[part, c]


@kernel
def neighbour_sums(
    places: NDArray[np.int32],
    counts: NDArray[np.int64],
    lanes: int,
    up: int,
    positive: int,
    symbols: NDArray[np.uint8],
    signs: NDArray[np.int8],
    out: NDArray[np.uint8],
) -> None:
    """Signed sum of the neighbours of each weight that are decoded before it, plus 6: see `context_decode`.

    Parameters
    ----------
    places, up, positive
        As for `context_decode.decode_signed`.
    counts : ndarray of int64, shape (tables,)
        Weights of each run.
    lanes : int
    symbols, out : ndarray of uint8, shape (weights,)
        In the order of runs.
    signs : ndarray of int8
        Zeros; more than the greatest of `places`.
    """
    first = 0
    for count in counts:
        part = -(-count // lanes)
        for r in range(part):
            for lane in range(lanes):
                k = first + lane * part + r
                if k < first + count:
                    place = places[k]
                    near = np.int64(signs[place - 1]) + signs[place - up]
                    out[k] = SUMS - 1 + 2 * near + signs[place - up - 1] + signs[place - up + 1]
                    signs[place] = 1 if symbols[k] < positive else -1
        first += count
