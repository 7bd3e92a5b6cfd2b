"""Folded batch norms compute what they did."""

from __future__ import annotations

import torch
from torch import nn

from dcz.converters.training.folding import fold_normalisation


def test_folding_changes_no_answer() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(96, 8), nn.BatchNorm1d(8), nn.ReLU()
    )
    for norm in (model[1], model[5]):
        for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            nn.init.uniform_(tensor, 0.5, 2.0)
    model.eval()
    x = torch.randn(5, 3, 6, 6)
    before = model(x)
    fold_normalisation(model)
    assert torch.allclose(model(x), before, rtol=1e-4, atol=1e-5)
    assert not torch.equal(model(x), torch.zeros_like(before))
    for layer, norm in ((model[0], model[1]), (model[4], model[5])):
        assert not layer.bias.any()
        assert not norm.running_mean.any()
        assert norm.running_var.unique().numel() == 1
    fold_normalisation(model)
    assert torch.allclose(model(x), before, rtol=1e-4, atol=1e-5)
