"""Checks before a run: network, recipe and pictures fit together. Here fail the mistakes of a user's own network."""

from __future__ import annotations

import logging

import torch
from torch import Tensor, nn

from ...calibration.ranges import rule_of
from ...core.errors import ConversionError, InputError
from ..architectures import Architecture
from .constraints import prunable
from .data.datasets import Dataset
from .data.image_folders import some
from .recipe import Recipe

log = logging.getLogger(__name__)


def check_recipe(recipe: Recipe, model: nn.Module) -> None:
    """Raise ConversionError if the recipe cannot be run on the network."""
    weights = list(prunable(model))
    if not weights:
        raise ConversionError("the network has no convolution and no linear layer, so nothing to compress")
    recipe.check_layers(weights)
    if recipe.calibrate:
        rule_of(recipe.calibrate)
        if not any(isinstance(module, nn.Conv1d | nn.Conv2d) for module in model.modules()):
            raise ConversionError("the recipe calibrates, and the network has no convolution", hint="leave it out")


@torch.no_grad()
def classes_of(model: nn.Module, architecture: Architecture) -> int:
    """Count the classes that a network scores; raise ConversionError if it is no classifier of such inputs."""
    shape = (1, *architecture.input_shape)
    try:
        scores = model.eval()(torch.zeros(shape))
    except Exception as error:  # the user's own code
        what = f"{architecture.name} fails on an input of shape {shape}: {type(error).__name__}: {error}"
        raise ConversionError(what, hint="give the --input-shape that it takes") from error
    found = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
    if not isinstance(scores, Tensor) or scores.ndim != 2 or len(scores) != 1:
        what = f"{architecture.name} is no classifier"
        raise ConversionError(what, expected="one tensor of scores, of shape (1, classes)", found=found)
    return int(scores.shape[1])


def check_pictures(dataset: Dataset, architecture: Architecture, classes: int) -> None:
    """Raise InputError if the data set's images or classes do not fit the network."""
    channels, height, width = architecture.input_shape
    found = dataset.train.images[:1].shape[1:]
    if found != (height, width, channels):
        what = f"the pictures do not fit {architecture.name}"
        raise InputError(what, expected=f"{height} x {width} x {channels}", found=" x ".join(map(str, found)))
    most = 1 + max(int(split.labels.max()) for split in (dataset.train, dataset.test))
    if most > classes:
        names = f": {some(dataset.classes)}" if dataset.classes else ""
        what = f"the data set has more classes than {architecture.name}"
        raise InputError(what, expected=f"{classes} at most", found=f"{most}{names}")


def labels_for(dataset: Dataset, architecture: Architecture, classes: int) -> tuple[str, ...] | None:
    """Names of the network's classes: those of the data set, if it has names."""
    names = dataset.classes
    if not names:
        return architecture.labels
    if len(names) < classes:
        what = "the data set has %d classes, %s has %d: those without a name are called by their number"
        log.warning(what, len(names), architecture.name, classes)
    return names + tuple(map(str, range(len(names), classes)))
