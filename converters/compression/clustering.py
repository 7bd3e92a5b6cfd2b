"""Clustering of numbers on a line: k-means and three related methods.

On a line clusters are intervals of the sorted numbers. With prefix sums a step of Lloyd's algorithm costs O(k log n)
instead of O(k n), and dynamic programming finds the global optimum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import ConversionError
from ...core.jit import compiled, stamp
from .grid import Division, coarsest_grids
from .lloyd import plain_steps
from .replacing import replace
from .running_sums import RunningSums

F64 = NDArray[np.float64]
Bounds = NDArray[np.intp]
"""Shape (k + 1,): cluster i holds the sorted numbers from bounds[i] up to bounds[i + 1]."""

METHODS = ("kmeans", "sklearn", "exact", "dpmeans", "grid")
MAX_STEPS = 300


@dataclass(frozen=True)
class Clustering:
    """How to cluster.

    Attributes
    ----------
    init : {"linear", "density", "random", "kmeans++"}
        Initial centroids of k-means: Deep Compression, section 3.2, and Arthur and Vassilvitskii 2007.
    method : {"kmeans", "sklearn", "exact", "dpmeans", "grid"}
        Lloyd's algorithm, ours or scikit-learn's, which is slower and refills empty clusters in another order; the
        global optimum by dynamic programming, slow and memory-intensive for millions of numbers; or DP-means, which
        chooses the number of clusters itself. "grid" is k-means, or a uniform grid of at most its squared error where
        that takes fewer bytes: then there are more than k values. For numbers that are not trained further.
    seed : int
        For the inits "random" and "kmeans++".
    spread : float
        "dpmeans": no number may lie further from its centroid than this many standard deviations.
    rate : float
        Price of a bit of code, in hundredths of the variance. Above zero, a number may go to a centroid that is further
        away but has a shorter code (entropy-constrained clustering, Chou, Lookabaugh and Gray 1989).
    """

    init: str = "linear"
    method: str = "kmeans"
    seed: int = 0
    spread: float = 0.5
    rate: float = 0.0

    def __post_init__(self) -> None:
        for what, value, known in (("initialisation", self.init, INITS), ("clustering method", self.method, METHODS)):
            if value not in known:
                raise ConversionError(f"unknown {what}", expected=", ".join(known), found=repr(value))
        if not self.spread > 0 or not self.rate >= 0:
            raise ConversionError("out of range", expected="spread > 0 and rate >= 0")


@dataclass(frozen=True)
class Clusters:
    """Clusters of a set of numbers.

    Attributes
    ----------
    codebook : ndarray of float32, shape (k,)
        Ascending, distinct, none zero.
    limits : ndarray of float, shape (m,)
        The least number of each cluster except the first.
    entries : ndarray of int, shape (m + 1,)
        Codebook entry of each cluster. Two clusters may share an entry, when their centroids are equal in float32.
    """

    codebook: NDArray[np.float32]
    limits: NDArray[Any]
    entries: NDArray[np.intp]

    def symbols(self, values: NDArray[Any]) -> NDArray[np.intp]:
        """Codebook entries of numbers that the clusters were made from."""
        return self.entries[np.searchsorted(self.limits, values, side="right")]

    def replace(self, weights: NDArray[np.float32], threshold: float = 0.0, *, prune: bool = False) -> None:
        """Replace weights by their centroids, in place; the clusters were made from those above the threshold.

        Parameters
        ----------
        weights : ndarray of float32, contiguous
        threshold : float
            Weights of at most this magnitude have no centroid.
        prune : bool
            Whether these become zero, or stay as they are.
        """
        replace(weights.reshape(-1), np.float32(threshold), prune, self.limits, self.codebook[self.entries])


def cluster(
    values: NDArray[Any], k: int, how: Clustering | None = None
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Cluster non-zero numbers.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        None zero.
    k : int
        Greatest number of clusters.
    how : Clustering, optional

    Returns
    -------
    codebook : ndarray of float32, shape (<= k,)
        Ascending, distinct, none zero.
    symbols : ndarray of int, shape (n,)
        The entry of each number.

    Raises
    ------
    ConversionError
        A number that is not finite; the method "grid".
    """
    if how is not None and how.method == "grid":
        raise ConversionError("a grid has more than k values, and does not stay one in training", found="method grid")
    clusters = find_clusters(np.sort(values), k, how)
    return clusters.codebook, clusters.symbols(values)


