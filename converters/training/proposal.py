"""A recipe and preprocessing for a network that has neither."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np

from ...core.errors import ConversionError
from ...dcformat.graph.graph import Shape
from ...dcformat.preprocess import Preprocess
from ..architectures import Architecture
from .data.datasets import load_dataset
from .recipe import Recipe, Stage
from .training import Settings

MAX_DROP = 0.005
TARGET_RATIO = 25.0
BITS_A_WEIGHT = 8.0
"""What a stored weight takes with its position, as measured on our own networks at densities of .05 to .2: 6 to 9."""
MEASURED = 1000
"""Pictures of the training set of which mean and deviation are taken."""


def propose_recipe(architecture: Architecture, pictures: int, max_drop: float, target_ratio: float) -> Recipe:
    """A recipe that aims at a ratio: train, prune gradually, share with as few bits as the accuracy allows.

    Parameters
    ----------
    architecture : Architecture
    pictures : int
        Of the training set.
    max_drop : float
        Accuracy on held-out pictures that sharing may lose before it is fine-tuned, as a share.
    target_ratio : float
        fp32 bytes over bytes of the container.

    Raises
    ------
    ConversionError
        A number out of range.
    """
    if not 0 <= max_drop < 1:
        raise ConversionError("max_drop out of range", expected="0 <= max_drop < 1", found=max_drop)
    if not target_ratio > 1:
        raise ConversionError("target_ratio out of range", expected="more than 1", found=target_ratio)
    density = min(1.0, 32 / (BITS_A_WEIGHT * target_ratio))
    plain = Settings(batch=max(1, min(128, pictures // 20)), lr=0.05)
    stages = (
        Stage("train", replace(plain, epochs=15)),
        Stage("prune", replace(plain, epochs=20, distill=0.3), density=density, score="lamp", least=0.01),
        Stage("share", replace(plain, epochs=5, lr=0.002, schedule="cosine", distill=0.3), max_drop=max_drop, grid=8),
    )
    return Recipe(architecture.name, stages)


def measured_preprocess(data: str | os.PathLike[str], input_shape: Shape) -> Preprocess:
    """Preprocessing by which pictures of a training set fit a network's input.

    Raises
    ------
    ConversionError
        The input is no image of one or three channels.
    InputError
        The folder holds no known data set.
    """
    if len(input_shape) != 3 or input_shape[0] not in (1, 3):
        expected = "(1, H, W) or (3, H, W)"
        raise ConversionError("pictures do not fit the network's input", expected=expected, found=list(input_shape))
    channels, height, width = input_shape
    plain = Preprocess(
        "L" if channels == 1 else "RGB", resize=(height, width), mean=(0.0,) * channels, std=(1.0,) * channels
    )
    images = load_dataset(os.fspath(data), plain).train.images
    chosen = np.linspace(0, len(images) - 1, min(MEASURED, len(images))).astype(int)
    pixels = np.asarray(images[chosen], np.float64).reshape(-1, channels) * plain.scale
    mean, std = pixels.mean(0), np.maximum(pixels.std(0), 1e-3)
    rounded = (tuple(round(float(value), 4) for value in each) for each in (mean, std))
    return Preprocess(plain.mode, resize=(height, width), mean=next(rounded), std=next(rounded))
