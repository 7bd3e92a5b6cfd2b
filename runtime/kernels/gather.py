"""Rows of a table by their numbers."""

from __future__ import annotations

import numpy as np

from ..jit import kernel
from .contract import F32


@kernel
def gather_rows(x: F32, table: F32, out: F32) -> None:
    """``out[n, i, :, l] = table[x[n, i, l]]``.

    Parameters
    ----------
    x : ndarray of float32, shape (samples, numbers, lanes)
        Row numbers; each is rounded down, and one outside of the table counts as the nearest. NaN counts as 0.
    table : ndarray of float32, shape (rows, columns)
    out : ndarray of float32, shape (samples, numbers, columns, lanes)
    """
    samples, numbers, lanes = x.shape
    rows, columns = table.shape
    last = np.float32(rows - 1)
    for n in range(samples):
        for i in range(numbers):
            for lane in range(lanes):
                number = x[n, i, lane]
                row = int(min(number, last)) if number > np.float32(0) else 0
                for k in range(columns):
                    out[n, i, k, lane] = table[row, k]
