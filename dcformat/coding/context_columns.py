"""The order in which the columns of a matrix are coded, and the places of its tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import kernel


@kernel
def sort_columns(
    classes: NDArray[np.int64], each: int, parts: int, limits: NDArray[np.int64], order: NDArray[Any]
) -> None:
    """Sort columns by kernel position, then by class.

    Parameters
    ----------
    classes : ndarray of int64, shape (columns / each,)
        Class of each `each` neighbouring columns, from 0; empty if all are alike.
    each : int
    parts : int
        Column c belongs to part ``c % parts``.
    limits : ndarray of int64, shape (parts, classes + 1)
        Receives the place at which each class begins, and of the end of the last.
    order : ndarray of integers, shape (columns,)
        Receives the column at each place.
    """
    columns, most = len(order), limits.shape[1] - 1
    counts = np.zeros(parts * most + 1, np.int64)
    stretch = np.empty(columns, np.int64)
    for column in range(columns):
        stretch[column] = column % parts * most + (classes[column // each] if len(classes) else 0)
        counts[stretch[column] + 1] += 1
    for i in range(parts * most):
        counts[i + 1] += counts[i]
    for part in range(parts):
        limits[part] = counts[part * most : (part + 1) * most + 1]
    for column in range(columns):
        at = counts[stretch[column]]
        counts[stretch[column]] = at + 1
        order[at] = column


@kernel
def count_cells(row_classes: NDArray[np.uint8], limits: NDArray[np.int64], cells: NDArray[np.int64]) -> None:
    """Places for weights in each table.

    Parameters
    ----------
    row_classes : ndarray of uint8, shape (rows * parts,)
    limits : ndarray of int64, shape (parts, classes + 1)
    cells : ndarray of int64, shape (tables,)
        Zeros; receives them.
    """
    parts, classes = limits.shape[0], limits.shape[1] - 1
    for i in range(len(row_classes)):
        part = i % parts
        for c in range(classes):
            cells[row_classes[i] + c] += limits[part, c + 1] - limits[part, c]
