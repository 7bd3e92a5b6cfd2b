"""A VGG-19 grown out of a VGG16-half computes about what that one does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch
from torch import nn

from dcz.converters.architectures import ARCHITECTURES

SCRIPT = Path(__file__).parents[3] / "models" / "grow_vgg19.py"


@torch.no_grad()
def test_it_answers_as_the_small_one() -> None:
    spec = importlib.util.spec_from_file_location("grow_vgg19", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    grow = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(grow)
    torch.manual_seed(0)
    small = ARCHITECTURES["vgg16_half"].factory().train()
    images = torch.randn(64, 3, 32, 32)
    for module in small.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
    small(images)  # gives batch norms their statistics
    expected = small.eval()(images)
    found = grow.grow(small, images)(images)
    close = torch.corrcoef(torch.stack([expected.flatten(), found.flatten()]))[0, 1]
    assert close > 0.7  # faint new weights count among untrained ones; networks that are strangers have about 0