def find_clusters(ordered: NDArray[Any], k: int, how: Clustering | None = None) -> Clusters:
    """Cluster ascending non-zero numbers. K-means needs little memory besides them.

    Parameters
    ----------
    ordered : ndarray of float, shape (n,)
    k, how
        As for `cluster`.

    Raises
    ------
    ConversionError
        A number that is not finite.
    """
    how = how if how is not None else Clustering()
    if not np.isfinite(ordered[[0, -1] if len(ordered) else []]).all():
        raise ConversionError("cannot share weights that are not finite", hint="the checkpoint holds NaN or infinity")
    firsts = _distinct(ordered, k + 1)
    if len(firsts) <= k and not how.rate and how.method != "dpmeans":
        return Clusters(ordered[firsts].astype(np.float32), ordered[firsts[1:]], np.arange(len(firsts)))
    k = min(k, len(firsts))
    if how.method == "exact":
        bounds = _optimal(ordered.astype(np.float64), k)
    elif how.method == "dpmeans":
        bounds = _dp_means(ordered, k, how.spread * float(ordered.astype(np.float64).std()))
    else:
        start = np.sort(INITS[how.init](ordered, k, np.random.default_rng(how.seed)))
        bounds = (_sklearn if how.method == "sklearn" else _lloyd)(ordered, start)
    bounds = np.unique(bounds)
    if how.rate:
        bounds = _weigh_codes(ordered, bounds, how.rate * 0.01 * float(ordered.astype(np.float64).var()))
    division = Division(bounds, _centroids(ordered, bounds))
    if how.method == "grid":
        division = min([division, *coarsest_grids(ordered, division)], key=Division.bits)
    codebook, entries = np.unique(division.centroids, return_inverse=True)
    return Clusters(codebook, ordered[division.bounds[1:-1]], entries.reshape(-1))


def _distinct(ordered: NDArray[Any], most: int) -> NDArray[np.intp]:
    """Start index of each distinct number, for the first `most` of them."""
    firsts: list[int] = []
    at = 0
    while at < len(ordered) and len(firsts) < most:
        firsts.append(at)
        at = int(np.searchsorted(ordered, ordered[at], side="right"))
    return np.array(firsts, dtype=np.intp)


def _means(ordered: NDArray[Any], bounds: Bounds) -> F64:
    sums = [np.add.reduceat(ordered[start:end].astype(np.float64), [0])[0] for start, end in pairwise(bounds)]
    return np.asarray(np.array(sums) / np.diff(bounds))


def _centroids(ordered: NDArray[Any], bounds: Bounds) -> NDArray[np.float32]:
    """Means of the clusters, none zero: a cluster that balances around zero takes its smallest member."""
    centroids = _means(ordered, bounds).astype(np.float32)
    for i in np.flatnonzero(centroids == 0):
        members = ordered[bounds[i] : bounds[i + 1]]
        centroids[i] = members[np.argmin(np.abs(members))]
    return centroids


# Where k-means starts -------------------------------------------------------------------------------------------------


def _linear(ordered: NDArray[Any], k: int, rng: np.random.Generator) -> F64:
    return np.linspace(float(ordered[0]), float(ordered[-1]), k)


def _density(ordered: NDArray[Any], k: int, rng: np.random.Generator) -> F64:
    return ordered[((np.arange(k) + 0.5) / k * len(ordered)).astype(np.intp)].astype(np.float64)


