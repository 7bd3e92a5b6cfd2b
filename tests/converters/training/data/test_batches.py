"""Batches: normalisation, augmentation, and that seed and epoch decide them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from dcz.converters.architectures import CIFAR10, MNIST
from dcz.converters.training.data.batches import augment, normalise, ordered_batches, training_batches
from dcz.converters.training.data.datasets import Split
from dcz.dcformat import ConversionError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(1, 256, (20, 32, 32, 3), dtype=np.uint8)
SPLIT = Split(IMAGES, np.arange(20, dtype=np.int64))


def test_normalise_by_hand() -> None:
    batch = normalise(IMAGES[:2], CIFAR10)
    assert batch.shape == (2, 3, 32, 32)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert float(batch[1, 2, 3, 4]) == pytest.approx((IMAGES[1, 3, 4, 2] / 255 - 0.406) / 0.225, rel=1e-5)


def test_augment_is_a_shift_and_maybe_a_mirror() -> None:
    out = augment(IMAGES, "cifar", np.random.default_rng(1))
    moved = 0
    for before, after in zip(IMAGES, out, strict=True):
        padded = np.pad(before, ((4, 4), (4, 4), (0, 0)))
        windows = [padded[y : y + 32, x : x + 32] for y in range(9) for x in range(9)]
        assert any(np.array_equal(after, w) or np.array_equal(after, w[:, ::-1]) for w in windows)
        moved += not np.array_equal(before, after)
    assert moved > 10


def test_no_augmentation_changes_nothing() -> None:
    assert augment(IMAGES, "none", np.random.default_rng(1)) is IMAGES


def test_an_epoch_takes_each_picture_once_and_follows_the_seed() -> None:
    def labels(epoch: int) -> list[int]:
        return [int(y) for _, batch in training_batches(SPLIT, CIFAR10, 5, "cifar", (3, epoch)) for y in batch]

    assert sorted(labels(0)) == list(range(20))
    assert labels(0) == labels(0)
    assert labels(0) != labels(1)


def test_ordered_batches_keep_the_rest() -> None:
    grey = Split(IMAGES[..., :1], SPLIT.labels)
    sizes = [len(y) for _, y in ordered_batches(grey, MNIST, 8)]
    assert sizes == [8, 8, 4]


@pytest.mark.parametrize(("size", "name", "message"), [(5, "imagenet", "unknown augmentation"), (21, "none", "<= 20")])
def test_refuses(size: int, name: str, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        next(training_batches(SPLIT, CIFAR10, size, name, (0, 0)))
