"""The two threshold rules and the global one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from dcz.converters.compression.pruning import PruneRule, global_masks, largest_mask, parse_prune, threshold_mask
from dcz.dcformat import ConversionError, tensors

F32 = NDArray[np.float32]
WEIGHTS = arrays(np.float32, st.tuples(st.integers(0, 6), st.integers(1, 6)), elements=st.floats(-3, 3, width=32))


def test_std_rule_by_hand() -> None:
    weight = np.array([[-3, -1], [1, 3]], dtype=np.float32)  # std = sqrt(5) = 2.236
    assert threshold_mask(weight, parse_prune("std:1")).tolist() == [[True, False], [False, True]]
    assert threshold_mask(weight, parse_prune("std:1.5")).sum() == 0
    assert threshold_mask(weight, parse_prune("std:0.4")).sum() == 4


def test_percent_rule_by_hand() -> None:
    weight = np.array([5, -4, 3, -2, 1], dtype=np.float32)
    assert threshold_mask(weight, parse_prune("percent:50")).tolist() == [True, True, False, False, False]


@given(WEIGHTS, st.sampled_from(["std", "percent"]))
def test_amount_zero_prunes_nothing(weight: F32, kind: str) -> None:
    assert np.array_equal(threshold_mask(weight, PruneRule(kind, 0.0)), weight != 0)


@given(WEIGHTS, st.floats(0, 99.9))
def test_percent_prunes_at_least_its_share(weight: F32, amount: float) -> None:
    assert threshold_mask(weight, PruneRule("percent", amount)).sum() <= np.ceil(weight.size * (1 - amount / 100))


def test_gaussian_sparsity_follows_the_rule() -> None:
    weight = np.random.default_rng(0).normal(size=100_000)
    assert threshold_mask(weight, PruneRule("std", 1.0)).mean() == pytest.approx(0.3173, abs=0.01)  # P(|z| > 1)
    assert threshold_mask(weight, PruneRule("percent", 75.0)).mean() == pytest.approx(0.25, abs=1e-4)


@given(WEIGHTS, st.data())
def test_largest_mask_counts_exactly(weight: F32, data: st.DataObject) -> None:
    keep = data.draw(st.integers(0, weight.size))
    mask = largest_mask(weight, keep)
    assert mask.sum() == keep
    assert mask.shape == weight.shape
    if 0 < keep < weight.size:
        assert np.abs(weight[mask]).min() >= np.abs(weight[~mask]).max()


def test_global_masks_share_one_threshold_and_a_floor() -> None:
    rng = np.random.default_rng(1)
    weights = {"loud": rng.normal(size=(50, 20)), "quiet": 0.01 * rng.normal(size=(10, 10))}
    masks = global_masks(weights, density=0.5, least=0.1)
    assert masks["loud"].sum() == 550  # half of all 1,100 are in the loud layer
    assert masks["quiet"].sum() == 10  # the floor
    assert not any(mask.any() for mask in global_masks(weights, density=0.0).values())


@pytest.mark.parametrize(
    "text", ["", "std", "std:", "std:x", "std:-1", "percent:100", "percent:nan", "magnitude:3", "0.5"]
)
def test_parse_refuses(text: str) -> None:
    with pytest.raises(ConversionError, match="prun"):
        parse_prune(text)


def test_parse_round_trip() -> None:
    assert str(parse_prune("std:0.75")) == "std:0.75"
    assert parse_prune("percent:50") == PruneRule("percent", 50.0)


def test_the_deviation_of_large_layers_is_measured_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensors, "PIECE", 100)
    weight = np.random.default_rng(3).normal(1, 2, (30, 7, 5)).astype(np.float32)
    expected = 2 * np.std(weight, dtype=np.float64)
    assert PruneRule("std", 2.0).threshold(weight) == pytest.approx(expected, rel=1e-14)
    assert PruneRule("std", 2.0).threshold(weight.transpose(2, 0, 1)) == pytest.approx(expected, rel=1e-14)


def test_a_threshold_leaves_the_weights_in_their_order() -> None:
    weight = np.random.default_rng(4).normal(size=(9, 9)).astype(np.float32)
    before = weight.copy()
    assert PruneRule("percent", 50.0).threshold(weight) == np.percentile(np.abs(before), 50)
    assert np.array_equal(weight, before)