def _random(ordered: NDArray[Any], k: int, rng: np.random.Generator) -> F64:
    return rng.choice(np.unique(ordered), k, replace=False).astype(np.float64)


def _kmeans_plus_plus(ordered: NDArray[Any], k: int, rng: np.random.Generator) -> F64:
    from sklearn.cluster import kmeans_plusplus  # here, because it is slow to import

    values = ordered[:, None].astype(np.float64)
    centers, _ = kmeans_plusplus(values, k, random_state=int(rng.integers(1 << 31)))
    return np.asarray(centers[:, 0], dtype=np.float64)


INITS: dict[str, Callable[[NDArray[Any], int, np.random.Generator], F64]] = {
    "linear": _linear,
    "density": _density,
    "random": _random,
    "kmeans++": _kmeans_plus_plus,
}
"""By name: ``(ascending numbers, k, generator) -> k centroids``."""


# Lloyd's algorithm and DP-means ---------------------------------------------------------------------------------------


def _lloyd(ordered: NDArray[Any], centroids: F64) -> Bounds:
    """Clusters at which Lloyd's algorithm converges; some may be empty."""
    sums, centroids = RunningSums(ordered), np.array(centroids)
    steps = 0
    while (steps := steps + plain_steps(ordered, sums.kept, centroids, MAX_STEPS - steps)) < MAX_STEPS:
        moved = _step(ordered, sums, centroids)
        steps += 1
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return _nearest(ordered, centroids)


def _step(ordered: NDArray[Any], sums: RunningSums, centroids: F64) -> F64:
    """Means of the numbers that are nearest to each centroid; empty clusters take the numbers that are furthest."""
    bounds = _nearest(ordered, centroids)
    counts = np.diff(bounds)
    moved: F64 = np.where(counts > 0, sums.between(bounds) / np.maximum(counts, 1), centroids)
    empty = np.flatnonzero(counts == 0)
    furthest, _ = _outliers(ordered, bounds, moved)
    moved[empty[: len(furthest)]] = furthest[: len(empty)]
    moved.sort()
    return moved


def _sklearn(ordered: NDArray[Any], centroids: F64) -> Bounds:
    """The same with scikit-learn; on one thread, since its sums depend on how many there are."""
    from sklearn.cluster import KMeans  # here, because it is slow to import
    from threadpoolctl import threadpool_limits

    # No tolerance: converged when no label changes, as in `_lloyd`.
    means = KMeans(len(centroids), init=centroids[:, None], n_init=1, max_iter=MAX_STEPS, tol=0)
    with threadpool_limits(1):
        means.fit(ordered[:, None].astype(np.float64))
    return _nearest(ordered, np.sort(means.cluster_centers_[:, 0]))


def _nearest(ordered: NDArray[Any], centroids: F64) -> Bounds:
    return np.concatenate(([0], _first_from(ordered, (centroids[1:] + centroids[:-1]) / 2), [len(ordered)]))


def _first_from(ordered: NDArray[Any], limits: F64) -> Bounds:
    """Index of the first number that is no less than each limit."""
    nearest = limits.astype(ordered.dtype)  # a float64 limit would convert, and so copy, all numbers
    return np.searchsorted(ordered, np.where(nearest < limits, np.nextafter(nearest, np.inf), nearest))


def _outliers(ordered: NDArray[Any], bounds: Bounds, centroids: F64) -> tuple[F64, F64]:
    """Numbers by distance from their centroid, furthest first, and the distances. Only the ends of clusters count."""
    full = np.flatnonzero(np.diff(bounds))
    ends = np.concatenate((ordered[bounds[full]], ordered[bounds[full + 1] - 1])).astype(np.float64)
    distance = np.abs(ends - np.tile(centroids[full], 2))
    order = np.argsort(-distance, kind="stable")
    return ends[order], distance[order]


