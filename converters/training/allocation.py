"""Bit allocation by rate and distortion: bits for each layer under a total budget.

Each layer's error at 1 to 8 bits is weighted by its effect on the loss. The best choice at one price of a bit, common
to all layers, is also the best choice for its total number of bits (Shoham and Gersho 1988).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from ...core.errors import ConversionError
from ...dcformat.preprocess import Preprocess
from ..compression.clustering import Clustering, cluster
from ..compression.sharing import MAX_BITS, BitsRule
from .constraints import prunable
from .data.batches import training_batches
from .data.datasets import Split

CODEBOOK_BITS = 16
"""Approximate cost of a centroid in the container."""

Arrays = Mapping[str, NDArray[np.float32]]


def importance(
    model: nn.Module, split: Split, preprocess: Preprocess, batches: int = 20, batch: int = 64
) -> dict[str, NDArray[np.float32]]:
    """Mean square, over some batches, of a batch's gradient of the loss, for every prunable weight.

    It approximates the diagonal of the Fisher information, whose empirical form needs a gradient for each image.

    Parameters
    ----------
    model : nn.Module
    split : Split
        The training set, of which `batches` batches are used.
    preprocess : Preprocess
    """
    model.eval()
    weights = prunable(model)
    sums = {name: np.zeros(tuple(weight.shape), dtype=np.float32) for name, weight in weights.items()}
    for _, (images, labels) in zip(
        range(batches), training_batches(split, preprocess, batch, "none", (0, 0)), strict=False
    ):
        model.zero_grad(set_to_none=True)
        F.cross_entropy(model(images), labels).backward()  # type: ignore[no-untyped-call]
        for name, weight in weights.items():
            if weight.grad is not None:
                sums[name] += np.square(weight.grad.numpy())
    model.zero_grad(set_to_none=True)
    return {name: (total / batches).astype(np.float32) for name, total in sums.items()}


class Allocation:
    """Allocation of bits to layers, for any total.

    Parameters
    ----------
    weights : mapping of str to ndarray of float32
        Pruned weights by name.
    how : Clustering, optional
    weighing : mapping of str to ndarray, optional
        Cost of a squared error of each weight, in the weights' shapes; see `importance`. Ones by default.
    """

    def __init__(self, weights: Arrays, how: Clustering | None = None, weighing: Arrays | None = None) -> None:
        self._curves = {
            name: _curve(weight, how, weighing[name] if weighing is not None else None)
            for name, weight in weights.items()
            if weight.any()
        }
        self._count = sum(int(np.count_nonzero(weight)) for weight in weights.values())

    def rule(self, average: float) -> BitsRule:
        """Bits of each layer.

        Parameters
        ----------
        average : float
            Greatest number of bits for each non-zero weight of the network, including codebooks.

        Raises
        ------
        ConversionError
            `average` is less than one bit for each weight takes.
        """
        budget = average * self._count * (1 + 1e-12)  # so that the average of a total is within it
        low, high = -60.0, 60.0  # of log2 of the price: from free to unaffordable
        chosen, total = self._choose(2.0**high)
        if total > budget:
            what = "the bits do not reach for a layer's codebook"
            raise ConversionError(what, expected=f">= {total / self._count:.3g}", found=average)
        for _ in range(60):
            middle = (low + high) / 2
            candidate, total = self._choose(2.0**middle)
            if total <= budget:
                high, chosen = middle, candidate
            else:
                low = middle
        return BitsRule(None, {name.removesuffix(".weight"): bits + 1 for name, bits in chosen.items()})

    def turning_point(self, reached: Callable[[BitsRule], bool], steps: int = 7) -> tuple[BitsRule, BitsRule]:
        """Bisection for a property that becomes true as bits grow: the last choice found without it, and the first with
        it.

        Parameters
        ----------
        reached : callable
            Whether the network with these bits has the property.
        steps : int
            Halvings of the range of bits; each calls `reached` once.

        Returns
        -------
        without, having : BitsRule
            Twice the fewest bits if these have the property; twice the most bits if these lack it.
        """
        least, most = (self._choose(price)[1] / self._count for price in (2.0**60, 0.0))
        low, high = self.rule(least), self.rule(most)
        if reached(low):
            return low, low
        if not reached(high):
            return high, high
        for _ in range(steps):
            middle = (least + most) / 2
            rule = self.rule(middle)
            if reached(rule):
                most, high = middle, rule
            else:
                least, low = middle, rule
        return low, high

    def _choose(self, price: float) -> tuple[dict[str, int], float]:
        best = {name: int(np.argmin(errors + price * rates)) for name, (errors, rates) in self._curves.items()}
        return best, sum(float(self._curves[name][1][bits]) for name, bits in best.items())


def _curve(
    weight: NDArray[np.float32], how: Clustering | None, weighing: NDArray[np.float32] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Error and bits of a layer, at 1 to 8 bits an index."""
    values = weight[weight != 0]
    costs = weighing[weight != 0] if weighing is not None else np.ones_like(values)
    errors, rates = np.empty(MAX_BITS), np.empty(MAX_BITS)
    for bits in range(MAX_BITS):
        codebook, symbols = cluster(values, 2 << bits, how)
        errors[bits] = float((costs.astype(np.float64) * np.square(values - codebook[symbols])).sum())
        share = np.bincount(symbols) / len(symbols)
        share = share[share > 0]
        rates[bits] = -len(symbols) * float((share * np.log2(share)).sum()) + CODEBOOK_BITS * len(codebook)
    return errors, rates
