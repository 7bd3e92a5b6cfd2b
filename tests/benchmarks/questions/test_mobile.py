"""The networks that people compare by: their cases, and the statistics of their normalisations."""

from __future__ import annotations

import torch
from torch import nn

from benchmarks.questions import mobile
from benchmarks.suite import Options


def test_each_network_is_measured_dense_and_pruned() -> None:
    assert len(mobile.cases(Options())) == len(mobile.TITLES) * len(mobile.FORMS)
    assert [*mobile.cases(Options(networks=("tv:resnet50", "lenet-5")))] == ["tv:resnet50 dense", "tv:resnet50 pruned"]


def test_statistics_are_those_of_what_comes_in() -> None:
    norm = nn.BatchNorm2d(3)
    module = mobile.with_statistics(nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU(), norm), (2, 5, 5))
    out = module(torch.randn(64, 2, 5, 5, generator=torch.Generator().manual_seed(0)))
    assert not module.training
    assert out.mean().abs() < 0.2
    assert 0.7 < out.std() < 1.3
