"""Difference between two answers of a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Answer: TypeAlias = NDArray[Any] | Mapping[str, NDArray[Any]]
"""What a network answers: an array, or several by name."""


def relative_error(found: Answer, expected: Answer) -> float:
    """Largest difference of two arrays, relative to the largest finite magnitude expected.

    Equal infinities in one place are no difference, nor are two NaNs. Of several arrays, the largest such figure.
    """
    if isinstance(expected, Mapping):
        assert isinstance(found, Mapping)
        return max(_relative_error(found[name], array) for name, array in expected.items())
    assert not isinstance(found, Mapping)
    return _relative_error(found, expected)


def _relative_error(found: NDArray[Any], expected: NDArray[Any]) -> float:
    same = (found == expected) | (np.isnan(found) & np.isnan(expected))
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0, np.abs(found - expected))
    largest = np.abs(expected).max(initial=0, where=np.isfinite(expected))
    return float(difference.max() / max(largest, 1e-30))
