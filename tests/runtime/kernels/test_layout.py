"""Samples put side by side and back."""

import numpy as np
import pytest

from dcz.runtime.kernels.layout import from_lanes, to_lanes


@pytest.mark.parametrize("size", [1, 15, 16, 17, 48, 100])
def test_there_and_back(size):
    samples = np.arange(16 * size, dtype=np.float32).reshape(16, size)
    lanes, back = np.full((size, 16), np.nan, np.float32), np.full((16, size), np.nan, np.float32)
    to_lanes(samples.reshape(-1), lanes.reshape(-1))
    np.testing.assert_array_equal(lanes, samples.T)
    from_lanes(lanes.reshape(-1), back.reshape(-1))
    np.testing.assert_array_equal(back, samples)
