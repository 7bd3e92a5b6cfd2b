"""Masks, gradual masks and codebooks, held through real optimiser steps."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dcz.converters.compression.pruning import PruneRule, largest_mask
from dcz.converters.compression.sharing import BitsRule
from dcz.converters.training.constraints import (
    Constraint,
    GradualPruning,
    Masks,
    SharedWeights,
    nonzero_masks,
    prunable,
    weights_of,
)
from dcz.converters.training.targets import GlobalTarget, LayerTarget, RuleTarget
from dcz.dcformat.coding.codebook import find_grid


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 3, 1),
        nn.Conv2d(3, 8, 3, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 4 * 4, 5),
    )


def steps(model: nn.Module, constraint: Constraint, optimizer: torch.optim.Optimizer, count: int = 8) -> None:
    generator = torch.Generator().manual_seed(1)
    for step in range(count):
        x = torch.rand(16, 1, 6, 6, generator=generator)
        y = torch.randint(0, 5, (16,), generator=generator)
        model.zero_grad()
        F.cross_entropy(model(x), y).backward()
        constraint.before_step(model)
        optimizer.step()
        constraint.after_step(model, optimizer, (step + 1) / count)


def optimizers(parameters: list[nn.Parameter]) -> list[torch.optim.Optimizer]:
    return [
        torch.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=1e-3, nesterov=True),
        torch.optim.AdamW(parameters, lr=0.01, weight_decay=1e-2),
    ]


def test_prunable_leaves_biases_and_normalisation_out() -> None:
    assert list(prunable(network())) == ["0.weight", "1.weight", "5.weight"]


@pytest.mark.parametrize("kind", [0, 1])
def test_masks_stay_exact(kind: int) -> None:
    model = network()
    wanted = {name: largest_mask(weight, weight.size // 4) for name, weight in weights_of(model).items()}
    masks = Masks(wanted)
    masks.apply(model)
    optimizer = optimizers(list(model.parameters()))[kind]
    before = model[5].weight.detach().clone()
    steps(model, masks, optimizer)
    assert masks.density() == pytest.approx(0.25, abs=0.01)
    assert not torch.equal(before, model[5].weight)
    for name, mask in nonzero_masks(model).items():
        assert np.array_equal(mask, wanted[name])
        for value in optimizer.state[prunable(model)[name]].values():
            if value.dim():
                assert not value[torch.from_numpy(~mask)].any()


@pytest.mark.parametrize("kind", [0, 1])
def test_gradual_pruning_tightens_to_the_target(kind: int) -> None:
    model = network()
    densities = []

    def target(weights: object, way: float) -> dict[str, np.ndarray]:
        masks = GlobalTarget(0.1)(weights_of(model), way)
        densities.append(sum(int(m.sum()) for m in masks.values()) / sum(m.size for m in masks.values()))
        return masks

    pruning = GradualPruning(target, ramp=0.5, every=1)
    steps(model, pruning, optimizers(list(model.parameters()))[kind], count=8)
    assert densities == pytest.approx([0.1 + 0.9 * (1 - t) ** 3 for t in (0.25, 0.5, 0.75, 1)], abs=0.01)
    total = sum(int(mask.sum()) for mask in nonzero_masks(model).values())
    assert total == round(0.1 * sum(w.size for w in weights_of(model).values()))


def test_gradual_pruning_lets_nothing_grow_back() -> None:
    model = network()
    Masks({name: largest_mask(w, w.size // 3) for name, w in weights_of(model).items()}).apply(model)
    start = nonzero_masks(model)
    pruning = GradualPruning(GlobalTarget(0.2), ramp=1.0, start=start, every=2)
    steps(model, pruning, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), count=6)
    final = nonzero_masks(model)
    assert not any((final[name] & ~start[name]).any() for name in start)
    assert sum(int(m.sum()) for m in final.values()) <= round(0.2 * sum(m.size for m in final.values()))


def test_targets_from_dense_to_goal() -> None:
    weights = weights_of(network())
    layers = LayerTarget({"conv": 0.5, "5": 0.1})
    for target in (GlobalTarget(0.2, score="lamp"), RuleTarget(PruneRule("std", 1.0)), layers):
        assert all(mask.all() for mask in target(weights, 0.0).values())
        assert not any(mask.all() for mask in target(weights, 1.0).values())
    assert [int(m.sum()) for m in layers(weights, 1.0).values()] == [2, 108, 64]


def test_centroid_gradient_is_the_sum_of_its_members() -> None:
    model = network()
    weight = model[5].weight
    shared = SharedWeights(model, BitsRule(2))
    F.cross_entropy(model(torch.rand(4, 1, 6, 6)), torch.arange(4)).backward()
    shared.before_step(model)
    codebook = shared.replaces()["5.weight"]
    assert weight.grad is not None
    assert codebook.grad is not None
    for value, gradient in zip(codebook.detach(), codebook.grad, strict=True):
        assert float(gradient) == pytest.approx(float(weight.grad[weight == value].sum()), abs=1e-5)


@pytest.mark.parametrize("kind", [0, 1])
def test_sharing_stays_exact(kind: int) -> None:
    model = network()
    Masks({name: largest_mask(w, w.size // 2) for name, w in weights_of(model).items()}).apply(model)
    masks = nonzero_masks(model)
    shared = SharedWeights(model, BitsRule(None, {"fc": 3}))
    assert list(shared.replaces()) == ["5.weight"]
    before = model[5].weight.detach().clone()
    groups = np.unique(before.numpy(), return_inverse=True)[1]
    steps(model, shared, optimizers(list(shared.replaces().values()))[kind])
    after = model[5].weight.detach().numpy()
    assert not np.array_equal(before.numpy(), after)
    assert np.array_equal(after != 0, masks["5.weight"])
    assert len({(g, float(v)) for g, v in zip(groups.ravel(), after.ravel(), strict=True)}) == len(np.unique(groups))


@pytest.mark.parametrize("resumed", [False, True])
def test_shared_weights_go_on_from_their_state(resumed: bool) -> None:
    def sgd(shared: SharedWeights) -> torch.optim.Optimizer:
        return torch.optim.SGD(shared.replaces().values(), lr=0.1)

    model = network()
    shared = SharedWeights(model, BitsRule(3))
    steps(model, shared, sgd(shared), 2)
    other = copy.deepcopy(model)
    restored = SharedWeights(other, BitsRule(3))
    if resumed:
        restored.load_state_dict(copy.deepcopy(shared.state_dict()))
    steps(model, shared, sgd(shared), 2)
    steps(other, restored, sgd(restored), 2)
    assert torch.equal(model[5].weight, other[5].weight)


def test_grid_holds_centroids_and_vectors() -> None:
    model = network().to(memory_format=torch.channels_last)
    Masks({name: largest_mask(w, w.size // 2) for name, w in weights_of(model).items()}).apply(model)
    masks = nonzero_masks(model)
    shared = SharedWeights(model, BitsRule(3), grid=5, vectors=6)
    assert set(shared.replaces()) == set(dict(model.named_parameters()))
    steps(model, shared, torch.optim.SGD(shared.replaces().values(), lr=0.5))  # far enough to leave the grid
    for name, parameter in model.named_parameters():
        values = parameter.detach().numpy()
        found = find_grid(np.unique(values[values != 0])) if values.any() else (0.0, np.zeros(1))
        assert found is not None, name
        _, levels = found
        limit = 15 if name in masks else 31
        assert np.abs(levels).max() <= limit, name
        if name in masks:
            assert np.array_equal(values != 0, masks[name])
        assert not np.signbit(values[values == 0]).any()
