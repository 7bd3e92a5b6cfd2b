"""Pooling kernels against the interpreter, over odd shapes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

from dcz.dcformat.graph.ops import pool as meaning
from dcz.runtime.kernels.pool import plain as pool
from dcz.runtime.kernels.pool.batch16 import Windows, pool_lanes
from dcz.runtime.kernels.pool.triples import TRIPLES, fits_triples, max_pool_triples, vectors_of

SLOW = bool(config.DISABLE_JIT)
sizes = st.integers(1, 6 if SLOW else 40)


@st.composite
def windows(draw):
    """A batch of images and the attributes of a pooling that fits it."""
    shape = draw(st.integers(1, 2)), draw(st.integers(1, 3)), draw(sizes), draw(sizes)
    kernel, stride, padding, dilation = [], [], [], []
    for size in shape[2:]:
        kernel.append(draw(st.integers(1, min(5, size))))
        dilation.append(draw(st.integers(1, max(1, (size - 1) // max(1, kernel[-1] - 1)))) if kernel[-1] > 1 else 1)
        stride.append(draw(st.integers(1, 4)))
        padding.append(draw(st.integers(0, kernel[-1] // 2)))
    x = np.random.default_rng(draw(st.integers(0, 999))).normal(size=shape).astype(np.float32)
    attrs = {
        "kernel": tuple(kernel),
        "stride": tuple(stride),
        "padding": tuple(padding),
        "ceil_mode": draw(st.booleans()),
    }
    return x, attrs, tuple(dilation)


def run(x, attrs, dilation, largest, count_include_pad=True):
    kernel, stride, padding = attrs["kernel"], attrs["stride"], attrs["padding"]
    args = zip(x.shape[2:], kernel, stride, padding, dilation, strict=True)
    out_h, out_w = (meaning.pool_out(*arg, attrs["ceil_mode"]) for arg in args)
    out = np.full((*x.shape[:2], out_h, out_w), 7, np.float32)
    elements = pool.scratch_elements(out_w, kernel[1], stride[1], dilation[1], x.shape[3], padding[1])
    rows, columns = (
        pool.window_counts(x.shape[2 + a], out.shape[2 + a], kernel[a], stride[a], padding[a], count_include_pad)
        for a in (0, 1)
    )
    scratch = np.full(elements, np.nan, np.float32)
    arrays = x.reshape(-1), out.reshape(-1), scratch, rows, columns
    pool.pool2d(*arrays, *x.shape[2:], largest, *kernel, *stride, *padding, *dilation)
    return out


def run_lanes(x, down, across, largest):
    """Pool the same images in 16 lanes, each scaled by another power of two, which changes no bit of the digits."""
    scale = np.float32(2) ** np.arange(16, dtype=np.float32)
    lanes = np.ascontiguousarray(x[..., None] * scale)
    shape = *x.shape[:2], len(down.divisors), len(across.divisors)
    out = np.full((*shape, 16), 7, np.float32)
    pool_lanes(lanes.reshape(-1), out.reshape(-1), *x.shape[2:], *down.arrays(), *across.arrays(), largest)
    np.testing.assert_array_equal(out, out[..., :1] * scale)
    return out[..., 0]


def regular(x, attrs, dilation, count_include_pad):
    """The windows of rows and of columns."""
    for a in (0, 1):
        size, kernel, stride, padding = x.shape[2 + a], attrs["kernel"][a], attrs["stride"][a], attrs["padding"][a]
        out = meaning.pool_out(size, kernel, stride, padding, dilation[a], attrs["ceil_mode"])
        counts = pool.window_counts(size, out, kernel, stride, padding, count_include_pad)
        yield Windows.regular(size, kernel, stride, padding, dilation[a], counts)


@settings(deadline=None)
@given(windows())
def test_max_pooling_side_by_side(case):
    x, attrs, dilation = case
    found = run_lanes(x, *regular(x, attrs, dilation, True), True)
    np.testing.assert_array_equal(found, meaning.max_pool2d(x, **attrs, dilation=dilation))


@settings(deadline=None)
@given(windows(), st.booleans())
def test_average_pooling_side_by_side(case, count_include_pad):
    x, attrs, _ = case
    expected = meaning.avg_pool2d(x.astype(np.float64), **attrs, count_include_pad=count_include_pad)
    found = run_lanes(x, *regular(x, attrs, (1, 1), count_include_pad), False)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_means_of_large_windows_side_by_side_lose_no_digits():
    x = np.random.default_rng(0).random((1, 1, 300, 200), np.float32)
    found = run_lanes(x, Windows.adaptive(300, 1), Windows.adaptive(200, 1), False)
    np.testing.assert_allclose(found, x.mean((2, 3), np.float64, keepdims=True), rtol=1e-6)


@pytest.mark.parametrize("place", range(6))
def test_nan_wins_side_by_side(place):
    x = np.arange(6, dtype=np.float32)
    x[place] = np.nan
    x[(place + 3) % 6] = np.inf
    window = Windows.adaptive(6, 1), Windows.adaptive(1, 1)
    assert np.isnan(run_lanes(x.reshape(1, 1, 6, 1), *window, True)).all()


def max_pool(x, attrs, dilation):
    return run(x, attrs, dilation, True)


def avg_pool(x, attrs, count_include_pad):
    return run(x, attrs, (1, 1), False, count_include_pad)


@settings(deadline=None)
@given(windows())
def test_max_pooling(case):
    x, attrs, dilation = case
    np.testing.assert_array_equal(max_pool(x, attrs, dilation), meaning.max_pool2d(x, **attrs, dilation=dilation))


@settings(deadline=None)
@given(windows(), st.booleans())
def test_average_pooling(case, count_include_pad):
    x, attrs, _ = case
    expected = meaning.avg_pool2d(x.astype(np.float64), **attrs, count_include_pad=count_include_pad)
    np.testing.assert_allclose(avg_pool(x, attrs, count_include_pad), expected, rtol=1e-5, atol=1e-6)


@settings(deadline=None)
@given(sizes, sizes, st.integers(1, 12), st.integers(1, 12))
def test_adaptive_pooling(height, width, out_height, out_width):
    x = np.random.default_rng(height * 50 + width).normal(size=(1, 2, height, width)).astype(np.float32)
    out = np.empty((1, 2, out_height, out_width), np.float32)
    pool.adaptive_pool2d(pool.planes(x), pool.planes(out), True)
    np.testing.assert_array_equal(out, meaning.adaptive_max_pool2d(x, out.shape[2:]))
    pool.adaptive_pool2d(pool.planes(x), pool.planes(out), False)
    means = meaning.adaptive_avg_pool2d(x.astype(np.float64), out.shape[2:])
    np.testing.assert_allclose(out, means, atol=1e-6)
    windows = Windows.adaptive(height, out_height), Windows.adaptive(width, out_width)
    np.testing.assert_array_equal(run_lanes(x, *windows, True), meaning.adaptive_max_pool2d(x, out.shape[2:]))
    np.testing.assert_allclose(run_lanes(x, *windows, False), means, atol=1e-6)


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 100))
def test_global_average(planes, size):
    x = np.random.default_rng(size).normal(size=(planes, size)).astype(np.float32)
    out = np.empty(planes, np.float32)
    pool.global_avg_pool(x.reshape(-1), out)
    np.testing.assert_allclose(out, x.mean(axis=1, dtype=np.float64), atol=1e-6)


@pytest.mark.parametrize("width", [2, 4, 8, 16, 32, 96])
def test_pairs(width):
    x = np.random.default_rng(width).normal(size=(1, 16, 6, width)).astype(np.float32)
    x[0, 3, 1, 1], x[0, 5, 0, 0], x[0, 6, 2, 1], x[0, 7] = np.nan, np.nan, np.inf, -np.inf
    out = np.full((1, 16, 3, width // 2), 7, np.float32)
    assert pool.fits_pairs(width, x.size)
    pool.max_pool_pairs(x.reshape(-1), out.reshape(-1), width)
    attrs = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "ceil_mode": False}
    np.testing.assert_array_equal(out, meaning.max_pool2d(x, **attrs, dilation=(1, 1)))


def test_pairs_fill_vectors():
    assert not pool.fits_pairs(6, 64 * 6)
    assert not pool.fits_pairs(48, 64 * 48)
    assert not pool.fits_pairs(4, 32)


@pytest.mark.parametrize(
    ("height", "width"), [(3, 3), (4, 18), (5, 33), (3, 34), (6, 55), (5, 66)] + [(3, 129)] * (not SLOW)
)
def test_triples_give_the_bits_of_any_windows(height, width):
    special = np.array([0.0, -0.0, 1, -1, np.nan, np.inf, -np.inf], np.float32)
    x = np.random.default_rng(width).choice(special, (1, 3, height, width))
    attrs = {"kernel": (3, 3), "stride": (2, 2), "padding": (0, 0), "ceil_mode": False}
    expected = max_pool(x, attrs, (1, 1))
    made, out = expected.shape[2:], np.full(expected.shape, 7, np.float32)
    assert fits_triples(TRIPLES, (height, width), made)
    max_pool_triples(vectors_of(made[1]), x.reshape(-1), out.reshape(-1), height, width, *made)
    np.testing.assert_array_equal(out.view(np.int32), expected.view(np.int32))


def test_triples_do_not_reach_beyond_an_image():
    assert fits_triples(TRIPLES, (7, 9), (3, 4))
    assert not fits_triples(TRIPLES, (6, 9), (3, 4))
    assert not fits_triples((3, 3, 2, 2, 1, 1, 1, 1), (7, 9), (3, 4))


def test_not_a_number_wins_as_in_torch():
    x = np.arange(49, dtype=np.float32).reshape(1, 1, 7, 7)
    x[0, 0, 3, 3], x[0, 0, 0, 0] = np.nan, -np.inf
    attrs = {"kernel": (3, 3), "stride": (2, 2), "padding": (0, 0), "ceil_mode": False}
    found = max_pool(x, attrs, (1, 1))
    expected = meaning.max_pool2d(x, **attrs, dilation=(1, 1))
    assert np.isnan(expected).any()
    np.testing.assert_array_equal(found, expected)


def test_inputs_may_be_read_only():
    x = np.ones((1, 1, 4, 4), np.float32)
    x.flags.writeable = False
    attrs = {"kernel": (2, 2), "stride": (2, 2), "padding": (0, 0), "ceil_mode": False}
    assert max_pool(x, attrs, (1, 1)).sum() == avg_pool(x, attrs, True).sum() == 4


@pytest.mark.skipif(SLOW, reason="the same without the JIT, and slow")
@settings(deadline=None, max_examples=30)
@given(windows(), st.booleans())
def test_pytorch_agrees(case, count_include_pad):
    torch = pytest.importorskip("torch")
    x, attrs, dilation = case
    names = {"kernel": "kernel_size"}
    options = {names.get(name, name): value for name, value in attrs.items()}
    tensor = torch.from_numpy(x)
    expected = torch.nn.functional.max_pool2d(tensor, dilation=dilation, **options).numpy()
    np.testing.assert_array_equal(max_pool(x, attrs, dilation), expected)
    expected = torch.nn.functional.avg_pool2d(tensor, count_include_pad=count_include_pad, **options).numpy()
    np.testing.assert_allclose(avg_pool(x, attrs, count_include_pad), expected, rtol=1e-5, atol=1e-6)
