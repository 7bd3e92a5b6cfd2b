"""The layout of a tensor in `context`: rows and columns, their classes, and the order in which columns are coded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from math import prod

import numpy as np
from numpy.typing import NDArray

from ..graph.graph import Shape

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
    kernel, within = np.divmod(np.arange(columns), height * width)
    line, column = np.divmod(within, width)
    padded = kernel * (height + 1) * (width + 1) + (line + 1) * (width + 1) + column + 1
    return padded.astype(np.int32), columns // (height * width) * (height + 1) * (width + 1), width + 1


def sign_places(shape: Shape, rows: Ints) -> int:
    """Padded places of the largest of some chunks of rows."""
    height, width = kernel_shape(shape)
    padded = row_size(shape)[1] // (height * width) * (height + 1) * (width + 1)
    return int(np.diff(rows).max()) * padded + width + 2


@dataclass(frozen=True, eq=False)
class Layout:
    """In which order positions are coded, and with which tables.

    Attributes
    ----------
    parts : int
        Parts into which the columns of a row are split by kernel position, each coded as a row of its own.
    row_classes : ndarray of uint8, shape (rows * parts,)
        Counted from 0.
    column_classes : ndarray of uint8, shape (columns,)
        In coded order, counted from 0.
    order : ndarray of int32, shape (columns,) or (0,)
        Column at each coded place; empty for their own order.
    """

    parts: int
    row_classes: NDArray[np.uint8]
    column_classes: NDArray[np.uint8]
    order: NDArray[np.int32]

    @staticmethod
    def of(shape: Shape, rows: Rows, columns: Columns, row_classes: Ints, column_classes: Ints) -> Layout:
        """Lay out a tensor's columns, the likelier ones first.

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
        if columns == Columns.CHANNELS:
            column_classes = np.repeat(column_classes, inner)
        elif columns == Columns.NONE:
            column_classes = np.zeros(width, np.int64)
        if rows == Rows.NONE:
            row_classes = np.zeros(count, np.int64)
        order = np.empty(0, np.int32)
        if rows == Rows.EACH or columns != Columns.NONE:
            position = np.arange(width) % inner if rows == Rows.EACH else np.zeros(width, np.int64)
            order = np.lexsort((-column_classes, position)).astype(np.int32)
            column_classes = column_classes[order]
        return Layout(parts, _from_zero(row_classes), _from_zero(column_classes), order)

    @property
    def tables(self) -> int:
        """Sums of a row's and a column's class."""
        return int(self.row_classes.max()) + int(self.column_classes.max()) + 1


def _from_zero(classes: Ints) -> NDArray[np.uint8]:
    counted: NDArray[np.uint8] = (classes - classes.min()).astype(np.uint8)
    return counted
