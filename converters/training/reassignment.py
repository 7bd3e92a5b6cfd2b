"""Trained quantization in which weights may change their centroid.

`SharedWeights` trains the codebooks alone. Here every weight trains: the network computes with the nearest centroid of
each weight and hands the gradient on to the weight itself (straight-through estimator: Bengio et al. 2013, arXiv
1308.3432). With a price on a bit of code the nearest becomes the cheapest (entropy-constrained quantization: Chou,
Lookabaugh and Gray 1989), so that the codes become shorter while the network learns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..compression.clustering import Clustering, cluster
from ..compression.sharing import BitsRule
from .constraints import prunable, weights_of


class ReassignedWeights:
    """Shared weights that go to the cheapest centroid after each step. Zeros stay zero.

    Parameters
    ----------
    model : nn.Module
        Its non-zero weights are clustered and replaced by their centroids.
    bits : BitsRule
        A layer that it leaves out trains as it is.
    how : Clustering, optional
        Of the first codebooks; its `rate` is the price of a bit during the training too.
    """

    def __init__(self, model: nn.Module, bits: BitsRule, how: Clustering | None = None) -> None:
        how = how if how is not None else Clustering()
        self._weights: dict[str, nn.Parameter] = {}
        self._masks: dict[str, Tensor] = {}
        self._codebooks: dict[str, Tensor] = {}
        self._prices: dict[str, float] = {}
        for name, weight in weights_of(model).items():
            count = bits.bits(name, weight.ndim)
            values = weight[weight != 0]
            if count is None or not len(values):
                continue
            self._weights[name] = nn.Parameter(prunable(model)[name].detach().clone())
            self._masks[name] = self._weights[name].detach() != 0
            self._codebooks[name] = torch.from_numpy(cluster(values, 1 << count, how)[0])
            self._prices[name] = 0.01 * how.rate * float(values.var())
        self._write(model)

    def replaces(self) -> Mapping[str, nn.Parameter]:
        """The weights before they are replaced by centroids, which train in their place."""
        return self._weights

    def before_step(self, model: nn.Module) -> None:
        """Hand on the gradients."""
        weights = prunable(model)
        for name, own in self._weights.items():
            gradient = weights[name].grad
            own.grad = None if gradient is None else gradient * self._masks[name]

    def after_step(self, model: nn.Module, optimizer: torch.optim.Optimizer, progress: float) -> None:
        """Assign the moved weights anew, and move each centroid to the mean of its weights."""
        self._write(model)

    def _write(self, model: nn.Module) -> None:
        weights = prunable(model)
        for name, own in self._weights.items():
            mask, codebook = self._masks[name], self._codebooks[name]
            values = own.detach()[mask]
            symbols = cheapest(values, codebook, self._prices[name])
            counts = torch.bincount(symbols, minlength=len(codebook))
            sums = torch.zeros_like(codebook).index_add_(0, symbols, values)
            means = torch.where(counts > 0, sums / counts.clamp(min=1), codebook)
            codebook.copy_(torch.where(means == 0, torch.finfo(means.dtype).tiny, means))  # zero means pruned
            weights[name].detach()[mask] = codebook[symbols]

    def state_dict(self) -> dict[str, Any]:
        """The weights and the codebooks."""
        weights = {name: own.detach() for name, own in self._weights.items()}
        return {"weights": weights, "masks": self._masks, "codebooks": self._codebooks, "prices": self._prices}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a checkpoint into the same parameters: the optimiser refers to them."""
        self._masks, self._codebooks = dict(state["masks"]), dict(state["codebooks"])
        self._prices = dict(state["prices"])
        for name, values in state["weights"].items():
            self._weights[name].detach().copy_(values)


def cheapest(values: Tensor, codebook: Tensor, price: float) -> Tensor:
    """Number of the cheapest centroid for each value: by squared distance, and the price of its code."""
    distances = (values[:, None] - codebook).square()
    nearest = distances.argmin(1)
    if not price:
        return nearest
    shares = torch.bincount(nearest, minlength=len(codebook)) / len(values)
    return (distances - price * shares.log2()).argmin(1)
