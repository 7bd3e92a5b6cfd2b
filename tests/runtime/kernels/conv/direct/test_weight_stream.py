"""The stream of weights of a sparse convolution: each word, whatever its width, is the weight that it stands for."""

from __future__ import annotations

import numpy as np
import pytest

from dcz.runtime.kernels.contract import ConvGeometry
from dcz.runtime.kernels.conv.direct.tile import Tiling
from dcz.runtime.kernels.conv.direct.weight_stream import chains_of, make_stream
from dcz.runtime.kernels.weights import SparseWeights
from dcz.runtime.simd.reference import stream as simd_numpy_stream

GEOMETRY = ConvGeometry(1, 30, 8, 8, 5, (3, 3), (1, 1), (1, 1), (1, 1), 1, 8, 8)


@pytest.mark.parametrize(
    ("wide", "rows", "chains"),
    [
        (True, 1, 4),
        (True, 4, 2),
        (True, 7, 2),
        (True, 8, 1),
        (True, 14, 1),
        (False, 1, 4),
        (False, 4, 1),
        (False, 6, 1),
    ],
)
def test_chains_hide_the_latency_and_fit_the_registers(wide: bool, rows: int, chains: int) -> None:
    assert len(chains_of(rows, wide)) == chains
    registers, free = (rows, 32) if wide else (2 * rows, 16)
    assert registers * chains < free


@pytest.mark.parametrize(
    ("centroids", "budget", "dtype"),
    [(32, 448, np.uint16), (3, 448, np.uint16), (33, 448, np.uint8), (32, 1 << 12, np.uint8), (0, 448, np.uint32)],
)
def test_every_word_is_its_weight(centroids: int, budget: int, dtype: type) -> None:
    rng = np.random.default_rng(centroids)
    tiling = Tiling(GEOMETRY, 40, 8, 2, budget)
    dense = rng.random((5, 270)) < 0.3
    indices = np.nonzero(dense)[1].astype(np.uint16)
    book = rng.standard_normal(centroids).astype(np.float32)
    symbols = rng.integers(0, centroids, len(indices)).astype(np.uint8) if centroids else None
    drawn = rng.standard_normal(len(indices)).astype(np.float32) if symbols is None else symbols
    indptr = np.concatenate([[0], np.cumsum(dense.sum(axis=1))])
    expected = np.zeros((5, 270), np.float32)
    expected[dense] = drawn if symbols is None else book[symbols]

    unit, vector = np.arange(270) // 3, np.arange(270) % 3
    weights = SparseWeights(indptr, indices, drawn, book)
    stream = make_stream(weights, GEOMETRY, tiling.blocks, tiling.unit_vectors, unit, vector)
    assert stream.words.dtype == dtype
    found = np.zeros((5, 270), np.float32)
    k = 0
    for first_unit, _, first, last, _, _, segment, _ in tiling.blocks.tolist():
        for output in range(first, last):
            count = int(stream.counts[segment + output - first])
            for at in range(k, k + count):
                offset = simd_numpy_stream.word_offset(stream.words, at)
                weight = simd_numpy_stream.word_weight(stream.words, stream.values, np.empty(0, np.float32), at)
                own, tap = divmod(offset, tiling.unit_vectors)
                found[output, (first_unit + own) * 3 + tap] = weight[0, 0]
            k += count
    assert k == weights.nnz
    np.testing.assert_array_equal(found, expected)


def test_four_words_are_the_words_one_by_one() -> None:
    rng = np.random.default_rng(5)
    values, none = rng.standard_normal(256).astype(np.float32), np.empty(0, np.float32)
    for words in (rng.integers(0, 1 << 16, 9).astype(np.uint16), rng.integers(0, 256, 28).astype(np.uint8)):
        four = simd_numpy_stream.four_words(words, 3)
        for place in range(4):
            single = simd_numpy_stream.word_weight(words, values, none, 3 + place)
            assert simd_numpy_stream.four_offset(words, four, place) == simd_numpy_stream.word_offset(words, 3 + place)
            np.testing.assert_array_equal(simd_numpy_stream.four_weight(words, values, none, four, place), single)
