"""How much each layer may be pruned, by a score of the user's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import nn

from ...core.errors import ConversionError
from ..compression.pruning import largest_mask
from ..training.sensitivity import DENSITIES, propose
from .layers import numbers, weights_of


def sensitivity(
    model: nn.Module, score: Callable[[nn.Module], float], max_drop: float, densities: Sequence[float] = DENSITIES
) -> dict[str, float]:
    """Find the least density of each layer at which the score drops by no more than `max_drop`, pruned alone.

    Han et al. 2015 (arXiv 1506.02626, figure 6) choose thresholds so. Retraining recovers much of the drop.

    Parameters
    ----------
    model : nn.Module
        Not changed afterwards.
    score : callable
        ``score(model)``: the accuracy, say, on pictures of the training set that were held out. Called once a layer and
        density, and once before.
    max_drop : float
        In the unit of the score.
    densities : sequence of float
        Ascending.

    Returns
    -------
    dict of str to float
        Density by name of the layer, for `Pruner`.

    Raises
    ------
    ConversionError
        The score of the network as it is, is no finite number.
    """
    best = score(model)
    try:
        usable = math.isfinite(best)
    except TypeError:
        usable = False
    if not usable:
        raise ConversionError("the score is no number to compare", expected="a finite number", found=repr(best))
    scan: dict[str, dict[float, float]] = {}
    for name, weight in weights_of(model).items():
        before, array = weight.detach().clone(), numbers(name, weight)
        scan[name] = {}
        try:
            for density in densities:
                mask = torch.from_numpy(largest_mask(array, round(density * array.size))).to(weight.device)
                with torch.no_grad():
                    weight.copy_(before * mask)
                scan[name][density] = score(model)
        finally:
            with torch.no_grad():
                weight.copy_(before)
    return propose(scan, best, max_drop)
