"""What is refused before a run: networks, recipes and pictures that do not fit together."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dcz.converters.architectures import Architecture
from dcz.converters.training.fitting import check_recipe, classes_of
from dcz.converters.training.recipe import Recipe, Stage
from dcz.dcformat import ConversionError


class Twofold(nn.Module):
    """Gives its features beside the scores."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.flatten(1), x


def own(module: nn.Module) -> Architecture:
    return Architecture("own:make", lambda: module, (1, 8, 8))


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (nn.Conv2d(3, 10, 8), r"fails on an input of shape \(1, 1, 8, 8\): RuntimeError: .*; give the --input-shape"),
        (Twofold(), r"own:make is no classifier \(expected one tensor .*found tuple\)"),
        (nn.Conv2d(1, 10, 8), r"is no classifier \(expected .* \(1, classes\), found \(1, 10, 1, 1\)\)"),
        (nn.Flatten(0), r"is no classifier .*found \(64,\)"),
    ],
)
def test_a_network_that_is_no_classifier(module: nn.Module, message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        classes_of(module, own(module))


def test_classes_are_counted_as_in_use() -> None:
    """Batch norm takes a single sample in `eval` alone, and its statistics stay."""
    norm = nn.BatchNorm1d(64)
    network = nn.Sequential(nn.Flatten(), norm, nn.Linear(64, 7))
    assert classes_of(network, own(network)) == 7
    assert torch.equal(norm.running_mean, torch.zeros(64))


def test_a_network_without_weights_to_prune() -> None:
    with pytest.raises(ConversionError, match="no convolution and no linear layer"):
        check_recipe(Recipe("", (Stage("train"),)), nn.Sequential(nn.Flatten(), nn.BatchNorm1d(64)))