def _dp_means(ordered: NDArray[Any], k: int, limit: float) -> Bounds:
    """Add a cluster at the furthest number while one lies beyond the limit (Kulis and Jordan 2012, algorithm 1)."""
    bounds = np.array([0, len(ordered)])
    while len(bounds) <= k:
        centroids = _means(ordered, bounds)
        furthest, distance = _outliers(ordered, bounds, centroids)
        if distance[0] <= limit:
            break
        bounds = np.unique(_lloyd(ordered, np.sort(np.append(centroids, furthest[0]))))
    return bounds


# The global optimum ---------------------------------------------------------------------------------------------------


def _optimal(ordered: F64, k: int) -> Bounds:
    """The clusters of least squared error (Wang and Song 2011; Gronlund et al. 2017)."""
    centred = ordered - ordered.mean()  # centred: differences of prefix sums stay accurate
    prefix = np.concatenate(([0.0], np.cumsum(centred)))
    squares = np.concatenate(([0.0], np.cumsum(centred * centred)))
    bounds: Bounds = _compiled_bounds(prefix, squares, k)
    return bounds


def _optimal_bounds(prefix: F64, squares: F64, k: int) -> Bounds:
    """Dynamic programming. The best last bound rises with n, so divide and conquer fills a row: O(k n log n)."""
    n = len(prefix) - 1
    best = squares.copy()  # least error of the first j values in one cluster
    for j in range(1, n + 1):
        best[j] -= prefix[j] * prefix[j] / j
    choice = np.zeros((k, n + 1), dtype=np.int32)
    for row in range(1, k):
        current = np.full(n + 1, np.inf)
        # Ranges of j to fill, each with the range of its last bound.
        stack = [(row + 1, n, row, n - 1)]
        while len(stack) > 0:
            low, high, first, last = stack.pop()
            if low > high:
                continue
            j = (low + high) // 2
            at = first
            least = np.inf
            for i in range(first, min(last, j - 1) + 1):
                total = prefix[j] - prefix[i]
                error = best[i] + squares[j] - squares[i] - total * total / (j - i)
                if error < least:
                    least = error
                    at = i
            current[j] = least
            choice[row, j] = at
            stack.append((low, j - 1, first, at))
            stack.append((j + 1, high, at, last))
        best = current
    bounds = np.empty(k + 1, dtype=np.intp)
    bounds[k] = n
    for row in range(k - 1, -1, -1):
        bounds[row] = choice[row, bounds[row + 1]]
    return bounds


_compiled_bounds = compiled(_optimal_bounds, stamp(Path(__file__).parent))


# Code lengths ---------------------------------------------------------------------------------------------------------


def _weigh_codes(ordered: NDArray[Any], bounds: Bounds, price: float) -> Bounds:
    """Move the bounds of clusters until squared error plus `price` times the bits of an ideal code converges."""
    for _ in range(MAX_STEPS):
        shares = np.diff(bounds) / len(ordered)
        moved = _cheapest(ordered, _means(ordered, bounds), -price * np.log2(shares))
        if np.array_equal(moved, bounds):
            break
        bounds = moved
    return bounds


def _cheapest(ordered: NDArray[Any], centroids: F64, penalties: F64) -> Bounds:
    """Clusters of least ``(value - centroid)**2 + penalty``, without empty ones.

    Without the common term value**2, the cost of a centroid is linear in the value. So the clusters are the pieces of
    the lower envelope of k lines.
    """
    heights = centroids**2 + penalties
    hull: list[int] = []
    starts: list[float] = []
    for i in range(len(centroids)):
        start = -np.inf
        while hull:
            start = (heights[i] - heights[hull[-1]]) / (2 * (centroids[i] - centroids[hull[-1]]))
            if start > starts[-1]:
                break
            hull.pop()
            starts.pop()
        hull.append(i)
        starts.append(start if len(hull) > 1 else -np.inf)
    return np.unique(np.concatenate(([0], _first_from(ordered, np.array(starts[1:])), [len(ordered)])))
