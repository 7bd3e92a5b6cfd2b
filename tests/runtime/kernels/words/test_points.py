"""Winograd's products in words of 16 bits: no input overflows a sum, sums are exact, and steps are fine."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.runtime.jit import kernel
from dcz.runtime.kernels.contract import tag
from dcz.runtime.kernels.conv.winograd.tiles import SPACE
from dcz.runtime.kernels.words.grid import LARGEST_SUM, MOST
from dcz.runtime.kernels.words.points import make_points, multiply, packed_elements, round_point
from dcz.runtime.simd import LANES

RUN = 4


@kernel
def rounded(columns, scratch, places, packed, room, out):
    out[0] = round_point(columns, scratch, 0, places, LANES, packed, 0, room)


def words_of(x: np.ndarray, room: np.float32) -> tuple[np.ndarray, np.float32]:
    """One vector of each unit, rounded: shape (units, 16), and the step."""
    units, out = len(x), np.zeros(1, np.float32)
    packed = np.zeros(2 * packed_elements(1, units, 1), np.int16)
    with np.errstate(over="ignore"):  # squares, where the kernel is plain Python
        rounded(tag(1), np.ascontiguousarray(x, np.float32).ravel(), np.arange(units), packed, room, out)
    return packed.reshape(-1, LANES, 2).transpose(0, 2, 1).reshape(-1, LANES)[:units].astype(np.int64), out[0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 90), st.sampled_from([-35, -20, -15, 0, 15, 18, 35]), st.booleans())
def test_no_input_overflows_a_sum(seed: int, units: int, exponent: int, alike: bool) -> None:
    rng = np.random.default_rng(seed)
    weights = rng.standard_normal((1, 1, units, RUN)) * (rng.random((1, 1, units, RUN)) < rng.random())
    x = rng.standard_normal((units, LANES)) * np.exp(rng.standard_normal(LANES))
    if alike:  # the greatest sum that two norms allow
        x[:, :RUN] = weights[0, 0]
    x = (x * 10.0**exponent).astype(np.float32)
    points = make_points(weights)
    words, step = words_of(x, points.room)
    integers = points.words.reshape(-1, RUN, 2).transpose(0, 2, 1).reshape(-1, RUN)[:units].astype(np.int64)
    assert max(np.abs(words).max(), np.abs(integers).max()) <= MOST
    assert np.abs(integers.T @ words).max() <= LARGEST_SUM
    # A step of weights is 2^-15 of their norm, one of inputs 2^-16 of the greatest norm or 2^-15 of the greatest.
    scales = points.scales.astype(np.float64)
    assert (np.abs(weights[0, 0] - integers * scales) <= 0.51 * scales).all()
    assert (scales <= np.sqrt(np.square(weights[0, 0]).sum(axis=0)) / 32700 + (weights[0, 0] == 0).all(axis=0)).all()
    assert (np.abs(x - words * np.float64(step)) <= 0.51 * step).all()
    norms = np.sqrt(np.square(x.astype(np.float64)).sum(axis=0))
    sure = np.abs(x).max() * np.sqrt(units)  # far from 1, squares of float32 are no numbers
    norm = norms.max() if abs(exponent) < 10 else sure
    assert step <= max(1.01 * norm / 65000, 1.01 * np.abs(x).max() / MOST, 1e-30)


@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_what_is_no_number_gives_a_step_that_is_none(bad: float) -> None:
    x = np.ones((3, LANES), np.float32)
    x[1, 5] = bad
    assert np.isnan(words_of(x, np.float32(65000))[1])


@pytest.mark.parametrize(("units", "columns"), [(5, 2), (6, 3), (1, 2)])
def test_sums_are_those_of_integers(units: int, columns: int) -> None:
    rng, count, runs = np.random.default_rng(units), 3, 2
    points = make_points(rng.standard_normal((runs, count, units, RUN)))
    pairs = -(-units // 2)
    words = rng.integers(-9000, 9000, (count, pairs, columns * LANES, 2), np.int16)
    x = words.transpose(0, 1, 3, 2).reshape(count, 2 * pairs, -1)[:, :units].astype(np.int64)
    weights = points.words.reshape(runs, count, pairs, RUN, 2).transpose(0, 1, 2, 4, 3).reshape(runs, count, -1, RUN)
    scratch = np.zeros(16 + count * (RUN * columns * LANES + SPACE), np.float32)
    scratch[:count] = 0.5, 3, 0.1
    for run in range(runs):
        sizes = tag(RUN * columns), tag(RUN), count, pairs
        multiply(*sizes, words.ravel(), points.words, points.scales, run, 0, 16, scratch)
        sums = scratch[16:].reshape(count, -1)[:, :-SPACE].reshape(count, RUN, -1)
        scales = points.scales.reshape(runs, count, RUN)[run] * scratch[:count, None]
        exact = np.einsum("puo,puc->poc", weights[run, :, :units].astype(np.int64), x)
        np.testing.assert_array_equal(sums, exact.astype(np.float32) * scales[:, :, None])
