"""The weights that pruning and sharing concern, in a module that may be wrapped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from ...core.errors import ConversionError

WEIGHTED = (nn.modules.conv._ConvNd, nn.Linear)
WRAPPERS = ("module", "_orig_mod")
"""Attributes under which DataParallel, DistributedDataParallel, AveragedModel and torch.compile keep the module."""


def plain(model: nn.Module) -> nn.Module:
    """The module inside its wrappers."""
    while len(children := dict(model.named_children())) == 1 and next(iter(children)) in WRAPPERS:
        (model,) = children.values()
    return model


def weights_of(model: nn.Module, layers: Sequence[str] | None = None) -> dict[str, nn.Parameter]:
    """Weights of convolutions and linear layers by name, a tied one once; biases and normalisation are not concerned.

    Parameters
    ----------
    model : nn.Module
    layers : sequence of str, optional
        Names of layers, or patterns such as ``features.*``; all layers without it.

    Raises
    ------
    ConversionError
        It is no module, a pattern matches no layer, or there are no such weights.
    """
    if not isinstance(model, nn.Module):
        raise ConversionError("not a network", expected="torch.nn.Module", found=type(model).__name__)
    found: dict[str, nn.Parameter] = {}
    for name, module in plain(model).named_modules():
        weight = module.get_parameter("weight") if isinstance(module, WEIGHTED) else None
        if weight is not None and not any(weight is other for other in found.values()):
            found[name] = weight
    if not found:
        raise ConversionError("the network has no convolution and no linear layer", hint="attach before deleting them")
    for pattern in layers or ():
        if not any(fnmatchcase(name, pattern) for name in found):
            raise ConversionError(f"the network has no layer {pattern!r}", expected=", ".join(found))
    chosen = found if layers is None else {n: w for n, w in found.items() if any(fnmatchcase(n, p) for p in layers)}
    return {f"{name}.weight" if name else "weight": weight for name, weight in chosen.items()}


def check_fits(counts: Mapping[str, int], weights: Mapping[str, Tensor]) -> None:
    """Raise ConversionError unless the weights have the names and numbers of elements that a state was saved with."""
    for name, count in counts.items():
        found = weights[name].numel() if name in weights else "no such weight"
        if found != count:
            what, expected = "the state belongs to another network", f"{count} weights"
            raise ConversionError(what, where=name, expected=expected, found=found)


def numbers(name: str, weight: Tensor) -> NDArray[np.float32]:
    """A weight as a float32 array on the CPU; raises ConversionError if one of its numbers is not finite."""
    array = weight.detach().float().cpu().numpy()
    if not np.isfinite(array).all():
        raise ConversionError(
            f"{name!r} holds NaN or infinity", hint="the training diverged: go back to a checkpoint, lower the rate"
        )
    return array
