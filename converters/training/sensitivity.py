"""Sensitivity of layers to pruning: accuracy by density, one layer at a time (Han et al. 2015, figure 6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ...dcformat.preprocess import Preprocess
from ..compression.pruning import largest_mask
from .constraints import weights_of
from .data.datasets import Split
from .training import evaluate

DENSITIES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75)

Scan = dict[str, dict[float, float]]
"""Layer -> density -> accuracy with that layer alone pruned to it."""


def sensitivity(model: nn.Module, split: Split, preprocess: Preprocess, densities: Sequence[float] = DENSITIES) -> Scan:
    """Prune each layer alone to each density, without retraining, and score the network.

    Parameters
    ----------
    model : nn.Module
        Not changed afterwards.
    split : Split
        Images for the score: a part of the training set, since choices follow from the result.
    preprocess : Preprocess
    densities : sequence of float
        Ascending.
    """
    scan: Scan = {}
    for name, weight in weights_of(model).items():
        scan[name] = {}
        for density in densities:
            with _kept(weight):
                weight[~largest_mask(weight, round(density * weight.size))] = 0
                scan[name][density] = evaluate(model, split, preprocess).accuracy
    return scan


def propose(scan: Scan, accuracy: float, loss: float) -> dict[str, float]:
    """Least density of each layer with a loss of accuracy of at most `loss`.

    Parameters
    ----------
    scan : Scan
    accuracy : float
        Of the dense network on the same pictures.
    loss : float
        Accepted loss of accuracy for a single layer; retraining recovers much of it.

    Returns
    -------
    dict of str to float
        Density by layer name, in the form of a recipe's ``layers``; 1 if every density of the scan loses more.
    """
    return {
        name.removesuffix(".weight"): min((d for d, a in row.items() if a >= accuracy - loss), default=1.0)
        for name, row in scan.items()
    }


@contextmanager
def _kept(weight: NDArray[np.float32]) -> Iterator[None]:
    before = weight.copy()
    try:
        yield
    finally:
        weight[...] = before
