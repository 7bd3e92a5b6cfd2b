"""Copies and fills against NumPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.runtime.kernels.copy import copy, copy_pixels, copy_strided, copy_transposed, fill, take_rows

EVERYTHING = slice(None)


def check(source, window):
    """Copy a part of `source` into a larger frame; gives the kernel."""
    part = source[window]
    frame = np.full(tuple(size + 2 for size in part.shape[:-1]) + part.shape[-1:], 7, np.float32)
    expected = frame.copy()
    inside = tuple(slice(1, size + 1) for size in part.shape[:-1])
    expected[inside] = part
    function, arguments = copy(frame[inside], part)
    function(*arguments)
    np.testing.assert_array_equal(frame, expected)
    return function


@pytest.mark.parametrize("width", [1, 5, 16, 31, 40])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_parts_of_images(width, step):
    source = np.random.default_rng(width).normal(size=(2, 3, 6, width, 1)).astype(np.float32)
    rows = slice(1, 6, step)
    kernel = check(source, (EVERYTHING, slice(0, 2), rows, slice(0, width, step)))
    assert width < step or width == 1 or kernel is (copy_pixels if step < 3 else copy_strided)
    check(source, (EVERYTHING, slice(1, 3), rows, slice(width // 2, width)))


def test_samples_side_by_side():
    source = np.random.default_rng(0).normal(size=(1, 3, 6, 7, 16)).astype(np.float32)
    assert check(source, (EVERYTHING, EVERYTHING, slice(0, 6, 2), slice(1, 7, 3))) is copy_pixels


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_arrays_of_any_number_of_axes(data):
    shape = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    steps = data.draw(st.lists(st.integers(1, 3), min_size=len(shape), max_size=len(shape)))
    source = np.arange(np.prod(shape), dtype=np.float32).reshape(*shape, 1)
    window = [slice(data.draw(st.integers(0, n)), None, step) for n, step in zip(shape, steps, strict=True)]
    check(source, tuple(window))


def test_what_is_contiguous_is_copied_in_one_piece():
    source, target = (np.arange(240, dtype=np.float32).reshape(1, 3, 5, 16, 1) * sign for sign in (1, -1))
    kernel, (_, _, sizes) = copy(target, source)
    assert kernel is copy_strided
    assert sizes.shape == (3, 1)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_axes_in_any_order_repeated_or_not(data):
    shape = data.draw(st.lists(st.integers(1, 5) | st.sampled_from([16, 19]), min_size=1, max_size=4))
    order = data.draw(st.permutations(range(len(shape))))
    lanes = data.draw(st.sampled_from([1, 16]))
    source = np.arange(np.prod(shape) * lanes, dtype=np.float32).reshape(*shape, lanes)
    source = source.transpose(*order, len(shape))[data.draw(st.integers(0, 1)) :]
    axis = data.draw(st.integers(0, len(shape) - 1))
    if source.shape[axis] == 1:
        source = np.broadcast_to(source, tuple(3 if i == axis else n for i, n in enumerate(source.shape)))
    check(source, EVERYTHING)


@pytest.mark.parametrize(
    ("shape", "order", "kernel"),
    [
        ((2, 20, 37), (0, 2, 1), copy_transposed),
        ((2, 16, 32), (0, 2, 1), copy_transposed),
        ((2, 5, 4, 8, 4), (0, 1, 3, 2, 4), copy_strided),  # rows
        ((2, 3, 40), (0, 2, 1), copy_strided),  # tiles would be empty for the most part
    ],
)
def test_permutations_are_copied_by_rows_or_in_tiles(shape, order, kernel):
    source = np.arange(np.prod(shape), dtype=np.float32).reshape(*shape, 1)
    assert check(source.transpose(*order, len(shape)), EVERYTHING) is kernel


@pytest.mark.parametrize("width", [1, 3, 16, 37])
def test_rows_by_number(width):
    x = np.random.default_rng(0).normal(size=(2, 5, width)).astype(np.float32)
    indices = np.array([4, 0, 0, 3])
    out = np.empty((2, 4, width), np.float32)
    take_rows(x.reshape(-1), out.reshape(-1), indices, 2, 5, width)
    np.testing.assert_array_equal(out, x[:, indices])


@pytest.mark.parametrize("value", [0.0, -0.7, -np.inf])
@pytest.mark.parametrize("channels", [slice(0, 2), slice(2, 3), slice(3, 3)])
def test_a_part_of_each_sample_is_filled(channels, value):
    out = np.ones((2, 3, 4, 5, 1), np.float32)
    expected = out.copy()
    expected[:, channels] = value
    kernel, arguments = fill(out[:, channels], value)
    kernel(*arguments)
    np.testing.assert_array_equal(out, expected)
