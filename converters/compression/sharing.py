"""Weight sharing: the non-zero weights of a layer become the centroids of a one-dimensional k-means.

Deep Compression, section 3: k = 2**bits shared values a layer, chosen to minimise the squared error within clusters.
The four initialisations are the paper's (section 3.2: Forgy or random, density-based, linear) and k-means++.

On a line, clusters are intervals of the sorted weights. With prefix sums a step of Lloyd's algorithm costs
O(k log n) instead of O(k n), and dynamic programming finds the global optimum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from ...dcformat.errors import ConversionError

F64 = NDArray[np.float64]

MAX_BITS = 8
METHODS = ("kmeans", "exact")
MAX_STEPS = 300


def share_weights(
    weight: NDArray[Any], bits: int, init: str = "linear", seed: int = 0, method: str = "kmeans"
) -> NDArray[np.float32]:
    """Replace each non-zero weight by the nearest of at most ``2**bits`` shared values.

    Zeros stay zero and no shared value is zero. A layer that has no more distinct non-zero values than that comes
    back bit for bit.

    Parameters
    ----------
    weight : ndarray of float, any shape
        One layer.
    bits : int
        1 to 8.
    init : {"linear", "density", "random", "kmeans++"}
        Where k-means starts.
    seed : int
        For "random" and "kmeans++".
    method : {"kmeans", "exact"}
        Lloyd's algorithm, or the global optimum by dynamic programming (slow and large on millions of weights).

    Returns
    -------
    ndarray of float32, of the same shape

    Raises
    ------
    ConversionError
        A weight that is not finite, or an argument out of its range.
    """
    if not 1 <= bits <= MAX_BITS:
        raise ConversionError("bits out of range", expected=f"1 to {MAX_BITS}", found=bits)
    weight = np.asarray(weight, dtype=np.float32)
    values = weight[weight != 0]
    if len(np.unique(values)) <= 1 << bits:
        return weight.copy()
    codebook = cluster(values, 1 << bits, init, seed, method)
    shared = weight.copy()
    shared[weight != 0] = codebook[nearest(values, codebook)]
    return shared


def cluster(
    values: NDArray[Any], k: int, init: str = "linear", seed: int = 0, method: str = "kmeans"
) -> NDArray[np.float32]:
    """Centroids of the clusters of numbers on a line.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
        Non-zero.
    k : int
        Clusters, at most; not more than there are distinct values.
    init, seed, method
        As for `share_weights`.

    Returns
    -------
    ndarray of float32, shape (<= k,)
        Ascending, distinct, none zero.
    """
    if not np.isfinite(values).all():
        raise ConversionError("cannot share weights that are not finite", hint="the checkpoint holds NaN or infinity")
    if init not in INITS:
        raise ConversionError("unknown initialisation", expected=", ".join(INITS), found=repr(init))
    if method not in METHODS:
        raise ConversionError("unknown clustering method", expected=", ".join(METHODS), found=repr(method))
    ordered = np.sort(values.astype(np.float64))
    if method == "exact":
        bounds = _optimal_bounds(ordered, k)
    else:
        bounds = _lloyd(ordered, np.sort(INITS[init](ordered, k, np.random.default_rng(seed))))
    bounds = np.unique(bounds)
    centroids = (np.add.reduceat(ordered, bounds[:-1]) / np.diff(bounds)).astype(np.float32)
    for i in np.flatnonzero(centroids == 0):  # a cluster that balances around zero: take its smallest member
        members = ordered[bounds[i] : bounds[i + 1]]
        centroids[i] = members[np.argmin(np.abs(members))]
    return np.unique(centroids)


def nearest(values: NDArray[Any], codebook: NDArray[Any]) -> NDArray[np.intp]:
    """Index of the nearest entry of an ascending codebook, for each value; halfway goes to the upper one."""
    middles = (codebook[1:].astype(np.float64) + codebook[:-1]) / 2
    return np.searchsorted(middles, values, side="right")


def _linear(ordered: F64, k: int, rng: np.random.Generator) -> F64:
    return np.linspace(ordered[0], ordered[-1], k)


def _density(ordered: F64, k: int, rng: np.random.Generator) -> F64:
    return ordered[((np.arange(k) + 0.5) / k * len(ordered)).astype(np.intp)]


def _random(ordered: F64, k: int, rng: np.random.Generator) -> F64:
    return rng.choice(np.unique(ordered), k, replace=False)


def _kmeans_plus_plus(ordered: F64, k: int, rng: np.random.Generator) -> F64:
    from sklearn.cluster import kmeans_plusplus  # here, because it is slow to import

    centers, _ = kmeans_plusplus(ordered[:, None], k, random_state=int(rng.integers(1 << 31)))
    return np.asarray(centers[:, 0], dtype=np.float64)


INITS: dict[str, Callable[[F64, int, np.random.Generator], F64]] = {
    "linear": _linear,
    "density": _density,
    "random": _random,
    "kmeans++": _kmeans_plus_plus,
}
"""Where k-means starts, by name: ``(ascending values, k, generator) -> k centroids``."""


def _lloyd(ordered: F64, centroids: F64) -> NDArray[np.intp]:
    """Bounds (k + 1,) of the clusters that Lloyd's algorithm settles on, as indices into the ascending values."""
    prefix = np.concatenate(([0.0], np.cumsum(ordered)))
    for _ in range(MAX_STEPS):
        bounds = _bounds(ordered, centroids)
        counts = np.diff(bounds)
        moved = np.where(counts > 0, np.diff(prefix[bounds]) / np.maximum(counts, 1), centroids)
        _fill_empty(ordered, bounds, moved)
        moved.sort()
        if np.array_equal(moved, centroids):
            break
        centroids = moved
    return _bounds(ordered, centroids)


