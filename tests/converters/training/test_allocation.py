"""Bits go where they help, and the budget holds."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from dcz.converters.compression.clustering import cluster
from dcz.converters.compression.sharing import BitsRule
from dcz.converters.training.allocation import CODEBOOK_BITS, Allocation, importance
from dcz.converters.training.data.datasets import Split
from dcz.dcformat import ConversionError, Preprocess

RNG = np.random.default_rng(0)
WEIGHTS = {
    "loud.weight": RNG.normal(size=(40, 50)).astype(np.float32),
    "quiet.weight": 0.1 * RNG.normal(size=(40, 50)).astype(np.float32),
    "small.weight": RNG.normal(size=(10, 10)).astype(np.float32),
}


def cost(name: str, bits: int) -> tuple[float, float]:
    values = WEIGHTS[name].ravel()
    codebook, symbols = cluster(values, 1 << bits)
    share = np.bincount(symbols) / len(symbols)
    rate = -len(values) * float((share * np.log2(share)).sum()) + CODEBOOK_BITS * len(codebook)
    return float(np.square(values - codebook[symbols]).sum()), rate


@pytest.mark.parametrize("average", [2.0, 3.5])
def test_budget_and_near_optimality(average: float) -> None:
    rule = Allocation(WEIGHTS).rule(average)
    budget = average * sum(w.size for w in WEIGHTS.values())
    curves = {name: [cost(name, bits) for bits in range(1, 9)] for name in WEIGHTS}
    chosen = [curves[name][(rule.bits(name, 2) or 0) - 1] for name in WEIGHTS]
    assert sum(rate for _, rate in chosen) <= budget
    # No allocation that takes no more bits than this one has less error: the chosen point is on the hull.
    total = sum(rate for _, rate in chosen)
    best = min(
        sum(error for error, _ in way) for way in itertools.product(*curves.values()) if sum(r for _, r in way) <= total
    )
    assert sum(error for error, _ in chosen) == pytest.approx(best)
    assert rule.bits("loud.weight", 2) > rule.bits("quiet.weight", 2)  # type: ignore[operator]


def test_weighing_turns_the_choice() -> None:
    weighing = {name: np.full_like(w, 1e4 if "quiet" in name else 1.0) for name, w in WEIGHTS.items()}
    rule = Allocation(WEIGHTS, weighing=weighing).rule(3.0)
    assert rule.bits("quiet.weight", 2) > rule.bits("loud.weight", 2)  # type: ignore[operator]


def test_too_small_a_budget() -> None:
    with pytest.raises(ConversionError, match=r"expected >= .*found 0\.5"):
        Allocation(WEIGHTS).rule(0.5)


def total_bits(rule: BitsRule) -> int:
    return sum(rule.bits(name, 2) or 0 for name in WEIGHTS)


def test_turning_point_brackets_a_property() -> None:
    seen: list[int] = []

    def reached(rule: BitsRule) -> bool:
        seen.append(total_bits(rule))
        return total_bits(rule) >= 10

    without, having = Allocation(WEIGHTS).turning_point(reached)
    assert total_bits(without) < 10 <= total_bits(having)
    assert len(seen) == 9  # both ends and seven halvings
    assert total_bits(having) - total_bits(without) <= 2


@pytest.mark.parametrize(("property_holds", "bits"), [(True, 3), (False, 23)])
def test_turning_point_beyond_the_ends(property_holds: bool, bits: int) -> None:
    without, having = Allocation(WEIGHTS).turning_point(lambda rule: property_holds)
    assert total_bits(without) == total_bits(having) == bits  # 7 bits hold the hundred weights of the small layer


def test_importance_is_the_mean_squared_gradient() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    split = Split(RNG.integers(0, 256, (8, 2, 2, 1), dtype=np.uint8), np.arange(8) % 3)
    found = importance(model, split, Preprocess(mode="L", mean=(0.0,), std=(1.0,)), batches=1, batch=8)
    x = torch.from_numpy(split.images[:].reshape(8, 4).astype(np.float32) / 255)
    loss = nn.functional.cross_entropy(model[1](x), torch.from_numpy(split.labels))
    (gradient,) = torch.autograd.grad(loss, model[1].weight)
    assert found["1.weight"] == pytest.approx(gradient.numpy() ** 2, rel=1e-3, abs=1e-9)
