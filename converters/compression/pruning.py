"""Pruning masks: the two threshold rules of Deep Compression and of its course re-implementations, and more.

Both rules keep the large weights of a layer. Han et al. 2015 (arXiv 1506.02626, section 3) prune by a
threshold of s standard deviations; the percentile rule fixes the sparsity instead.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import ConversionError
from ...dcformat.tensors import flat_pieces

Mask = NDArray[np.bool_]
"""True where a weight stays; shape of the weight."""


@dataclass(frozen=True)
class PruneRule:
    """A per-layer threshold rule.

    Attributes
    ----------
    kind : {"std", "percent"}
        "std" keeps ``|w| > amount * std(w)``; "percent" keeps ``|w|`` above its `amount`-th percentile.
    amount : float
        Standard deviations (>= 0), or percent (0 <= amount < 100). Zero prunes nothing.
    """

    kind: str
    amount: float

    def __post_init__(self) -> None:
        limits = {"std": (0.0, 100.0), "percent": (0.0, 100.0)}
        if self.kind not in limits:
            raise ConversionError("unknown pruning rule", expected="std:S or percent:Q", found=repr(str(self)))
        low, high = limits[self.kind]
        if not low <= self.amount < high:
            raise ConversionError(
                f"pruning amount does not fit {self.kind!r}",
                expected=f"{low:g} <= number < {high:g}",
                found=self.amount,
            )

    def threshold(self, weight: NDArray[Any]) -> float:
        """Magnitude at or below which a weight is dropped; 0 for an empty layer or a rule of amount 0."""
        if weight.size == 0 or self.amount == 0:
            return 0.0
        if self.kind == "std":
            return self.amount * _standard_deviation(weight)
        return float(np.percentile(np.abs(weight), self.amount, overwrite_input=True))

    def __str__(self) -> str:
        return f"{self.kind}:{self.amount:g}"


def _standard_deviation(weight: NDArray[Any]) -> float:
    """``numpy.std`` in float64, without a copy of all weights in that type."""
    mean = np.mean(weight, dtype=np.float64)
    pieces = flat_pieces(weight.ravel(order="K"))
    return math.sqrt(math.fsum(float(np.square(piece - mean).sum()) for (piece,) in pieces) / weight.size)


def parse_prune(text: str) -> PruneRule:
    """Read a rule as the command line and recipes spell it.

    Parameters
    ----------
    text : str
        ``std:S`` or ``percent:Q``.

    Raises
    ------
    ConversionError
        Any other text.

    Examples
    --------
    >>> parse_prune("std:0.75")
    PruneRule(kind='std', amount=0.75)
    """
    kind, _, amount = text.partition(":")
    try:
        return PruneRule(kind.strip(), float(amount))
    except ValueError as error:
        if isinstance(error, ConversionError):
            raise
        raise ConversionError("unknown pruning rule", expected="std:S or percent:Q", found=repr(text)) from None


def threshold_mask(weight: NDArray[Any], rule: PruneRule) -> Mask:
    """Keep the weights above the rule's threshold.

    Zeros are never kept. A rule may drop a whole layer, for example if all magnitudes are equal.

    Parameters
    ----------
    weight : ndarray of float, any shape
        One layer.
    rule : PruneRule

    Returns
    -------
    ndarray of bool
        True where the weight stays.
    """
    return np.asarray(np.abs(weight) > rule.threshold(weight))


def largest_mask(weight: NDArray[Any], keep: int) -> Mask:
    """Keep exactly the `keep` largest magnitudes; among equal ones, the first in memory order.

    Parameters
    ----------
    weight : ndarray of float, any shape
    keep : int
        0 to ``weight.size``.
    """
    if keep == 0:
        return np.zeros(weight.shape, dtype=np.bool_)
    magnitudes = np.abs(weight).ravel()
    threshold = np.partition(magnitudes, weight.size - keep)[weight.size - keep]
    mask = magnitudes > threshold
    equals = np.flatnonzero(magnitudes == threshold)
    mask[equals[: keep - np.count_nonzero(mask)]] = True
    return np.asarray(mask.reshape(weight.shape))


def magnitude_scores(weight: NDArray[Any]) -> NDArray[Any]:
    """Magnitudes of a layer's weights, rising, 1-D."""
    return np.sort(np.abs(weight), axis=None)


def lamp_scores(weight: NDArray[Any]) -> NDArray[np.float64]:
    """Layer-adaptive magnitudes: w squared over the sum of the squares of the layer's weights that are no smaller.

    Unlike magnitudes, they are comparable between layers: a global threshold on them leaves no layer empty and finds
    good densities per layer (Lee et al. 2021, arXiv 2010.07611, equation 4). Within a layer they have the order of the
    magnitudes, so the sorted values are enough.

    Returns
    -------
    ndarray of float64, shape (weight.size,)
        Rising.
    """
    squares: NDArray[np.float64] = np.square(magnitude_scores(weight).astype(np.float64))
    at_least = np.cumsum(squares[::-1])[::-1]
    scores = np.zeros(weight.size)
    np.divide(squares, at_least, out=scores, where=at_least > 0)
    return scores


SCORES: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {"magnitude": magnitude_scores, "lamp": lamp_scores}
"""Scores that `global_masks` compares between layers: ascending, in the order of the layer's magnitudes."""


def global_masks(
    weights: Mapping[str, NDArray[Any]], density: float, least: float = 0.0, score: str = "magnitude"
) -> dict[str, Mask]:
    """Keep the weights of the best scores over all layers.

    Parameters
    ----------
    weights : mapping of str to ndarray of float
        Layer name -> weight.
    density : float
        Share of all weights to keep, 0 to 1.
    least : float
        Each layer keeps at least this share of its own, so that none is cut off.
    score : str
        A key of `SCORES`.

    Returns
    -------
    dict of str to ndarray of bool
    """
    scores = {name: SCORES[score](weight) for name, weight in weights.items()}
    everything = np.concatenate(list(scores.values()))
    keep = round(density * everything.size)
    last = everything.size - keep
    threshold = np.partition(everything, last)[last] if keep else np.inf
    return {
        name: largest_mask(weights[name], max(s.size - int(np.searchsorted(s, threshold)), round(least * s.size)))
        for name, s in scores.items()
    }
