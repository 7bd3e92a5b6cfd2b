"""The convolution kernel whose sums slide, against a float64 oracle."""

from __future__ import annotations

import os
from dataclasses import replace

import kernel_cases as cases
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dcz.dcformat.tensors import Dense
from dcz.runtime.kernels.contract import ConvGeometry, Epilogue
from dcz.runtime.kernels.conv.direct.sparse_shift import ConvSliding, ShiftTiling

JIT = os.environ.get("NUMBA_DISABLE_JIT") != "1"
WIDTHS = [1, 2, 3, 5, 7, 8, 13, 16, 32]


@st.composite
def layers(draw: st.DrawFn) -> cases.ConvCase:
    groups = draw(st.sampled_from([1, 1, 2, 3]))
    taps, dilation, padding = draw(st.integers(2, 4)), draw(st.integers(1, 2)), draw(st.integers(0, 3))
    least = max(1, dilation * (taps - 1) + 1 - 2 * padding)
    return cases.ConvCase(
        seed=draw(st.integers(0, 2**32 - 1)),
        batch=draw(st.integers(1, 3)),
        channels=(draw(st.integers(1, 5)) * groups, draw(st.integers(1, 19 if JIT else 4)) * groups),
        size=(
            draw(st.integers(least, max(least, 20 if JIT else 6))),
            draw(st.sampled_from(WIDTHS if JIT else WIDTHS[:-1])),
        ),
        kernel=(taps, 3),
        padding=(padding, 1),
        dilation=(dilation, 1),
        groups=groups,
        density=draw(st.sampled_from([0.0, 0.05, 0.3, 1.0])),
        form=draw(st.sampled_from(cases.FORMS)),
        codebook=draw(st.sampled_from([1, 31, 33, 256])),
        epilogue=draw(st.sampled_from(cases.EPILOGUES)),
    )


@settings(
    max_examples=80 if JIT else 8,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(case=layers(), budget=st.sampled_from([1, 50, 448]))
def test_sliding_sums_agree_with_the_oracle(case: cases.ConvCase, budget: int) -> None:
    cases.check_sliding(case, 4, budget)


@pytest.mark.skipif(not JIT, reason="slow without compiled code")
@pytest.mark.parametrize("rows", [8, 16])
def test_tall_tiles_agree_with_the_oracle(rows: int) -> None:
    case = cases.ConvCase(channels=(9, 17), size=(32, 32), padding=(1, 1), epilogue="residual")
    cases.check_sliding(case, rows)


def test_an_image_that_is_one_tile_agrees_with_the_oracle() -> None:
    for epilogue in ("residual", "relu6"):
        case = cases.ConvCase(channels=(3, 5), size=(8, 8), padding=(1, 1), epilogue=epilogue)
        cases.check_sliding(case, 4)


def test_what_is_not_finite_stays_among_its_neighbours() -> None:
    """Lanes that leave a row meet another one's pixels, but never its sums."""
    geometry = ConvGeometry(1, 1, 8, 8, 1, (3, 3), (1, 1), (1, 1), (1, 1), 1, 8, 8)
    weight = Dense(np.ones((1, 1, 3, 3), np.float32), "F32")
    packed = ConvSliding(weight, ShiftTiling.of(geometry, 4, 448), Epilogue())
    for row, column in ((2, 0), (2, 7), (3, 0), (4, 7), (7, 7)):
        x = np.zeros((1, 1, 8, 8), np.float32)
        x[0, 0, row, column] = np.inf
        out = cases.run_layer(packed, x, x.shape, None)[0, 0]
        near = np.abs(np.indices((8, 8)) - np.array([row, column]).reshape(2, 1, 1)).max(axis=0) <= 1
        np.testing.assert_array_equal(~np.isfinite(out), near)


def test_sliding_sums_take_rows_that_fill_vectors_and_three_taps_side_by_side() -> None:
    geometry = ConvGeometry(1, 4, 9, 32, 4, (3, 3), (1, 1), (1, 1), (1, 1), 1, 9, 32)
    assert ShiftTiling.fits(geometry)
    assert ShiftTiling.fits(replace(geometry, kernel=(5, 3), padding=(0, 1), dilation=(2, 1)))
    for changes in ({"width": 27}, {"stride": (1, 2)}, {"stride": (2, 1)}, {"padding": (1, 0)}, {"dilation": (1, 2)}):
        assert not ShiftTiling.fits(replace(geometry, **changes))
    for kernel, padding in (((1, 3), (0, 1)), ((3, 5), (1, 2))):
        assert not ShiftTiling.fits(replace(geometry, kernel=kernel, padding=padding))
