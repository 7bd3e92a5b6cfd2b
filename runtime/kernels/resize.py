"""Interpolation of images along both axes: each output is a weighted sum of a few elements of a few rows."""

from __future__ import annotations

from ..jit import kernel
from .contract import F32, I64


@kernel
def resize(x: F32, out: F32, line: F32, rows: I64, row_weights: F32, columns: I64, column_weights: F32) -> None:
    """Sum rows into a line, then elements of the line into each output.

    Parameters
    ----------
    x : ndarray of float32, shape (planes, height, width)
        Where 16 samples lie side by side, they count as elements of a row; so in `out`.
    out : ndarray of float32, shape (planes, out_height, out_width)
    line : ndarray of float32, shape (width,)
        Scratch.
    rows : ndarray of int64, shape (out_height, taps)
    row_weights : ndarray of float32, shape (out_height, taps)
    columns : ndarray of int64, shape (taps, out_width)
    column_weights : ndarray of float32, shape (taps, out_width)
    """
    planes, _, width = x.shape
    out_height, out_width = out.shape[1:]
    for p in range(planes):
        for i in range(out_height):
            factor = row_weights[i, 0]
            for j in range(width):
                line[j] = x[p, rows[i, 0], j] * factor
            for tap in range(1, rows.shape[1]):
                factor = row_weights[i, tap]
                for j in range(width):
                    line[j] += x[p, rows[i, tap], j] * factor
            for j in range(out_width):
                out[p, i, j] = line[columns[0, j]] * column_weights[0, j]
            for tap in range(1, columns.shape[0]):
                for j in range(out_width):
                    out[p, i, j] += line[columns[tap, j]] * column_weights[tap, j]


@kernel
def resize_nearest(x: F32, out: F32, rows: I64, columns: I64) -> None:
    """Take one element for each output.

    Parameters
    ----------
    x : ndarray of float32, shape (planes, height, width)
    out : ndarray of float32, shape (planes, out_height, out_width)
    rows : ndarray of int64, shape (out_height,)
        Ascending.
    columns : ndarray of int64, shape (out_width,)
    """
    planes = x.shape[0]
    out_height, out_width = out.shape[1:]
    for p in range(planes):
        for i in range(out_height):
            if i > 0 and rows[i] == rows[i - 1]:
                for j in range(out_width):
                    out[p, i, j] = out[p, i - 1, j]
            else:
                for j in range(out_width):
                    out[p, i, j] = x[p, rows[i], columns[j]]
