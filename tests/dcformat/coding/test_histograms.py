"""Occurrences of numbers, with sorting and without; the least bits of a histogram."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dcz.dcformat.coding import histograms
from dcz.dcformat.coding.histograms import entropy_bits, histogram, occurrences_of


@given(st.lists(st.integers(0, 40)), st.sampled_from([0, 20, 1000]))
def test_occurrences_are_those_of_a_sorted_list(numbers: list[int], bins: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(histograms, "MOST_BINS", bins)
        distinct, counts = occurrences_of(np.array(numbers, np.int64))
    assert dict(zip(distinct.tolist(), counts.tolist(), strict=True)) == {n: numbers.count(n) for n in numbers}
    assert distinct.tolist() == sorted(set(numbers))
    assert distinct.dtype == counts.dtype == np.int64


def test_a_histogram_is_made_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(histograms, "PIECE", 3)
    assert histogram(np.array([1, 0, 1, 1, 1, 3, 0], np.uint8), 5).tolist() == [2, 4, 0, 1, 0]
    assert histogram(np.empty(0, np.uint8), 2).tolist() == [0, 0]


def test_entropy_of_a_histogram() -> None:
    assert entropy_bits(np.array([4, 0, 2, 1, 1])) == pytest.approx(4 * 1 + 2 * 2 + 2 * 3)
    assert entropy_bits(np.array([0, 9])) == 0
    assert entropy_bits(np.array([0, 0])) == 0
