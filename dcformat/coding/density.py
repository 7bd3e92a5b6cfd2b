"""Densities of a matrix by row and by column: classes that say where weights are likelier than elsewhere.

The odds of a weight at row r, column c are those of the matrix times ``exp(step (row class + column class))``. The
classes are fitted by Newton's method to the weights of each row and column, with additions, multiplications and
divisions alone: the same classes on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..jit import inlined, kernel

STEP = 0.6
"""Natural logarithm of the odds between neighbouring classes."""
MAX_CLASS = 6
_ROUNDS = 8
_PRIOR = 1.0
"""Inverse variance of a row's or column's log-odds: rows of few weights stay near zero."""
_LARGEST = 4.0

Floats = NDArray[np.float64]


@inlined
def _update(sums: Floats, logs: Floats, odds: Floats, others: Floats, repeats: Floats, base: float) -> None:
    """One step of Newton's method for all rows, given the odds of the columns and how often each occurs."""
    for r in range(len(sums)):
        mean = variance = 0.0
        for c in range(len(others)):
            product = base * odds[r] * others[c]
            p = product / (1.0 + product)
            mean += repeats[c] * p
            variance += repeats[c] * p * (1.0 - p)
        change = (sums[r] - mean - _PRIOR * logs[r]) / (variance + _PRIOR)
        change = min(max(change, -1.0), 1.0)
        if abs(logs[r] + change) > _LARGEST:
            continue
        logs[r] += change
        odds[r] *= (12.0 + 6.0 * change + change * change) / (12.0 - 6.0 * change + change * change)  # exp, Pade


@kernel
def _fit(
    row_sums: Floats,
    row_repeats: Floats,
    column_sums: Floats,
    column_repeats: Floats,
    base: float,
    row_logs: Floats,
    column_logs: Floats,
) -> None:
    row_odds, column_odds = np.ones(len(row_sums)), np.ones(len(column_sums))
    for _ in range(_ROUNDS):
        _update(row_sums, row_logs, row_odds, column_odds, column_repeats, base)
        _update(column_sums, column_logs, column_odds, row_odds, row_repeats, base)


def classes_of(
    row_sums: NDArray[np.int64], column_sums: NDArray[np.int64], cells: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Classes of rows and columns.

    Parameters
    ----------
    row_sums : ndarray of int64, shape (rows,)
        Weights of each row.
    column_sums : ndarray of int64, shape (columns,)
    cells : int
        Places where a row meets a column: more than one where several columns of the matrix count as one.

    Returns
    -------
    row_classes : ndarray of int64, shape (rows,)
        -`MAX_CLASS` to `MAX_CLASS`.
    column_classes : ndarray of int64, shape (columns,)
    """
    places = len(row_sums) * len(column_sums) * cells
    stored = int(row_sums.sum())
    base = (stored + 0.5) / (places - stored + 0.5)
    # Rows with equally many weights have equal odds: one of them is worked out.
    rows, row_of, row_repeats = np.unique(row_sums, return_inverse=True, return_counts=True)
    columns, column_of, column_repeats = np.unique(column_sums, return_inverse=True, return_counts=True)
    row_logs, column_logs = np.zeros(len(rows)), np.zeros(len(columns))
    _fit(
        rows.astype(np.float64),
        row_repeats.astype(np.float64) * cells,
        columns.astype(np.float64),
        column_repeats.astype(np.float64) * cells,
        base,
        row_logs,
        column_logs,
    )
    return _quantised(row_logs)[row_of], _quantised(column_logs)[column_of]


def _quantised(logs: Floats) -> NDArray[np.int64]:
    return np.clip(np.rint(logs / STEP), -MAX_CLASS, MAX_CLASS).astype(np.int64)
