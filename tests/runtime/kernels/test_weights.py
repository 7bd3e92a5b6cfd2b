"""Weights as kernels take them."""

import numpy as np
import pytest

from dcz.dcformat.tensors import Shared
from dcz.runtime.kernels.weights import SparseWeights


@pytest.mark.parametrize("codebook", [[0.0, 2.0, -1.0], [2.0, -1.0, -0.0], [0.0, 3.0, np.nan, -0.0], [2.0, -1.0]])
def test_sparse_weights_have_no_zero_in_their_codebook(codebook: list[float]) -> None:
    book = np.array(codebook, np.float32)
    symbols = np.random.default_rng(0).integers(0, len(book), 30).astype(np.uint8)
    weights = SparseWeights.of(Shared((5, 6), book, symbols))
    dense = np.zeros((5, 6), np.float32)
    for row, (first, last) in enumerate(zip(weights.indptr[:-1], weights.indptr[1:], strict=True)):
        dense[row, weights.indices[first:last]] = weights.codebook[weights.symbols[first:last]]
    np.testing.assert_array_equal(dense, book[symbols].reshape(5, 6))
    assert (weights.codebook != 0).all()
    assert weights.symbols.dtype == np.uint8


def test_weights_that_are_all_zero_stay_shared() -> None:
    weights = SparseWeights.of(Shared((2, 3), np.zeros(1, np.float32), np.zeros(6, np.uint8)))
    assert weights.nnz == 0
    assert len(weights.codebook) == 1
