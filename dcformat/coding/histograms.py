"""Histograms of small numbers, and the least bits that symbols of a histogram take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_BINS = 1 << 20
"""Numbers below this are counted without sorting."""


def occurrences_of(numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count non-negative numbers.

    Parameters
    ----------
    numbers : ndarray of int64, shape (n,)

    Returns
    -------
    distinct : ndarray of int64, shape (k,)
        Ascending.
    occurrences : ndarray of int64, shape (k,)
    """
    if not len(numbers) or numbers.max() >= MOST_BINS:
        distinct, counts = np.unique(numbers, return_counts=True)
        return distinct, counts.astype(np.int64)
    counts = np.bincount(numbers)
    found = np.flatnonzero(counts)
    return found, counts[found]


def entropy_bits(counts: NDArray[np.int64]) -> float:
    """Bits that symbols of a histogram take at least, each coded by itself (Shannon 1948): 0 where one symbol occurs.

    Parameters
    ----------
    counts : ndarray of int64, shape (n,)
        Occurrences of each symbol; zeros do not count.
    """
    found = counts[counts > 0]
    return float(-(found * np.log2(found / found.sum())).sum())
