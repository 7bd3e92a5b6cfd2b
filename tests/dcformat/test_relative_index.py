from itertools import chain

import numpy as np
import pytest
from codec_cases import positions
from hypothesis import example, given
from hypothesis import strategies as st

from dcz.dcformat.constants import MAX_GAP_BITS
from dcz.dcformat.relative_index import (
    count_swapped,
    gap_counts,
    gap_symbols,
    gaps_of,
    place_swapped,
    positions_of,
    rows_of,
)

places = st.lists(st.integers(0, 3000), unique=True, min_size=1, max_size=60).map(sorted)


def decode(
    symbols: np.ndarray, counts: list[int], starts: list[int], bits: int, chunk: int, size: int, stored: int
) -> tuple[int, list[int]]:
    out = np.full(stored, -7, dtype=np.int32)
    symbols = np.array(symbols, dtype=np.uint8)
    bad = positions_of(symbols, np.array(counts), np.array(starts), (1 << bits) - 1, chunk, size, out)
    return bad, out.tolist()


@given(places, st.integers(1, MAX_GAP_BITS), st.integers(1, 9))
@example([0], 1, 1)
@example([3000], 1, 1)
@example([255, 510, 765], 8, 2)
def test_kernel_gives_back_the_positions(at: list[int], bits: int, chunk: int) -> None:
    gaps, starts = gaps_of(np.array(at), chunk)
    assert gaps[::chunk].tolist() == [0] * len(starts)
    parts = [gap_symbols(gaps[i : i + chunk], bits) for i in range(0, len(gaps), chunk)]
    symbols = np.concatenate(parts)
    assert symbols.tolist() == gap_symbols(gaps, bits).tolist()
    by_hand = [positions(part.tolist(), bits, int(start)) for part, start in zip(parts, starts, strict=True)]
    assert list(chain(*by_hand)) == at
    counts = [len(part) for part in parts]
    assert decode(symbols, counts, starts, bits, chunk, at[-1] + 1, len(at)) == (-1, at)
    bad, _ = decode(symbols, counts, starts, bits, chunk, at[-1], len(at))
    assert bad == len(parts) - 1, "the last weight lies outside"


@given(places)
def test_histograms_are_those_of_the_symbols(at: list[int]) -> None:
    gaps, _ = gaps_of(np.array(at), 8)
    histograms = gap_counts(gaps)
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
    bad, out = decode(np.array(symbols), counts, starts, 2, 4, 10, stored)
    assert bad == len(counts) - 1
    assert all(-7 <= position < 10 for position in out)


@given(st.data(), st.integers(1, 6), st.integers(1, 8))
def test_row_kernel_gives_csr(data: st.DataObject, rows: int, row_size: int) -> None:
    dense = np.array(data.draw(st.lists(st.booleans(), min_size=rows * row_size, max_size=rows * row_size)))
    dense = dense.reshape(rows, row_size)
    at = np.flatnonzero(dense)
    indptr, indices = np.full(rows + 1, -1), np.full(len(at), -1, dtype=np.int32)
    rows_of(at.astype(np.int32), row_size, indptr, indices)
    assert indptr.tolist() == [0, *np.cumsum(dense.sum(axis=1)).tolist()]
    assert indices.tolist() == np.nonzero(dense)[1].tolist()


@given(st.data(), st.integers(1, 5), st.integers(1, 5), st.integers(1, 4))
def test_swapped_row_kernels_give_csr(data: st.DataObject, rows: int, columns: int, inner: int) -> None:
    size = rows * columns * inner
    dense = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size))).reshape(rows, columns, inner)
    stored = np.ascontiguousarray(dense.swapaxes(0, 1))
    at = np.flatnonzero(stored)
    indices = np.full(len(at), -1, dtype=np.int32)
    # Number the weights in stored order: they must come to stand where the unswapped tensor has them.
    numbers, out = np.arange(len(at), dtype=np.uint8), np.zeros(len(at), np.uint8)
    indptr = np.zeros(rows + 1, dtype=np.int64)
    cut = data.draw(st.integers(0, len(at)))
    stretches = [part for part in (slice(0, cut), slice(cut, None)) if len(at[part])]
    for part in stretches:
        count_swapped(at[part].astype(np.int32), rows, inner, indptr[1:])
    indptr = np.cumsum(indptr)
    free = indptr[:-1].copy()
    for part in stretches:
        place_swapped(at[part].astype(np.int32), numbers[part], rows, inner, free, indices, out)
    assert free.tolist() == indptr[1:].tolist()
    flat = dense.reshape(rows, -1)
    assert indptr.tolist() == [0, *np.cumsum(flat.sum(axis=1)).tolist()]
    assert indices.tolist() == np.nonzero(flat)[1].tolist()
    numbered = np.zeros(stored.shape, dtype=np.uint8)
    numbered.reshape(-1)[at] = numbers
    assert out.tolist() == numbered.swapaxes(0, 1)[dense].tolist()
