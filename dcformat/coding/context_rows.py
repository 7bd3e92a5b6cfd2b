"""Runs of gap symbols and of weights' symbols to CSR."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import called, inlined, kernel
from . import pick
from .context_places import Walk, begin_runs, count_marks, mark, rank
from .eight import EACH_BYTE, all_differ, eight_at, sum_of_eight
from .pick import PICKED, PICKS

_U64 = np.uint64  # unsigned indices: numba then adds no test for negative ones
_ZERO, _ONE, _EIGHT, _PICKED = _U64(0), _U64(1), _U64(8), _U64(PICKED)


@inlined
def _pick_row(
    line: NDArray[np.uint8],
    width: np.uint64,
    count: np.uint64,
    found: np.uint64,
    indices: NDArray[Any],
    symbols: NDArray[np.uint8],
) -> np.uint64:
    """Move the `count` weights of a line, each its symbol plus one, to their places; the place behind the last.

    The line is zeros again.
    """
    if found + count + _PICKED <= _U64(len(indices)):
        for column in range(_ZERO, width, _PICKED):
            found += _U64(pick.pick(line, column, indices, symbols, found))
    elif found + count <= _U64(len(indices)):  # a step would write behind the end
        for column in range(width):
            if line[column]:
                indices[found], symbols[found] = column, line[column] - np.uint8(1)
                found += _ONE
        line[:] = 0
    return found


@called
def _fill_line(
    line: NDArray[np.uint8],
    order: NDArray[Any],
    limit: np.int64,
    gaps: NDArray[np.uint8],
    escape: np.uint8,
    end: np.uint64,
    values: NDArray[np.uint8],
    cell: np.int64,
    k: np.uint64,
    n: np.uint64,
) -> tuple[np.int64, np.uint64, np.uint64]:
    """Write the weights of a stretch of cells, each its symbol plus one, to their columns of a line.

    A run goes on from the gap k and the weight n. Eight gaps are taken together as long as they do not pass the limit,
    and without a look at each where no escape is among them. The cell, gap and weight after the stretch.
    """
    escapes = _U64(escape) * EACH_BYTE
    while k + _EIGHT <= end:
        word = eight_at(gaps, k)
        if cell + sum_of_eight(word) + 7 >= limit:
            break
        if all_differ(word, escapes):
            for i in range(_EIGHT):
                cell += np.int64(gaps[k + i])
                line[_U64(order[_U64(cell)])] = _U64(values[n + i]) + _ONE
                cell += np.int64(1)
            n += _EIGHT
        else:
            for i in range(_EIGHT):
                cell, n = _fill_cell(line, order, gaps[k + i], escape, values, cell, n)
        k += _EIGHT
    while k < end and cell + np.int64(gaps[k]) < limit:
        cell, n = _fill_cell(line, order, gaps[k], escape, values, cell, n)
        k += _ONE
    return cell, k, n


@called
def _fill_cell(
    line: NDArray[np.uint8],
    order: NDArray[Any],
    gap: np.uint8,
    escape: np.uint8,
    values: NDArray[np.uint8],
    cell: np.int64,
    n: np.uint64,
) -> tuple[np.int64, np.uint64]:
    """Take a gap: the cell and the weight after it.

    Whether it is an escape is a matter of chance: no branch. An escape writes a zero where there is one.
    """
    cell += np.int64(gap)
    stored = _U64(gap != escape)
    line[_U64(order[_U64(cell)])] = (_U64(values[n]) + _ONE) * stored
    return cell + np.int64(stored), n + stored


@kernel
def _pick_columns(
    walk: Walk,
    values: NDArray[np.uint8],
    indptr: NDArray[np.int64],
    indices: NDArray[Any],
    symbols: NDArray[np.uint8],
) -> int:
    """`place_runs`: a line has the symbol of each column, and the processor picks those that are there."""
    gaps, ends, _, escapes, row_classes, limits, order = walk
    parts, classes = limits.shape[0], limits.shape[1] - 1
    ahead, at, weight = begin_runs(walk)
    line = np.zeros(len(order) + PICKED, np.uint8)
    indptr[0] = 0
    found = _ZERO
    for row in range(len(indptr) - 1):
        here = _ZERO
        for part in range(parts):
            row_class = row_classes[row * parts + part]
            for c in range(classes):
                t, limit = row_class + c, limits[part, c + 1]
                first, escape = _U64(weight[t]), np.uint8(escapes[t])
                cell, k, n = limits[part, c] + ahead[t], _U64(at[t]), first
                cell, k, n = _fill_line(line, order, limit, gaps, escape, _U64(ends[t]), values, cell, k, n)
                here += n - first
                ahead[t], at[t], weight[t] = cell - limit, k, n
        found = _pick_row(line, _U64(len(order)), here, found, indices, symbols)
        indptr[row + 1] = np.int64(found)
    return np.int64(found)  # type: ignore[return-value]


@kernel
def _mark_columns(
    walk: Walk,
    values: NDArray[np.uint8],
    indptr: NDArray[np.int64],
    indices: NDArray[Any],
    symbols: NDArray[np.uint8],
) -> int:
    """`place_runs`: marks of the columns that are there tell the place of each."""
    gaps, ends, _, escapes, row_classes, limits, order = walk
    parts, classes = limits.shape[0], limits.shape[1] - 1
    ahead, at, weight = begin_runs(walk)
    width = len(order)
    marks, before = np.zeros((width + 63) // 64, np.uint64), np.empty((width + 63) // 64, np.uint64)
    columns, line = np.empty(width, order.dtype), np.empty(width, np.uint8)
    indptr[0] = 0
    found = _ZERO
    for row in range(len(indptr) - 1):
        here = _ZERO
        for part in range(parts):
            row_class = row_classes[row * parts + part]
            for c in range(classes):
                t, limit = row_class + c, limits[part, c + 1]
                cell, k, n = limits[part, c] + ahead[t], _U64(at[t]), _U64(weight[t])
                end, escape = _U64(ends[t]), np.uint8(escapes[t])
                # Whether a symbol is an escape is a matter of chance: no branch. An escape writes as well, what the
                # next weight of the run writes over.
                if width:
                    while k < end and cell + np.int64(gaps[k]) < limit:
                        cell += np.int64(gaps[k])
                        column = _U64(order[_U64(cell)])
                        stored = _U64(gaps[k] != escape)
                        mark(marks, column, stored)
                        columns[here] = column
                        line[here] = values[n]
                        cell += np.int64(stored)
                        here += stored
                        n += stored
                        k += _ONE
                else:
                    while k < end and cell + np.int64(gaps[k]) < limit:
                        cell += np.int64(gaps[k])
                        stored = _U64(gaps[k] != escape)
                        indices[found] = cell
                        symbols[found] = values[n]
                        cell += np.int64(stored)
                        found += stored
                        n += stored
                        k += _ONE
                ahead[t], at[t], weight[t] = cell - limit, k, n
        if width:  # in the order of columns
            after = count_marks(marks, before, found)
            for i in range(here):
                column = _U64(columns[i])
                place = rank(marks, before, column)
                indices[place], symbols[place] = column, line[i]
            marks[:] = 0
            found = after
        indptr[row + 1] = np.int64(found)
    return np.int64(found)  # type: ignore[return-value]


def place_runs(
    walk: Walk,
    values: NDArray[np.uint8],
    free: bool,
    indptr: NDArray[np.int64],
    indices: NDArray[Any],
    symbols: NDArray[np.uint8],
) -> int:
    """Runs of gaps and of symbols to CSR, with columns that are coded in another order than their own put in place.

    Parameters
    ----------
    walk : Walk
        Sound by `check_runs`.
    values : ndarray of uint8, shape (weights,)
        Symbols in the order of runs.
    free : bool
        Whether all symbols are below 255.
    indptr : ndarray of int64, shape (rows + 1,)
        Receives the row limits.
    indices : ndarray of integers, shape (weights,)
        Receives the columns.
    symbols : ndarray of uint8, shape (weights,)
        Receives the symbols.

    Returns
    -------
    int
        Weights that lie in the matrix.
    """
    cells = len(walk[-1]) * (len(indptr) - 1)
    # To look at a line takes as long, however few weights are in it.
    picking = PICKS and free and 0 < cells <= len(values) * PICKED
    return int((_pick_columns if picking else _mark_columns)(walk, values, indptr, indices, symbols))
