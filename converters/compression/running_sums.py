"""Prefix sums of many numbers, kept at intervals to save memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

STEP = 64
"""Interval of the sums that are kept."""
PIECE = STEP << 14
"""Numbers that are converted to float64 at a time."""


class RunningSums:
    """Sums of the first i numbers, in float64, added one by one.

    Other sums are computed from the last one kept, in the same order, so they equal those of ``numpy.cumsum`` bit for
    bit.

    Parameters
    ----------
    numbers : ndarray of float, shape (n,)
        Not copied: must not change.

    Attributes
    ----------
    kept : ndarray of float64, shape (n // `STEP` + 1,)
        Sums of the first 0, `STEP`, 2 `STEP`, ... numbers.
    """

    def __init__(self, numbers: NDArray[Any]) -> None:
        self._numbers = numbers
        self.kept = np.zeros(len(numbers) // STEP + 1)
        total = 0.0
        for start in range(0, len(numbers), PIECE):
            sums = numbers[start : start + PIECE].astype(np.float64)
            sums[0] += total
            np.cumsum(sums, out=sums)
            total = sums[-1]
            first = start // STEP + 1
            self.kept[first : first + len(sums) // STEP] = sums[STEP - 1 :: STEP]

    def between(self, bounds: NDArray[np.intp]) -> NDArray[np.float64]:
        """Sums between adjacent bounds: differences of prefix sums.

        Parameters
        ----------
        bounds : ndarray of int, shape (k + 1,)
            0 to n each.

        Returns
        -------
        ndarray of float64, shape (k,)
        """
        rows, rest = np.divmod(bounds, STEP)
        columns = np.arange(STEP)
        places = np.minimum(rows[:, None] * STEP + columns, len(self._numbers) - 1)
        summands = np.where(columns < rest[:, None], self._numbers[places], 0).astype(np.float64)
        summands[:, 0] += self.kept[rows]
        sums: NDArray[np.float64] = np.cumsum(summands, axis=1)[:, -1]
        return np.diff(sums)
