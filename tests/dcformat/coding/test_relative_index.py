from itertools import chain

import numpy as np
import pytest
from codec_cases import positions
from hypothesis import example, given
from hypothesis import strategies as st

from dcz.dcformat.coding.relative_index import check_gaps, gap_counts, gap_symbols, gaps_of, indices_of, transpose
from dcz.dcformat.constants import MAX_GAP_BITS

places = st.lists(st.integers(0, 3000), unique=True, min_size=1, max_size=60).map(sorted)


def decode(
    symbols: np.ndarray, counts: list[int], starts: list[int], bits: int, chunk: int, size: int, stored: int
) -> tuple[int, list[int]]:
    chunks = np.array(symbols, dtype=np.uint8), np.array(counts), np.array(starts), (1 << bits) - 1
    bad = check_gaps(*chunks, chunk, stored, size)
    out = np.full(stored, -7, dtype=np.int32)
    if bad < 0:
        indices_of(*chunks, size, np.empty(2, np.int64), out)
    return bad, out.tolist()


@given(places, st.integers(1, MAX_GAP_BITS), st.integers(1, 40))
@example([0], 1, 1)
@example([3000], 1, 1)
@example([255, 510, 765], 8, 2)
def test_kernel_gives_back_the_positions(at: list[int], bits: int, chunk: int) -> None:
    starts = np.array(at[::chunk])
    parts = [gap_symbols(gaps_of(np.array(at[i : i + chunk])), bits) for i in range(0, len(at), chunk)]
    symbols = np.concatenate(parts)
    by_hand = [positions(part.tolist(), bits, int(start)) for part, start in zip(parts, starts, strict=True)]
    assert list(chain(*by_hand)) == at
    counts = [len(part) for part in parts]
    assert decode(symbols, counts, starts, bits, chunk, at[-1] + 1, len(at)) == (-1, at)
    bad, _ = decode(symbols, counts, starts, bits, chunk, at[-1], len(at))
    assert bad == len(parts) - 1, "the last weight lies outside"


@given(places)
def test_histograms_are_those_of_the_symbols(at: list[int]) -> None:
    gaps = gaps_of(np.array(at))
    histograms = gap_counts(gaps, np.ones(len(gaps), dtype=np.int64))
    counted = np.unique(gaps, return_counts=True)
    assert all(np.array_equal(counts, histograms[bits]) for bits, counts in gap_counts(*counted).items())
    assert list(histograms) == list(range(1, MAX_GAP_BITS + 1))
    for bits, counts in histograms.items():
        assert counts.tolist() == np.bincount(gap_symbols(gaps, bits), minlength=1 << bits).tolist()


@pytest.mark.parametrize(
    ("symbols", "counts", "starts", "stored"),
    [
        ([0, 0, 0], [3], [0], 2),  # more weights than announced
        ([0, 3, 3], [3], [0], 2),  # fewer: escapes instead
        ([0, 0], [2], [9], 2),  # the second is outside
        ([0, 3, 3, 3, 0], [5], [1], 2),  # escapes lead outside
        ([0, 0, 0, 0, 0], [4, 1], [0, 3], 5),  # the second chunk starts within the first
        ([0, 0, 0, 0, 0], [4, 1], [3, 0], 5),  # the chunks do not ascend
        ([0], [1], [10], 1),  # the start is outside
        ([1, 0], [2], [0], 2),  # the first weight is not at the start
        ([0, 0, 3], [3], [0], 2),  # an escape behind the last
        ([], [0], [0], 1),  # nothing
    ],
)
def test_kernel_refuses_hostile_gaps(symbols: list[int], counts: list[int], starts: list[int], stored: int) -> None:
    bad, _ = decode(np.array(symbols), counts, starts, 2, 4, 10, stored)
    assert bad == len(counts) - 1


def chunked(at: np.ndarray, bits: int, chunk: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Gap symbols of positions, counts and starts of their chunks, and the escape."""
    parts = [gap_symbols(gaps_of(at[i : i + chunk]), bits) for i in range(0, len(at), chunk)]
    return np.concatenate(parts), np.array([len(part) for part in parts]), at[::chunk], (1 << bits) - 1


@given(st.data(), st.integers(1, 6), st.integers(1, 8), st.integers(1, 3), st.sampled_from([np.uint16, np.int32]))
def test_kernel_gives_csr(data: st.DataObject, rows: int, row_size: int, bits: int, dtype: type) -> None:
    dense = np.array(data.draw(st.lists(st.booleans(), min_size=rows * row_size, max_size=rows * row_size)))
    dense[data.draw(st.integers(0, len(dense) - 1))] = True
    at = np.flatnonzero(dense)
    indptr, indices = np.full(rows + 1, -1), np.full(len(at), 7, dtype)
    indices_of(*chunked(at, bits, data.draw(st.integers(1, 9))), row_size, indptr, indices)
    dense = dense.reshape(rows, row_size)
    assert indptr.tolist() == [0, *np.cumsum(dense.sum(axis=1)).tolist()]
    assert indices.tolist() == np.nonzero(dense)[1].tolist()


@given(st.data(), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_transposing_gives_csr(data: st.DataObject, rows: int, columns: int, inner: int, bits: int) -> None:
    size = rows * columns * inner
    dense = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size))).reshape(rows, columns, inner)
    dense.flat[data.draw(st.integers(0, size - 1))] = True
    stored = np.ascontiguousarray(dense.swapaxes(0, 1)).reshape(columns, -1)
    # Number the weights in stored order: they must come to stand where the unswapped tensor has them.
    numbers = np.arange(stored.sum(), dtype=np.uint8)
    swapped = *chunked(np.flatnonzero(stored), bits, data.draw(st.integers(1, 9))), rows * inner, inner, numbers
    indptr, indices, out = np.zeros(rows + 1, np.int64), np.full(len(numbers), 7, np.uint16), np.zeros_like(numbers)
    transpose(*swapped, indptr[1:], indices[:0], out)
    indptr = np.cumsum(indptr)
    free = indptr[:-1].copy()
    transpose(*swapped, free, indices, out)
    assert free.tolist() == indptr[1:].tolist()
    flat = dense.reshape(rows, -1)
    assert indptr.tolist() == [0, *np.cumsum(flat.sum(axis=1)).tolist()]
    assert indices.tolist() == np.nonzero(flat)[1].tolist()
    numbered = np.zeros(stored.shape, dtype=np.uint8)
    numbered[stored] = numbers
    assert out.tolist() == numbered.reshape(columns, rows, inner).swapaxes(0, 1)[dense].tolist()
