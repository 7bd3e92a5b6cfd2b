"""Kernels of one number in, one number out, against what their operators mean."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dcz.dcformat import OPS
from dcz.runtime.kernels import unary

special = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 6.0, 1e-45, -1e-45])
floats = st.floats(-100, 100, width=32) | special
vectors = hnp.arrays(np.float32, st.integers(0, 70), elements=floats)
limits = st.sampled_from([(-np.inf, np.inf), (0, np.inf), (0, 6), (-1.5, 0.25)])
SWEEP = np.concatenate([np.linspace(-120, 120, 4001), np.linspace(-2, 2, 4001), np.geomspace(1e-44, 1e37, 401)])
ALL = np.concatenate([SWEEP, -np.geomspace(1e-44, 1e37, 401), [0.0, -0.0, np.nan, np.inf, -np.inf]]).astype(np.float32)
"""Every magnitude of float32, closely where functions bend, and what floating point treats apart."""
UNITS = {  # kernel and numbers: the error in units of the last place; where larger, an absolute one
    ("sigmoid",): (3, 1e-37),
    ("silu",): (3, 1e-36),
    ("gelu", False): (3, 3e-7),
    ("gelu", True): (3, 6e-7),
    ("tanh",): 3,
    ("hardsigmoid", 0.2, 0.4): (3, 1e-7),
    ("hardswish",): (3, 1e-6),
    ("elu", 1.5, 1.25, 0.5): 3,
    ("softplus", 1.0, 20.0): 4,
    ("softplus", 2.0, 5.0): 4,
    ("mish",): (3, 1e-6),
    ("affine", 0.3, -0.7): (1, 1e-7),
    ("power", 2.0): 1,
    ("power", 3.0): 1,
    ("power", -0.5): 1,
    ("reciprocal",): 1,
    ("sqrt",): 1,
    ("exp",): 2,
    ("log",): 2,
    ("erf",): (4, 1e-44),
    ("abs",): 0,
    ("sin",): (1, 1.2e-7),
    ("cos",): (1, 1.2e-7),
    ("floor",): 0,
    ("ceil",): 0,
    ("round",): 0,
}


@pytest.mark.parametrize("case", UNITS, ids=str)
def test_each_function_to_a_few_units_in_the_last_place(case):
    (name, *numbers), error = case, UNITS[case]
    units, absolute = error if isinstance(error, tuple) else (error, 0.0)
    attrs = {attr: np.float32(number) for attr, number in zip(OPS[name].attrs, numbers, strict=True)}
    attrs |= {"tanh": numbers[0]} if name == "gelu" else {}
    out = np.empty_like(ALL)
    with np.errstate(all="ignore"):
        getattr(unary, name)(ALL, out, *numbers)
        exact = OPS[name].meaning(ALL.astype(np.float64), **attrs)
        rounded = exact.astype(np.float32)
        normal = np.isfinite(rounded) & np.isfinite(out)
        np.testing.assert_array_equal(out[~normal], rounded[~normal])
        off = np.abs(out[normal] - exact[normal])
        allowed = np.maximum(units * np.spacing(np.abs(rounded[normal])).astype(np.float64), absolute)
    worst = np.argmax(off - allowed)
    assert off[worst] <= allowed[worst], (ALL[normal][worst], out[normal][worst], exact[normal][worst])


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 33])
def test_each_length_in_place(size):
    x = np.linspace(-3, 3, size + 2).astype(np.float32)
    expected = x.copy()
    unary.sigmoid(x.copy(), expected)
    inside = x[1:-1]
    unary.sigmoid(inside, inside)
    np.testing.assert_array_equal(x[1:-1], expected[1:-1])
    assert (x[0], x[-1]) == (-3, 3) or size == 0


@settings(deadline=None)
@given(vectors, limits)
def test_clamp(x, bounds):
    out = np.empty_like(x)
    unary.clamp(x, out, *bounds)
    low, high = np.array(bounds, x.dtype)
    np.testing.assert_array_equal(out, np.minimum(np.maximum(x, low), high))  # both let NaN through


@settings(deadline=None)
@given(vectors, st.floats(-4, 4) | st.just(0.0))
def test_leaky_relu(x, slope):
    with np.errstate(invalid="ignore", under="ignore"):
        expected = np.where(x > 0, x, x * np.float32(slope))
        unary.leaky_relu(x, out := np.empty_like(x), slope)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(np.signbit(out[x == 0]), np.signbit(expected[x == 0]))


@settings(deadline=None)
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 40))
def test_prelu(batch, channels, inner):
    rng = np.random.default_rng(inner)
    x = rng.normal(size=(batch, channels, inner)).astype(np.float32)
    slope = rng.normal(size=channels).astype(np.float32)
    unary.prelu(x, out := np.empty_like(x), slope)
    np.testing.assert_array_equal(out, np.where(x > 0, x, x * slope[:, None]))
