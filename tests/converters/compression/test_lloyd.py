"""The compiled steps against those in NumPy, bit for bit."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dcz.converters.compression.clustering import _nearest
from dcz.converters.compression.lloyd import plain_steps
from dcz.converters.compression.running_sums import STEP, RunningSums


def expected(ordered: np.ndarray, centroids: np.ndarray, most: int) -> tuple[int, np.ndarray]:
    """Steps and centroids at which a cluster is empty, none moves, or `most` steps are done."""
    for step in range(most):
        bounds = _nearest(ordered, centroids)
        if (np.diff(bounds) == 0).any():
            return step, centroids
        prefix = np.concatenate([[0.0], np.cumsum(ordered.astype(np.float64))])
        moved = np.sort(np.diff(prefix[bounds]) / np.diff(bounds))
        if np.array_equal(moved, centroids):
            return step, centroids
        centroids = moved
    return most, centroids


@given(st.integers(0, 1 << 32), st.integers(1, 5 * STEP), st.integers(1, 9), st.integers(0, 30), st.booleans())
def test_compiled_steps_have_the_bits_of_plain_ones(seed: int, count: int, k: int, most: int, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=count)
    ordered = np.sort((numbers.round(1) if coarse else numbers).astype(np.float32))  # many are equal, or none
    centroids = np.sort(rng.choice(ordered, k)).astype(np.float64)
    steps, where = expected(ordered, centroids, most)
    assert plain_steps(ordered, RunningSums(ordered).kept, centroids, most) == steps
    assert np.array_equal(centroids, where)
