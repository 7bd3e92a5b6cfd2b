"""The layout of a tensor in `context`: rows and columns, their classes, and the order in which columns are coded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..coding.context_columns import count_cells, pad_kernels, sort_columns
from ..graph.graph import Shape
from ..tensors import index_dtype

Ints = NDArray[np.int64]


class Columns(IntEnum):
    """Which columns have a class of their own."""

    NONE = 0
    CHANNELS = 1
    EACH = 2


class Rows(IntEnum):
    """Which rows have a class of their own."""

    NONE = 0
    CHANNELS = 1
    EACH = 2


def kernel_shape(shape: Shape) -> tuple[int, int]:
    """Height and width of the kernels of a tensor of weights: its last two axes behind the first two."""
    height, width = (1, 1, *shape[2:])[-2:]
    return height, width


def row_size(shape: Shape) -> tuple[int, int]:
    """Rows, and weights of a row."""
    rows = shape[0] if shape else 1
    return rows, prod(shape) // rows


def places_of(shape: Shape) -> tuple[NDArray[np.int32], int, int]:
    """Padded place of each column in its row, places of a row, and places from line to line.

    Each kernel has a line of zeros above it and a column of zeros to the left, which is to the right of the line
    before.
    """
    height, width = kernel_shape(shape)
    _, columns = row_size(shape)
    of_kernel, of_line = (height + 1) * (width + 1), width + 1
    padded = np.empty(columns, np.int32)
    pad_kernels(height, width, padded)
    return padded, columns // (height * width) * of_kernel, of_line


def sign_places(shape: Shape) -> int:
    """Padded places of a tensor."""
    height, width = kernel_shape(shape)
    rows, columns = row_size(shape)
    return rows * (columns // (height * width)) * (height + 1) * (width + 1) + width + 2


@dataclass(frozen=True, eq=False)
class Layout:
    """In which order positions are coded, and with which tables.

    Attributes
    ----------
    parts : int
        Parts into which the columns of a row are split by kernel position.
    row_classes : ndarray of uint8, shape (rows * parts,)
        Counted from 0.
    limits : ndarray of int64, shape (parts, classes + 1)
        Coded places at which each class of columns begins, in each part, and of the end of the last.
    order : ndarray of uint16 or int32, shape (columns,) or (0,)
        Column at each coded place; empty for their own order.
    """

    parts: int
    row_classes: NDArray[np.uint8]
    limits: Ints
    order: NDArray[Any]

    @staticmethod
    def of(shape: Shape, rows: Rows, columns: Columns, row_classes: Ints, column_classes: Ints) -> Layout:
        """Lay out a tensor's columns by kernel position, if rows have a class for each, then by class.

        Parameters
        ----------
        row_classes : ndarray of int64
            One a row, one a row and kernel position, or none.
        column_classes : ndarray of int64
            One a channel, one a column, or none.
        """
        count, width = row_size(shape)
        inner = prod(kernel_shape(shape))
        parts = inner if rows == Rows.EACH else 1
        if rows == Rows.NONE:
            row_classes = np.zeros(count, np.int64)
        if columns == Columns.NONE and parts == 1:
            return Layout(1, _from_zero(row_classes), np.array([[0, width]]), np.empty(0, index_dtype(width)))
        each = inner if columns == Columns.CHANNELS else 1
        column_classes = column_classes - column_classes.min() if columns != Columns.NONE else np.zeros(0, np.int64)
        limits = np.empty((parts, int(column_classes.max(initial=0)) + 2), np.int64)
        order = np.empty(width, index_dtype(width))
        sort_columns(column_classes, each, parts, limits, order)
        return Layout(parts, _from_zero(row_classes), limits, order)

    @cached_property
    def tables(self) -> int:
        """Sums of a row's and a column's class."""
        return int(self.row_classes.max()) + int(self.limits.shape[1]) - 1

    def cells(self) -> Ints:
        """Places for weights of each table: ndarray of shape (tables,)."""
        cells = np.zeros(self.tables, np.int64)
        count_cells(self.row_classes, self.limits, cells)
        return cells


def _from_zero(classes: Ints) -> NDArray[np.uint8]:
    counted: NDArray[np.uint8] = (classes - classes.min()).astype(np.uint8)
    return counted
