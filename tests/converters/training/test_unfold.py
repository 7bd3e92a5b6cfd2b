"""Batch norms that are unfolded compute what they did, and have the statistics of their inputs."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import nn

SCRIPT = Path(__file__).parents[3] / "models" / "unfold.py"


@torch.no_grad()
def test_the_network_answers_as_before_in_both_modes() -> None:
    spec = importlib.util.spec_from_file_location("unfold", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    unfold = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(unfold)
    torch.manual_seed(0)
    layers = [(nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU()), (nn.Flatten(), nn.Linear(96, 8), nn.BatchNorm1d(8))]
    model = nn.Sequential(*(layer for group in layers for layer in group)).eval()
    for norm in (model[1], model[5]):
        norm.weight.uniform_(0.5, 2.0)
        norm.bias.normal_()
    images = torch.randn(32, 3, 6, 6)
    expected = model(images)
    unfold.unfold_normalisation(model, images)
    assert torch.allclose(model(images), expected, atol=1e-5)
    assert torch.allclose(model.train()(images), expected, atol=0.05)  # variances of a batch divide by N, not by N - 1
