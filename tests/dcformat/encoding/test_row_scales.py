from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.dcformat.encoding.row_scales import MAX_LEVEL, SIGN, level_values, split_rows


def check(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split an array that has grids, and hold the parts against it."""
    split = split_rows(array)
    assert split is not None
    scales, levels = split
    assert (scales.dtype, scales.shape) == (np.float32, array.shape[:1])
    assert (levels.dtype, levels.shape) == (np.uint16, array.shape)
    assert ((scales > 0) & np.isfinite(scales)).all()
    by_row = scales.reshape(-1, *(1,) * (array.ndim - 1))
    assert (level_values(levels) * by_row).tobytes() == array.tobytes()
    # As the format has it: the exact product, rounded once.
    exact = level_values(levels).astype(np.float64) * by_row.astype(np.float64)
    assert exact.astype(np.float32).tobytes() == array.tobytes()
    return scales, levels


@given(
    st.integers(0, 2**32),
    st.integers(1, MAX_LEVEL),
    st.floats(2.0**-100, 2.0**100, width=32),
    st.sampled_from([(1, 1), (3, 5), (4, 2, 3)]),
)
@settings(max_examples=100, deadline=None)
def test_every_grid_is_found(seed: int, top: int, scale: float, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(seed)
    scales = (np.float32(scale) * rng.uniform(1, 2, shape[0])).astype(np.float32)
    levels = rng.integers(-top, top + 1, shape).astype(np.float32)
    check(levels * scales.reshape(-1, *(1,) * (len(shape) - 1)))


def test_the_coarsest_grid_is_taken() -> None:
    scales, levels = check(np.float32([[2, 4, -6], [0.5, 0.25, 0.75]]))
    assert scales.tolist() == [2, 0.25]
    assert levels.tolist() == [[1, 2, SIGN | 3], [2, 1, 3]]


def test_zeros_of_both_signs() -> None:
    scales, levels = check(np.float32([[0, -0.0], [-0.0, 7]]))
    assert scales.tolist() == [1, 7]
    assert levels.tolist() == [[0, SIGN], [SIGN, 1]]


@pytest.mark.parametrize(
    "row",
    [
        [1, np.pi],
        [1, MAX_LEVEL + 1],
        [1, np.nextafter(np.float32(0.5), np.float32(1))],
        [np.nan, 1],
        [np.inf, 1],
        [1e-45, 1],
        [3.4e38, 1e-38],
    ],
)
def test_no_grid(row: list[float]) -> None:
    assert split_rows(np.float32([[1, 2], row])) is None


@pytest.mark.parametrize("value", [1e-45, 3e-45, 1.17e-38, 3.4028235e38, -3.4028235e38])
def test_the_ends_of_the_floats_are_grids_of_one_level(value: float) -> None:
    check(np.float32([[value, 0]]))


@pytest.mark.parametrize("shape", [(), (5,)])
def test_rows_take_two_axes(shape: tuple[int, ...]) -> None:
    assert split_rows(np.ones(shape, np.float32)) is None
