from __future__ import annotations

import numpy as np

from dcz.core.difference import relative_error


def test_relative_error_is_relative_to_the_largest_expected() -> None:
    assert relative_error(np.array([1.0, -4.5]), np.array([1.0, -4.0])) == 0.125
    assert relative_error(np.zeros(2), np.zeros(2)) == 0


def test_the_same_nan_or_infinity_is_no_difference() -> None:
    expected = np.array([np.nan, np.inf, -np.inf, 2])
    assert relative_error(expected, expected) == 0
    assert relative_error(expected + np.array([0, 0, 0, 1]), expected) == 0.5
    for other in ([np.nan, np.inf, np.inf, 2], [np.nan, np.inf, -np.inf, np.nan], [1, np.inf, -np.inf, 2]):
        assert not relative_error(np.array(other), expected) < 1e30
    assert relative_error(np.full(2, np.nan), np.full(2, np.nan)) == 0
