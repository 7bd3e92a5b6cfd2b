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
    part, group, members = 0, 0, 0  # counted, as divisions take long
    for column in range(columns):
        stretch[column] = part * most + (classes[group] if len(classes) else 0)
        counts[stretch[column] + 1] += 1
        part = part + 1 if part + 1 < parts else 0
        members += 1
        if members == each:
            group, members = group + 1, 0
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
    rows = np.zeros((parts, len(cells) - classes + 1), np.int64)
    part = 0
    for row_class in row_classes:
        rows[part, row_class] += 1
        part = part + 1 if part + 1 < parts else 0
    for part in range(parts):
        for r in range(rows.shape[1]):
            for c in range(classes):
                cells[r + c] += rows[part, r] * (limits[part, c + 1] - limits[part, c])


@kernel
def pad_kernels(height: int, width: int, places: NDArray[np.int32]) -> None:
    """Place of each column of a row whose kernels have a line of zeros above and a column of them to the left."""
    lines = len(places) // width
    for line in range(lines):
        first = (line // height * (height + 1) + line % height + 1) * (width + 1) + 1
        for column in range(width):
            places[line * width + column] = first + column
