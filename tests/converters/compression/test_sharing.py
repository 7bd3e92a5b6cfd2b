"""Weight sharing: against scikit-learn, brute force, and its own promises."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from dcz.converters.compression.clustering import INITS, Clustering, cluster
from dcz.converters.compression.sharing import parse_bits, share_weights
from dcz.dcformat import ConversionError

F32 = NDArray[np.float32]
WEIGHTS = arrays(
    np.float32,
    array_shapes(min_dims=1, max_dims=3, max_side=8),
    elements=st.one_of(st.just(0.0), st.floats(-4, 4, width=32)),
)


def pruned(seed: int, size: int, density: float = 0.3) -> F32:
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=size) * (rng.random(size) < density)
    return weight.astype(np.float32)


def error(weight: F32, shared: F32) -> float:
    return float(np.square(weight.astype(np.float64) - shared).sum())


@given(WEIGHTS, st.integers(1, 4), st.sampled_from(sorted(INITS)), st.sampled_from(["kmeans", "sklearn", "exact"]))
@settings(deadline=None, max_examples=150)
def test_promises(weight: F32, bits: int, init: str, method: str) -> None:
    shared = share_weights(weight, bits, init, seed=3, method=method)
    assert shared.shape == weight.shape
    assert shared.dtype == np.float32
    assert np.array_equal(shared == 0, weight == 0)
    values, distinct = np.unique(shared[shared != 0]), np.unique(weight[weight != 0])
    assert len(values) <= 1 << bits
    if len(distinct) <= 1 << bits:
        assert shared.tobytes() == weight.tobytes()
    if len(values):
        # every weight sits at its nearest shared value
        gaps = np.abs(weight[..., None].astype(np.float64) - values).min(axis=-1)
        own = np.abs(weight.astype(np.float64) - shared)
        assert np.allclose(own[weight != 0], gaps[weight != 0], rtol=0, atol=1e-6)
    assert np.array_equal(shared, share_weights(weight, bits, init, seed=3, method=method))


@pytest.mark.parametrize("bits", [1, 4, 6])
@pytest.mark.parametrize("init", INITS)
def test_scikit_learn_is_the_oracle_of_k_means(init: str, bits: int) -> None:
    from sklearn.cluster import KMeans

    weight = pruned(1, 3000)
    values = weight[weight != 0]
    start = np.sort(INITS[init](np.sort(values.astype(np.float64)), 1 << bits, np.random.default_rng(5)))
    theirs = KMeans(1 << bits, init=start[:, None], n_init=1, max_iter=300, tol=0).fit(values[:, None].astype(float))
    ours = error(weight, share_weights(weight, bits, init, seed=5))
    assert error(weight, share_weights(weight, bits, init, seed=5, method="sklearn")) == pytest.approx(theirs.inertia_)
    if init == "linear":  # its empty clusters are refilled in another order: only the quality compares
        assert ours <= 1.2 * theirs.inertia_
    else:
        assert ours == pytest.approx(theirs.inertia_, rel=1e-4)


def test_both_k_means_find_the_same_clusters() -> None:
    values = np.sort(pruned(3, 5000, density=1.0)).astype(np.float64)
    found = [cluster(values, 16, Clustering("density", method)) for method in ("kmeans", "sklearn")]
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert np.mean(found[0][1] != found[1][1]) < 1e-3


def test_exact_is_optimal() -> None:
    # brute force over all ways to cut 9 sorted values into 4 runs
    values = np.sort(pruned(2, 9, density=1.0)).astype(np.float64)
    best = min(
        sum(float(np.square(run - run.mean()).sum()) for run in np.split(values, cuts))
        for cuts in itertools.combinations(range(1, 9), 3)
    )
    codebook = cluster(values, 4, Clustering(method="exact"))[0].astype(np.float64)
    found = np.square(values[:, None] - codebook).min(axis=1).sum()
    assert found == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("init", INITS)
def test_exact_is_never_worse(init: str) -> None:
    weight = pruned(4, 2000)
    assert (
        error(weight, share_weights(weight, 3, method="exact")) <= error(weight, share_weights(weight, 3, init)) + 1e-9
    )


def test_dp_means_lets_the_data_choose() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(centre, 0.05, 50) for centre in (-3, -1, 2, 5)])
    codebook, symbols = cluster(values, 256, Clustering(method="dpmeans", spread=0.3))
    assert codebook == pytest.approx([-3, -1, 2, 5], abs=0.05)
    assert np.abs(values - codebook[symbols]).max() <= 0.3 * values.std()
    assert len(cluster(values, 2, Clustering(method="dpmeans", spread=0.3))[0]) == 2


def entropy(symbols: NDArray[np.intp]) -> float:
    share = np.bincount(symbols) / len(symbols)
    return float(-(share * np.log2(share)).sum())


def test_rate_buys_shorter_codes_for_error() -> None:
    values = np.random.default_rng(0).laplace(size=5000)
    price = 0.05 * values.var()
    costs = {}
    for rate in (0.0, 5.0):
        codebook, symbols = cluster(values, 16, Clustering(rate=rate))
        costs[rate] = np.square(values - codebook[symbols]).mean(), entropy(symbols)
    assert costs[5.0][1] < costs[0.0][1] - 0.2
    assert costs[5.0][0] > costs[0.0][0]
    assert costs[5.0][0] + price * costs[5.0][1] < costs[0.0][0] + price * costs[0.0][1]


def test_rate_takes_the_cheapest_centroid_for_each_weight() -> None:
    values = np.random.default_rng(1).laplace(size=400)
    codebook, symbols = cluster(values, 8, Clustering(rate=5.0))
    share = np.bincount(symbols) / len(symbols)
    cost = np.square(values[:, None] - codebook) - 0.05 * values.var() * np.log2(share)
    assert np.array_equal(cost.argmin(axis=1), symbols)


def test_cluster_around_zero_keeps_its_sign_of_life() -> None:
    weight = np.array([-1e-3, 1e-3, -1e-3, 1e-3, 5.0, -5.0, 7.0], dtype=np.float32)
    shared = share_weights(weight, 2, method="exact")
    assert np.all(shared != 0)


def test_large_outlier_keeps_a_centroid() -> None:
    weight = pruned(6, 1000, density=1.0)
    weight[0] = 100.0
    assert share_weights(weight, 4)[0] == 100.0


def test_seed_decides() -> None:
    weight = pruned(7, 1000)
    a, b = (share_weights(weight, 4, "random", seed=s) for s in (0, 1))
    assert not np.array_equal(a, b)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_not_finite(bad: float) -> None:
    weight = pruned(8, 100)
    weight[3] = bad
    with pytest.raises(ConversionError, match="not finite"):
        share_weights(weight, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bits": 0}, "expected 1 to 8, found 0"),
        ({"bits": 9}, "expected 1 to 8, found 9"),
        ({"bits": 4, "init": "lineal"}, "linear, density, random, kmeans"),
        ({"bits": 4, "method": "guess"}, "kmeans, sklearn, exact, dpmeans"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConversionError, match=message):
        share_weights(pruned(9, 200), **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "conv1", "fc6", "fc7"),
    [("4", 4, 4, 4), ("conv=8,fc=5", 8, 5, 5), ("fc = 5", None, 5, 5), ("6,conv=8, fc7=2", 8, 6, 2)],
)
def test_parse_bits(text: str, conv1: int | None, fc6: int, fc7: int) -> None:
    rule = parse_bits(text)
    assert [rule.bits("conv1.weight", 4), rule.bits("fc6", 2), rule.bits("fc7.weight", 2)] == [conv1, fc6, fc7]


def test_unknown_keys() -> None:
    assert parse_bits("conv=8,fc9=2").unknown(["conv1.weight", "fc6.weight"]) == ["fc9"]


@pytest.mark.parametrize(
    "text", ["", "0", "9", "four", "conv", "conv=", "=4", "4,5", "fc=4,fc=5", "-1", "4.5", "conv=8,"]
)
def test_parse_bits_refuses(text: str) -> None:
    with pytest.raises(ConversionError, match="bits"):
        parse_bits(text)
