"""Copies of parts of images against NumPy."""

import numpy as np
import pytest

from dcz.runtime.kernels.copy import copy, copy_pixels

EVERYTHING = slice(None)


def check(source, window, compiled):
    """Copy a part of `source` into a larger frame."""
    part = source[window]
    frame = np.full(tuple(size + 2 for size in part.shape[:-1]) + part.shape[-1:], 7, np.float32)
    expected = frame.copy()
    inside = tuple(slice(1, size + 1) for size in part.shape[:-1])
    expected[inside] = part
    function, arguments = copy(frame[inside], part)
    assert (function is copy_pixels) == compiled
    function(*arguments)
    np.testing.assert_array_equal(frame, expected)


@pytest.mark.parametrize("width", [1, 5, 16, 31, 40])
@pytest.mark.parametrize("step", [1, 2, 3])
def test_parts_of_images(width, step):
    source = np.random.default_rng(width).normal(size=(2, 3, 6, width, 1)).astype(np.float32)
    rows = slice(1, 6, step)
    check(source, (EVERYTHING, slice(0, 2), rows, slice(0, width, step)), step < 3)
    check(source, (EVERYTHING, slice(1, 3), rows, slice(width // 2, width)), True)


def test_samples_side_by_side():
    source = np.random.default_rng(0).normal(size=(1, 3, 6, 7, 16)).astype(np.float32)
    check(source, (EVERYTHING, EVERYTHING, slice(0, 6, 2), slice(1, 7, 3)), True)


def test_what_is_no_image_is_left_to_numpy():
    check(np.arange(24, dtype=np.float32).reshape(2, 12, 1), (EVERYTHING, slice(3, 9)), False)
    backwards = np.arange(12, dtype=np.float32).reshape(1, 1, 3, 4, 1)[:, :, ::-1]
    check(backwards, (EVERYTHING,), False)
