"""Elementwise kernels and softmax against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dcz.runtime.kernels import elementwise

floats = st.floats(-100, 100, width=32) | st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 6.0])
vectors = hnp.arrays(np.float32, st.integers(0, 70), elements=floats)
limits = st.sampled_from([(-np.inf, np.inf), (0, np.inf), (0, 6), (-1.5, 0.25)])


def clamped(x, bounds):
    low, high = np.array(bounds, x.dtype)
    return np.minimum(np.maximum(x, low), high)  # both let NaN through


@settings(deadline=None)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 20), limits)
def test_affine(batch, channels, inner, bounds):
    rng = np.random.default_rng(inner)
    x = rng.normal(size=(batch, channels, inner)).astype(np.float32)
    scale, shift = rng.normal(size=(2, channels)).astype(np.float32)
    elementwise.affine(x, x_out := np.empty_like(x), scale, shift, *bounds)
    wide = x.astype(np.float64) * scale[:, None] + shift[:, None]
    np.testing.assert_allclose(x_out, clamped(wide, bounds), atol=1e-6)


def log_softmax(x):
    shifted = x.astype(np.float64) - x.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


@settings(deadline=None)
@given(st.integers(1, 3), st.integers(1, 12), st.integers(1, 5), st.sampled_from([1e-3, 1, 100, 1e30]))
def test_softmax(outer, n, inner, size):
    x = (np.random.default_rng(n).normal(size=(outer, n, inner)) * size).astype(np.float32)
    out = np.empty_like(x)
    elementwise.softmax(x, out, True)
    np.testing.assert_allclose(out, log_softmax(x), rtol=1e-6, atol=1e-6)
    elementwise.softmax(x, out, False)
    np.testing.assert_allclose(out, np.exp(log_softmax(x)), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("log", [False, True])
def test_softmax_of_infinities(log):
    x = np.array([[[0.0], [-np.inf]], [[np.nan], [1.0]]], dtype=np.float32)
    out = np.empty_like(x)
    elementwise.softmax(x, out, log)
    np.testing.assert_array_equal(out[0, :, 0], [0, -np.inf] if log else [1, 0])
    assert np.isnan(out[1]).all()
