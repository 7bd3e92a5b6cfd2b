"""The start from whitened patches and Dirac impulses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from dcz.converters.training.data.batches import normalise
from dcz.converters.training.data.datasets import Split
from dcz.converters.training.starting import start_whitened
from dcz.dcformat import ConversionError, Preprocess

RGB = Preprocess(mode="RGB", mean=(0.4, 0.5, 0.6), std=(0.2, 0.2, 0.3))


def smooth_pictures(count: int = 200) -> Split:
    """Colour pictures whose neighbours are alike, as in photographs."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, 4, 4, 3)).astype(np.float64)
    fine = coarse.repeat(3, axis=1).repeat(3, axis=2) + rng.normal(0, 6, (count, 12, 12, 3))
    return Split(fine.clip(0, 255).astype(np.uint8), np.zeros(count, np.int64))


def test_the_first_convolution_whitens() -> None:
    split = smooth_pictures()
    model = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False))
    start_whitened(model, split, RGB)
    answers = model(normalise(split.images, RGB)).detach().transpose(0, 1).flatten(1)
    covariance = torch.cov(answers[:4])
    assert torch.equal(model[0].weight[:4], -model[0].weight[4:])
    assert covariance.diagonal().numpy() == pytest.approx(np.ones(4), abs=0.15)
    assert (covariance - covariance.diag().diag()).abs().max() < 0.05
    plain = torch.cov(nn.Conv2d(3, 4, 3, bias=False)(normalise(split.images, RGB)).detach().transpose(0, 1).flatten(1))
    assert (plain - plain.diag().diag()).abs().max() > 0.05


def test_more_kernels_than_components_stay_as_they_were() -> None:
    model = nn.Sequential(nn.Conv2d(3, 60, 3))
    before = model[0].weight.detach().clone()
    start_whitened(model, smooth_pictures(), RGB)
    changed = (model[0].weight != before).flatten(1).any(1)
    assert changed.tolist() == [True] * 54 + [False] * 6


@pytest.mark.parametrize(("channels", "kernels"), [(4, 4), (4, 7), (6, 4)])
def test_other_convolutions_pass_on_what_comes_in(channels: int, kernels: int) -> None:
    model = nn.Sequential(nn.Conv2d(3, channels, 3), nn.ReLU(), nn.Conv2d(channels, kernels, 3, padding=1, bias=False))
    start_whitened(model, smooth_pictures(), RGB)
    images = torch.rand(2, channels, 5, 5)
    same = min(channels, kernels)
    assert torch.allclose(model[2](images)[:, :same], images[:, :same])


def test_a_network_without_convolutions_is_refused() -> None:
    with pytest.raises(ConversionError, match="nothing to start from"):
        start_whitened(nn.Sequential(nn.Linear(3, 3)), smooth_pictures(), RGB)
