"""Histograms of small numbers, and the least bits that symbols of a histogram take."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PIECE = 1 << 20
"""Numbers that are counted at a time, since `numpy.bincount` makes eight bytes of each."""
MOST_BINS = 1 << 20
"""Numbers below this are counted without sorting."""


def histogram(numbers: NDArray[Any], size: int) -> NDArray[np.int64]:
    """Occurrences of each number below `size`: ndarray of int64, shape (size,).

    Parameters
    ----------
    numbers : ndarray of any integers, shape (n,)
        None negative, none above ``size - 1``.
    size : int
    """
    counts = np.zeros(size, np.int64)
    for begin in range(0, len(numbers), PIECE):
        counts += np.bincount(numbers[begin : begin + PIECE], minlength=size)
    return counts


def occurrences_of(numbers: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count non-negative numbers.

    Parameters
    ----------
    numbers : ndarray of any integers, shape (n,)

    Returns
    -------
    distinct : ndarray of int64, shape (k,)
        Ascending.
    occurrences : ndarray of int64, shape (k,)
    """
    if not len(numbers) or numbers.max() >= MOST_BINS:
        distinct, counts = np.unique(numbers, return_counts=True)
        return distinct.astype(np.int64), counts.astype(np.int64)
    counts = histogram(numbers, int(numbers.max()) + 1)
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
