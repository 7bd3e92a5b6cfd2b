"""The compiled replacement against NumPy's, bit for bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dcz.converters.compression.replacing import replace


@given(st.integers(0, 1 << 32), st.integers(0, 9), st.booleans())
def test_weights_above_the_threshold_get_the_value_of_their_interval(seed: int, limits: int, prune: bool) -> None:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=200).round(1).astype(np.float32)  # some equal the threshold, or a limit
    weights = np.concatenate([numbers, np.float32([0.0, -0.0, 1e30, -1e30])])
    bounds = np.unique(rng.choice(numbers, limits)) if limits else numbers[:0]
    values = rng.normal(size=len(bounds) + 1).astype(np.float32)
    threshold = np.float32(rng.choice([0, 0.5, 1.0]))
    expected = weights.copy()
    above = np.abs(weights) > threshold
    expected[above] = values[np.searchsorted(bounds, weights[above], side="right")]
    if prune:
        expected[~above] = 0
    replace(weights, threshold, prune, bounds, values)
    assert np.array_equal(weights.view(np.uint32), expected.view(np.uint32))
