from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcz.converters.compression import running_sums
from dcz.converters.compression.clustering import Clustering, cluster
from dcz.converters.compression.running_sums import STEP, RunningSums


@pytest.mark.parametrize("piece", [STEP, 3 * STEP, 1 << 20])
@pytest.mark.parametrize("count", [1, STEP - 1, STEP, STEP + 1, 6 * STEP, 7 * STEP + 5])
def test_sums_have_the_bits_of_a_running_sum(count: int, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running_sums, "PIECE", piece)
    numbers = np.random.default_rng(count).normal(size=count).astype(np.float32)
    sums = np.concatenate(([0.0], np.cumsum(numbers.astype(np.float64))))
    bounds = np.arange(count + 1)
    assert np.array_equal(RunningSums(numbers).between(bounds), np.diff(sums))
    assert np.array_equal(RunningSums(numbers).between(bounds[[0, 0, -1, -1]]), [0.0, sums[-1], 0.0])


@given(st.integers(0, 1 << 32), st.integers(1, 9), st.sampled_from(["linear", "density", "random"]))
def test_numbers_need_not_be_float64_to_be_clustered_as_such(seed: int, k: int, init: str) -> None:
    """Limits between clusters are compared with float32 numbers as they are, not rounded to float32."""
    rng = np.random.default_rng(seed)
    values = np.float32(1) + rng.integers(0, 40, 300) * np.finfo(np.float32).eps
    ours, expected = (cluster(values.astype(kind), k, Clustering(init)) for kind in (np.float32, np.float64))
    assert np.array_equal(ours[0], expected[0])
    assert np.array_equal(ours[1], expected[1])
