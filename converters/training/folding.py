"""Batch normalisation as one scale and one shift a channel: half the numbers, and none that needs all its digits."""

from __future__ import annotations

import itertools

import torch
from torch import nn

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)


@torch.no_grad()
def fold_normalisation(model: nn.Module) -> None:
    """Rewrite every batch norm of a network in place; its function stays the same, up to rounding.

    Afterwards the running mean is 0, the running variance 1 - eps, the weight is the scale and the bias the shift;
    the bias of a layer right before it in a sequence moves into the shift as well. The network must not train with
    batch statistics afterwards.
    """
    for module in model.modules():
        if isinstance(module, NORMS):
            _fold(module)
    for sequence in model.modules():
        if isinstance(sequence, nn.Sequential):
            for layer, norm in itertools.pairwise(sequence):
                if isinstance(layer, nn.Conv2d | nn.Linear) and isinstance(norm, NORMS) and layer.bias is not None:
                    norm.bias.add_(layer.bias * norm.weight)
                    layer.bias.zero_()


def _fold(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    scale = norm.weight / torch.sqrt(variance + norm.eps)
    norm.bias.sub_(mean * scale)
    norm.weight.copy_(scale)
    mean.zero_()
    variance.fill_(1.0 - norm.eps)
