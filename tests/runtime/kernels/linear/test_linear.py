"""Kernels of fully connected layers against a float64 oracle."""

from __future__ import annotations

import os

import kernel_cases as cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.dcformat import tensors
from dcz.runtime.kernels.contract import Epilogue, LinearGeometry
from dcz.runtime.plan import select
from dcz.runtime.plan.target import HOST

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


@pytest.mark.parametrize("name", ["linear_sparse", "linear_dense", "linear_windowed", "linear_triples"])
@SETTINGS
@given(case=layers())
def test_every_kernel_agrees_with_the_oracle(name: str, case: cases.LinearCase) -> None:
    cases.check_linear(case, name)


@pytest.mark.parametrize("name", ["linear_windowed", "linear_triples"])
def test_columns_of_more_than_16_bits(name: str) -> None:
    for density in (0.002, 0.1):
        cases.check_linear(cases.LinearCase(batch=1, features=(66_000, 5), density=density), name)


@pytest.mark.parametrize("inputs", [31, 32, 33, 62, 63])
def test_windows_end_where_inputs_end(inputs: int) -> None:
    for density in (0.05, 0.5, 1.0):
        cases.check_linear(cases.LinearCase(features=(inputs, 40), density=density), "linear_triples")


@pytest.mark.skipif(not HOST.permutes, reason="for processors with AVX-512")
def test_an_infinite_input_reaches_those_rows_alone_that_have_a_weight_for_it() -> None:
    weight = tensors.SparseShared(
        (2, 40),
        np.array([0, 1, 2]),
        np.array([0, 3], np.int32),
        np.ones(1, np.float32),
        np.zeros(2, np.uint8),
    )
    geometry = LinearGeometry(1, 40, 2)
    x = np.arange(40, dtype=np.float32)[None]
    x[0, 0] = np.inf
    found = cases.run_layer(
        select.by_kernel(select.linear_choices(weight, geometry, Epilogue()))["linear_triples"](), x, (1, 2), None
    )
    np.testing.assert_array_equal(found, [[np.inf, 3]])


def test_codebooks_that_are_not_finite_are_left_to_others() -> None:
    weight = tensors.SparseShared(
        (1, 40), np.array([0, 1]), np.array([5], np.int32), np.full(1, np.inf, np.float32), np.zeros(1, np.uint8)
    )
    assert "linear_triples" not in select.by_kernel(select.linear_choices(weight, LinearGeometry(1, 40, 1), Epilogue()))


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
