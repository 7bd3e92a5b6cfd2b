"""Shared weights that change their centroid while they train."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from dcz.converters.compression.clustering import Clustering
from dcz.converters.compression.pruning import largest_mask
from dcz.converters.compression.sharing import BitsRule
from dcz.converters.training.constraints import Masks, nonzero_masks, weights_of
from dcz.converters.training.reassignment import ReassignedWeights, cheapest

BATCH = torch.rand(16, 20, generator=torch.Generator().manual_seed(1))


def network() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 5))
    Masks({name: largest_mask(w, w.size // 2) for name, w in weights_of(model).items()}).apply(model)
    return model


def sgd(shared: ReassignedWeights) -> torch.optim.Optimizer:
    return torch.optim.SGD(shared.replaces().values(), lr=2.0, momentum=0.9)


def steps(model: nn.Module, shared: ReassignedWeights, optimizer: torch.optim.Optimizer, count: int) -> None:
    for _ in range(count):
        model.zero_grad()
        model(BATCH).square().mean().backward()
        shared.before_step(model)
        optimizer.step()
        shared.after_step(model, optimizer, 1.0)


def test_zeros_stay_and_the_others_are_shared_and_move() -> None:
    model = network()
    masks = nonzero_masks(model)
    shared = ReassignedWeights(model, BitsRule(2))
    before = {name: weight.copy() for name, weight in weights_of(model).items()}
    steps(model, shared, sgd(shared), 5)
    for name, weight in weights_of(model).items():
        assert ((weight != 0) == masks[name]).all()
        assert len(set(weight[weight != 0])) <= 4
    groups = [before["0.weight"] == value for value in set(before["0.weight"][before["0.weight"] != 0])]
    assert any(len(set(weights_of(model)["0.weight"][group])) > 1 for group in groups)  # some changed their centroid


def test_layers_without_bits_train_as_they_are() -> None:
    model = network()
    assert list(ReassignedWeights(model, BitsRule(None, {"2": 3})).replaces()) == ["2.weight"]


@pytest.mark.parametrize("resumed", [False, True])
def test_it_goes_on_from_its_state(resumed: bool) -> None:
    model = network()
    shared = ReassignedWeights(model, BitsRule(3), Clustering(rate=0.5))
    steps(model, shared, sgd(shared), 2)
    other = copy.deepcopy(model)
    restored = ReassignedWeights(other, BitsRule(3), Clustering(rate=0.5))
    if resumed:
        restored.load_state_dict(copy.deepcopy(shared.state_dict()))
        other.load_state_dict(model.state_dict())
    steps(model, shared, sgd(shared), 1)
    steps(other, restored, sgd(restored), 1)
    assert torch.equal(model[0].weight, other[0].weight) == resumed


def test_a_price_moves_weights_to_frequent_centroids() -> None:
    codebook = torch.tensor([-1.0, 1.0])
    values = torch.tensor([-1.0] * 9 + [0.1])
    assert cheapest(values, codebook, 0.0)[-1] == 1
    # The codes take 0.152 and 3.322 bits, and the squared distances are 1.21 and 0.81: equal at a price of 0.126.
    assert cheapest(values, codebook, 0.12)[-1] == 1
    assert cheapest(values, codebook, 0.13)[-1] == 0
