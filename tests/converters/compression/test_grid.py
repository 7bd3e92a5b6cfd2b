"""Uniform grids in place of k-means: never a greater error, and fewer bytes where they are taken."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.converters.compression.clustering import Clustering, cluster
from dcz.converters.compression.grid import Division, coarsest_grids
from dcz.converters.compression.sharing import share_weights
from dcz.dcformat import ConversionError, Dense
from dcz.dcformat.coding.codebook import find_grid
from dcz.dcformat.encoding.table import encode_tensor


def normal(size: int, least: float = 0.0) -> np.ndarray:
    weights = np.random.default_rng(size).normal(size=size).astype(np.float32)
    return np.where(np.abs(weights) > least, weights, np.float32(0))


def squares(weights: np.ndarray, shared: np.ndarray) -> float:
    return float(np.square(weights.astype(np.float64) - shared).sum())


@pytest.mark.parametrize("least", [0.0, 0.8])
@pytest.mark.parametrize("bits", [3, 5, 6])
def test_a_grid_takes_fewer_bytes_at_the_error_of_k_means(bits: int, least: float) -> None:
    weights = normal(4000, least).reshape(20, 200)
    means, grid = (share_weights(weights, bits, method=method) for method in ("kmeans", "grid"))
    assert squares(weights, grid) <= squares(weights, means) * (1 + 1e-6)
    assert ((grid == 0) == (weights == 0)).all()
    assert len(np.unique(grid)) > 1 << bits
    assert find_grid(np.unique(grid[grid != 0])) is not None
    before, after = (len(encode_tensor(Dense(shared, "F32"))[1]) for shared in (means, grid))
    assert after < before


def test_where_a_grid_is_too_fine_k_means_stays() -> None:
    weights = normal(3000)
    assert (share_weights(weights, 8, method="grid") == share_weights(weights, 8)).all()
    few = np.resize(np.float32([1, -1, 0, 5]), 50)
    assert (share_weights(few, 2, method="grid") == few).all()


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False).filter(bool), min_size=2, max_size=40),
    st.integers(1, 6),
)
def test_any_numbers_are_divided_whole(numbers: list[float], k: int) -> None:
    ordered = np.sort(np.array(numbers, np.float32))
    if ordered[0] == ordered[-1]:
        return
    bounds = np.unique(np.linspace(0, len(ordered), k + 1).astype(np.intp))
    with np.errstate(over="ignore", under="ignore"):
        means = [np.float32(ordered[a:b].astype(np.float64).mean()) for a, b in pairwise(bounds)]
        grids = coarsest_grids(ordered, Division(bounds, np.array(means, np.float32)))
    for grid in grids:
        assert grid.bounds[0] == 0
        assert grid.bounds[-1] == len(ordered)
        assert (np.diff(grid.bounds) > 0).all()
        assert np.isfinite(grid.centroids).all()
        assert (np.diff(grid.centroids) >= 0).all()
        assert grid.centroids.all()


def test_training_takes_no_grid() -> None:
    with pytest.raises(ConversionError, match="does not stay one in training"):
        cluster(np.float32([1, 2, 3]), 2, Clustering(method="grid"))
