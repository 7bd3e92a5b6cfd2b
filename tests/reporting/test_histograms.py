from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dcz.dcformat import Dense, Shared
from dcz.dcformat.tensors import to_csr
from dcz.reporting.histograms import BINS, code_lengths, floats, spread

weights = hnp.arrays(np.float32, (6, 7), elements=st.sampled_from([0.0, -1.0, 0.25, 0.5, 3.0]))


def dense(values: object, dtype: str = "F32") -> Dense:
    return Dense(np.asarray(values), dtype)


@given(weights)
def test_all_forms_of_a_tensor_have_the_same_histogram(array: np.ndarray) -> None:
    codebook, symbols = np.unique(array, return_inverse=True)
    plain = dense(array)
    shared = Shared(array.shape, codebook, symbols.reshape(-1).astype(np.uint8))
    forms = [plain, to_csr(plain), shared, to_csr(shared)]
    expected = spread(plain)
    assert [spread(form) for form in forms] == [expected] * 4
    stored = array[array != 0]
    if not len(stored):
        assert expected is None
        return
    assert expected is not None
    assert sum(expected.counts) == len(stored)
    assert expected.distinct == len(np.unique(stored))
    assert len(expected.counts) == BINS
    assert expected.low <= stored.min() <= stored.max() <= expected.high


def test_bins_are_numpys() -> None:
    array = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    made = spread(dense(array))
    assert made is not None
    counts, edges = np.histogram(array.astype(np.float64), BINS)
    assert made.counts == counts.tolist()
    assert (made.low, made.high) == (edges[0], edges[-1])


def test_before_falls_in_the_same_bins() -> None:
    made = spread(dense([-1.0, 0.0, 1.0]), before=dense([-1.2, 0.1, 0.0, 2.0]))
    assert made is not None
    assert made.before is not None
    assert (made.low, made.high) == pytest.approx((-1.2, 2.0))
    assert (sum(made.counts), sum(made.before)) == (2, 3)
    assert made.before[0] == made.before[-1] == 1


def test_what_is_not_finite_is_left_out() -> None:
    made = spread(dense(np.array([np.nan, np.inf, -np.inf, 2, 0], np.float32)))
    assert made is not None
    assert sum(made.counts) == 1
    assert made.low < 2 < made.high
    assert spread(dense(np.array([np.nan, 0], np.float32))) is None


def test_the_largest_floats_do_not_overflow() -> None:
    made = spread(dense(np.array([-3.4e38, 3.4e38], np.float32)))
    assert made is not None
    assert made.counts[0] == made.counts[-1] == 1


def test_bf16_is_read_from_its_bits() -> None:
    assert floats(dense(np.array([0x3F80, 0xC000], np.uint16), "BF16")).tolist() == [1.0, -2.0]


def test_code_lengths_count_codes_and_symbols() -> None:
    lengths = np.array([1, 0, 2, 3, 3], np.uint8)
    made = code_lengths(lengths, np.array([0, 0, 0, 2, 4], np.uint8), 3)
    assert made.codes == [0, 1, 1, 2]
    assert made.used == [0, 3, 1, 1]
    assert made.mean == pytest.approx((3 * 1 + 2 + 3) / 5)
    assert code_lengths(lengths, np.empty(0, np.uint8), 3).mean == 0
