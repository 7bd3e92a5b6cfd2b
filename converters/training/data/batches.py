"""Batches of images for training: shuffled, augmented, normalised."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from ....core.errors import ConversionError
from ....dcformat.preprocess import Preprocess
from .datasets import U8, Split

AUGMENTATIONS: dict[str, tuple[int, bool]] = {"none": (0, False), "mnist": (2, False), "cifar": (4, True)}
"""Name -> (pixels of random shift, random mirroring)."""


def normalise(images: U8, preprocess: Preprocess) -> torch.Tensor:
    """Turn uint8 images (N, H, W, C) into the float32 batch (N, C, H, W), channels last in memory."""
    mean, std = torch.tensor(preprocess.mean), torch.tensor(preprocess.std)
    batch = torch.from_numpy(images.astype(np.float32))
    return ((batch * preprocess.scale - mean) / std).permute(0, 3, 1, 2)


def augment(images: U8, name: str, rng: np.random.Generator) -> U8:
    """Shift each image at random over a black border, and mirror it at random, as `AUGMENTATIONS` says.

    Parameters
    ----------
    images : ndarray of uint8, shape (N, H, W, C)
    name : str
        A key of `AUGMENTATIONS`.
    rng : numpy.random.Generator
    """
    shift, mirror = AUGMENTATIONS[name]
    if shift == 0 and not mirror:
        return images
    count, height, width, _ = images.shape
    padded = np.pad(images, ((0, 0), (shift, shift), (shift, shift), (0, 0)))
    rows = rng.integers(0, 2 * shift + 1, (count, 1)) + np.arange(height)
    columns = rng.integers(0, 2 * shift + 1, (count, 1)) + np.arange(width)
    if mirror:
        flipped = rng.random(count) < 0.5
        columns[flipped] = columns[flipped, ::-1]
    chosen: U8 = padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return chosen


def training_batches(
    split: Split, preprocess: Preprocess, size: int, augmentation: str, seed: tuple[int, int]
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch of whole batches in random order: (pictures, labels).

    Parameters
    ----------
    split : Split
    preprocess : Preprocess
    size : int
        Images in a batch; the remainder of the epoch is left out.
    augmentation : str
        A key of `AUGMENTATIONS`.
    seed : (int, int)
        The run's seed and the epoch. The same pair always gives the same batches.

    Raises
    ------
    ConversionError
        The augmentation is unknown, or there are fewer images than a batch takes.
    """
    if augmentation not in AUGMENTATIONS:
        raise ConversionError("unknown augmentation", expected=", ".join(AUGMENTATIONS), found=repr(augmentation))
    if size > len(split):
        raise ConversionError("a batch takes more pictures than there are", expected=f"<= {len(split)}", found=size)
    rng = np.random.default_rng(seed)
    order: NDArray[np.int64] = rng.permutation(len(split))
    for start in range(0, len(split) - size + 1, size):
        chosen = order[start : start + size]
        images = augment(split.images[chosen], augmentation, rng)
        yield normalise(images, preprocess), torch.from_numpy(split.labels[chosen])


def ordered_batches(
    split: Split, preprocess: Preprocess, size: int = 500
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """All images once, in order, without augmentation: (pictures, labels)."""
    for start in range(0, len(split), size):
        images = split.images[start : start + size]
        yield normalise(images, preprocess), torch.from_numpy(split.labels[start : start + size])
