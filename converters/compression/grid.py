"""Uniform grids in place of clusters: at the same squared error, often of fewer bytes.

Evenly spaced values need hardly a codebook, and their codes, of which there are more, have a lower entropy: at high
rates a uniform quantizer with an ideal code is optimal (Gish and Pierce 1968).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...dcformat.coding.codebook import write_codebook
from ...dcformat.constants import MAX_CODEBOOK
from .running_sums import RunningSums

F64 = NDArray[np.float64]
Bounds = NDArray[np.intp]
_HALVINGS = 30


class Division(NamedTuple):
    """Sorted numbers divided into intervals, and one number for each.

    Attributes
    ----------
    bounds : ndarray of int, shape (k + 1,)
        Interval i holds the numbers from ``bounds[i]`` up to ``bounds[i + 1]``, at least one.
    centroids : ndarray of float32, shape (k,)
        Ascending; none zero, but equal ones may follow each other.
    """

    bounds: Bounds
    centroids: NDArray[np.float32]

    def bits(self) -> float:
        """Bits of an ideal code for the intervals, and of the codebook."""
        codebook = np.unique(self.centroids)
        by_pattern = codebook[np.argsort(codebook.view(np.uint32))]
        counts = np.diff(self.bounds)
        return float(-(counts * np.log2(counts / counts.sum())).sum()) + 8 * len(write_codebook(by_pattern)[1])


def coarsest_grids(ordered: NDArray[Any], clusters: Division) -> list[Division]:
    """The coarsest uniform grids whose squared error is at most that of some clusters.

    Parameters
    ----------
    ordered : ndarray of float, shape (n,)
        Ascending, none zero, with two distinct numbers or more.
    clusters : Division
        Of these numbers.

    Returns
    -------
    list of Division
        Multiples of a step but zero, and odd multiples of half a step; neither if it takes more than 256 values.
    """
    sums = RunningSums(ordered)
    most = _error(sums, clusters)
    return [grid for odd in (False, True) if (grid := _coarsest(ordered, sums, odd, most)) is not None]


def _error(sums: RunningSums, division: Division) -> float:
    """Squared error, less the sum of the squares of the numbers."""
    centroids = division.centroids.astype(np.float64)
    return float((centroids * (centroids * np.diff(division.bounds) - 2 * sums.between(division.bounds))).sum())


def _coarsest(ordered: NDArray[Any], sums: RunningSums, odd: bool, most: float) -> Division | None:
    """Halve the interval in which the greatest step lies whose error is small enough."""
    least, greatest = (
        (float(ordered[-1]) - float(ordered[0])) / (MAX_CODEBOOK - 2),
        float(np.abs(ordered[[0, -1]]).max()),
    )
    best = None
    if not 0 < np.float32(least / 2) <= greatest < np.finfo(np.float32).max / 2:
        return None  # a step that float32 does not hold, or levels that pass its largest number
    for step in [least, *[np.nan] * _HALVINGS]:
        step = step if best is None else (least + greatest) / 2
        grid = _divide(ordered, step, odd)
        if len(grid.centroids) <= MAX_CODEBOOK and _error(sums, grid) <= most:
            best, least = grid, step
        elif best is None:
            return None
        else:
            greatest = step
    return best


def _divide(ordered: NDArray[Any], step: float, odd: bool) -> Division:
    """Take each number to the nearest level that is not zero."""
    scale = np.float32(step / 2 if odd else step)
    first, last = np.rint(ordered[[0, -1]].astype(np.float64) / float(scale)).astype(np.int64)
    levels = np.arange(first - 2, last + 3)
    levels = levels[levels % 2 != 0] if odd else levels[levels != 0]
    limits = (levels[1:] + levels[:-1]) / 2 * float(scale)
    bounds = np.concatenate([[0], np.searchsorted(ordered, limits.astype(ordered.dtype)), [len(ordered)]])
    used = np.diff(bounds) > 0
    centroids = (levels[used] * np.float64(scale)).astype(np.float32)
    return Division(np.append(bounds[:-1][used], len(ordered)).astype(np.intp), centroids)
