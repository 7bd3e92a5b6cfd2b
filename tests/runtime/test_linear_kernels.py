"""Kernels of fully connected layers against a float64 oracle."""

from __future__ import annotations

import os

import kernel_cases as cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

JIT = os.environ.get("NUMBA_DISABLE_JIT") != "1"
SETTINGS = settings(max_examples=80 if JIT else 12, deadline=None, derandomize=True)


@st.composite
def layers(draw: st.DrawFn) -> cases.LinearCase:
    return cases.LinearCase(
        seed=draw(st.integers(0, 2**32 - 1)),
        batch=draw(st.integers(1, 9)),
        features=(draw(st.integers(1, 300)), draw(st.integers(1, 70))),
        density=draw(st.sampled_from([0.0, 0.02, 0.1, 0.3, 1.0])),
        form=draw(st.sampled_from(cases.FORMS)),
        codebook=draw(st.sampled_from([1, 2, 31, 32, 33, 64, 255, 256])),
        epilogue=draw(st.sampled_from(cases.EPILOGUES)),
    )


@pytest.mark.parametrize("name", ["linear_sparse", "linear_dense", "linear_windowed"])
@SETTINGS
@given(case=layers())
def test_every_kernel_agrees_with_the_oracle(name: str, case: cases.LinearCase) -> None:
    cases.check_linear(case, name)


def test_columns_of_more_than_16_bits() -> None:
    for density in (0.002, 0.1):
        cases.check_linear(cases.LinearCase(batch=1, features=(66_000, 5), density=density), "linear_windowed")


@SETTINGS
@given(case=layers())
def test_bits_do_not_depend_on_the_batch(case: cases.LinearCase) -> None:
    whole = cases.run_linear(case, None)
    single = cases.run_linear(case, None, batch=1)
    np.testing.assert_array_equal(whole[:1], single)


@SETTINGS
@given(case=layers())
def test_samples_side_by_side_agree_with_the_oracle(case: cases.LinearCase) -> None:
    cases.check_linear_lanes(case)