def _bounds(ordered: F64, centroids: F64) -> NDArray[np.intp]:
    middles = (centroids[1:] + centroids[:-1]) / 2
    return np.concatenate(([0], np.searchsorted(ordered, middles), [len(ordered)]))


def _fill_empty(ordered: F64, bounds: NDArray[np.intp], centroids: F64) -> None:
    """Move the centroids of empty clusters, in place, to the weights furthest from theirs: always ends of clusters."""
    counts = np.diff(bounds)
    empty = np.flatnonzero(counts == 0)
    if not len(empty):
        return
    full = np.flatnonzero(counts)
    ends = np.concatenate((ordered[bounds[full]], ordered[bounds[full + 1] - 1]))
    distance = np.abs(ends - np.concatenate((centroids[full], centroids[full])))
    furthest = ends[np.argsort(-distance, kind="stable")][: len(empty)]
    centroids[empty[: len(furthest)]] = furthest


def _optimal_bounds(ordered: F64, k: int) -> NDArray[np.intp]:
    """Bounds (k + 1,) of the clustering of least squared error (Wang and Song 2011; Gronlund et al. 2017)."""
    centred = ordered - ordered.mean()  # keeps the differences of prefix sums exact enough
    prefix = np.concatenate(([0.0], np.cumsum(centred)))
    squares = np.concatenate(([0.0], np.cumsum(centred * centred)))
    bounds: NDArray[np.intp] = _optimal_bounds_jit(prefix, squares, k)
    return bounds


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _optimal_bounds_jit(prefix: F64, squares: F64, k: int) -> NDArray[np.intp]:
    """Dynamic programming; the best last bound rises with n, so each row is filled by halving: O(k n log n)."""
    n = len(prefix) - 1
    best = squares.copy()  # least error of the first j values in one cluster
    for j in range(1, n + 1):
        best[j] -= prefix[j] * prefix[j] / j
    choice = np.zeros((k, n + 1), dtype=np.int32)
    for row in range(1, k):
        current = np.full(n + 1, np.inf)
        # Ranges of j still to fill, each with the range in which its last bound lies.
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


@dataclass(frozen=True)
class BitsRule:
    """How many bits each layer's shared weights get.

    Attributes
    ----------
    default : int or None
        For layers that no key names; None leaves those unshared.
    by_key : dict of str to int
        A layer's name, or a kind: "conv" (weights with more than two axes) or "fc" (two axes).
    """

    default: int | None = None
    by_key: dict[str, int] = field(default_factory=dict)

    def bits(self, layer: str, axes: int) -> int | None:
        """Bits for a layer: by its name, else its kind, else the default.

        Parameters
        ----------
        layer : str
            Name of the layer, or of its weight (``conv1`` or ``conv1.weight``).
        axes : int
            Number of axes of its weight.
        """
        name = layer.removesuffix(".weight")
        kind = "conv" if axes > 2 else "fc"
        return self.by_key.get(name, self.by_key.get(kind, self.default))

    def unknown(self, layers: list[str]) -> list[str]:
        """Keys that name neither a kind nor one of these layers."""
        known = {"conv", "fc", *(layer.removesuffix(".weight") for layer in layers)}
        return [key for key in self.by_key if key not in known]


def parse_bits(text: str) -> BitsRule:
    """Read bits per layer as the command line and recipes spell them.

    Parameters
    ----------
    text : str
        ``4`` for every layer, or ``key=bits`` with commas between: ``conv=8,fc=5``, ``5,features.0=8``.

    Raises
    ------
    ConversionError
        Anything else, bits outside 1..8, or a key given twice.

    Examples
    --------
    >>> parse_bits("conv=8,fc=5").bits("fc6", axes=2)
    5
    """
    default: int | None = None
    by_key: dict[str, int] = {}
    for item in text.split(","):
        key, equals, number = (part.strip() for part in item.rpartition("="))
        if not number.isdecimal() or not 1 <= int(number) <= MAX_BITS or bool(equals) != bool(key):
            expected = f"1 to {MAX_BITS} bits, as in 4 or conv=8,fc=5"
            raise ConversionError("cannot read the bits", expected=expected, found=repr(text))
        if key in by_key or (not key and default is not None):
            raise ConversionError("bits given twice", where=key or "default", found=repr(text))
        if key:
            by_key[key] = int(number)
        else:
            default = int(number)
    return BitsRule(default, by_key)
