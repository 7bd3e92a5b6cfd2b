from __future__ import annotations

import pytest
import torch
from loop_networks import batches, network
from torch import nn

from dcz.compression import Pruner, sensitivity
from dcz.dcformat import ConversionError


def test_a_layer_that_matters_keeps_more() -> None:
    model = network().eval()
    images = batches(1)[0][0]
    with torch.no_grad():
        model[3].weight *= 1e-4  # what this layer passes on hardly counts beside its bias
        wanted = model(images)
    before = [p.clone() for p in model.parameters()]

    def score(other: nn.Module) -> float:
        with torch.no_grad():
            return -float((other(images) - wanted).abs().max())

    found = sensitivity(model, score, max_drop=0.02, densities=(0.05, 0.5, 0.9))
    assert found["3"] == 0.05
    assert found["6"] > 0.05
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    Pruner(found).attach(model)


@pytest.mark.parametrize("score", [float("nan"), None])
def test_a_score_that_compares_with_nothing(score: float) -> None:
    with pytest.raises(ConversionError, match=f"the score is no number to compare .*found {score}"):
        sensitivity(network(), lambda model: score, max_drop=0.01)
