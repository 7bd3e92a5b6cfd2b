"""Rules for ranges, and scales of weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcz.calibration.ranges import Observed, make_range, range_of, rule_of
from dcz.calibration.scales import weight_scales
from dcz.dcformat import InputError
from dcz.dcformat.graph.integer import dequantize, integer_weights, quantize


def seen(x: np.ndarray) -> Observed:
    observed = Observed()
    observed.add(x.astype(np.float32), np.random.default_rng(0), len(x))
    return observed


@given(st.floats(-1e20, 0), st.floats(0, 1e20))
def test_a_range_holds_zero_and_its_limits(low: float, high: float) -> None:
    found = make_range(low, high)
    assert dequantize(quantize(np.zeros(1, np.float32), found), found) == 0
    limits = np.array([low, high], np.float32)
    assert (np.abs(dequantize(quantize(limits, found), found) - limits) <= found.scale * 1.01).all()


def test_rules() -> None:
    x = np.abs(np.random.default_rng(1).normal(size=(10, 100_000)))
    x[3, 4] = 40
    whole, parts, least = (range_of([seen(x)], rule_of(name)) for name in ("max", "p99.9", "mse"))
    assert whole == make_range(0, 40)
    assert parts.scale == pytest.approx(3.29 / 255, rel=0.02)
    assert parts.scale < least.scale < whole.scale
    assert {found.zero_point for found in (whole, parts, least)} == {0}
    both = range_of([seen(x), seen(-2 * x)], rule_of("max"))
    assert both == make_range(-80, 40)


@pytest.mark.parametrize("name", ["", "min", "p", "p50", "p101", "99.9", "p99.9%", "pnan"])
def test_unknown_rules(name: str) -> None:
    with pytest.raises(InputError, match="unknown rule for ranges"):
        rule_of(name)


def test_scales_of_weights() -> None:
    weight = np.random.default_rng(2).normal(size=(5, 3, 3, 3)).astype(np.float32)
    weight[3] = 0
    weight[4] *= 1e-6
    least = np.array([0, 0, 0.5, 1e-4, 0])
    scales = weight_scales(weight, least)
    assert [float(f"{scale:.3g}") for scale in scales] == [float(str(scale)) for scale in scales]
    assert (scales >= least.astype(np.float32)).all()
    assert scales[3] == np.float32(1e-4)
    error = np.abs(integer_weights(weight, scales) * scales.reshape(-1, 1, 1, 1) - weight).max(axis=(1, 2, 3))
    for channel in (0, 1, 4):
        assert error[channel] < np.abs(weight[channel]).max() / 4
    assert not integer_weights(weight, scales)[3].any()
