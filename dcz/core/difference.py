"""Difference between two answers of a network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def relative_error(found: NDArray[Any], expected: NDArray[Any]) -> float:
    """Largest difference of two arrays, relative to the largest finite magnitude expected.

    Equal infinities in one place are no difference, nor are two NaNs.
    """
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0, np.abs(found - expected))
    largest = np.abs(expected).max(initial=0, where=np.isfinite(expected))
    return float(difference.max() / max(largest, 1e-30))
