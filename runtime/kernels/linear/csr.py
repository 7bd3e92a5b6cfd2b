"""Sparse fully connected layer, row by row: the portable kernel.

A stored weight is a column (16 bits where that is enough) and an 8-bit symbol, or its float32 value where weights are
not shared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....dcformat.tensors import Tensor
from ... import simd
from ...jit import kernel
from ..contract import F32, I64, WHOLE, Call, Epilogue, LinearGeometry, Share
from ..epilogue import clamp_number, epilogue_array, limits, scale_shift
from ..weights import SparseWeights


@kernel
def linear_sparse(
    x: F32,
    out: F32,
    residual: F32,
    indptr: I64,
    columns: NDArray[Any],
    symbols: NDArray[Any],
    codebook: F32,
    epilogue: F32,
    batch: int,
    with_residual: bool,
    first_row: int,
    last_row: int,
) -> None:
    """Multiply a batch by some of the rows.

    Parameters
    ----------
    x, out, residual : ndarray of float32, flat
        Activations; `residual` is read only if `with_residual`.
    indptr : ndarray of int64, shape (rows + 1,)
    columns : ndarray of uint16 or int32, shape (nnz,)
    symbols : ndarray of uint8 or float32, shape (nnz,)
    codebook : ndarray of float32
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    """
    rows = len(indptr) - 1
    features, (low, high) = len(x) // batch, limits(epilogue)
    for row in range(first_row, last_row):
        first, last = indptr[row], indptr[row + 1]
        scale, shift = scale_shift(epilogue, row)
        for sample in range(batch):
            start = sample * features
            a = b = c = d = np.float32(0)
            fours = last - (last - first) % 4
            for k in range(first, fours, 4):
                a += simd.weight(codebook, symbols, k) * simd.get(x, start + simd.get(columns, k))
                b += simd.weight(codebook, symbols, k + 1) * simd.get(x, start + simd.get(columns, k + 1))
                c += simd.weight(codebook, symbols, k + 2) * simd.get(x, start + simd.get(columns, k + 2))
                d += simd.weight(codebook, symbols, k + 3) * simd.get(x, start + simd.get(columns, k + 3))
            for k in range(fours, last):
                a += simd.weight(codebook, symbols, k) * simd.get(x, start + simd.get(columns, k))
            value = ((a + b) + (c + d)) * scale + shift
            place = sample * rows + row
            if with_residual:
                value += residual[place]
            out[place] = clamp_number(value, low, high)


def divide(items: int, share: Share) -> tuple[int, int]:
    """The first item of a part, and that of the next."""
    part, parts = share
    return items * part // parts, items * (part + 1) // parts


class LinearSparse:
    """A fully connected layer packed for `linear_sparse`."""

    kernel_name = "linear_sparse"
    scratch_elements = 0

    def __init__(self, weight: Tensor, geometry: LinearGeometry, epilogue: Epilogue) -> None:
        self._weights = weights = SparseWeights.of(weight)
        self._columns = weights.indices.astype(np.uint16 if geometry.in_features <= 1 << 16 else np.int32)
        self._tail = epilogue_array(epilogue, geometry.out_features), geometry.batch, epilogue.residual
        packed = (weights.indptr, self._columns, weights.symbols, weights.codebook)
        self.weight_bytes = sum(a.nbytes for a in packed)

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        w, flat_out = self._weights, out.reshape(-1)
        flat_residual = flat_out if residual is None else residual.reshape(-1)
        weights = (w.indptr, self._columns, w.symbols, w.codebook)
        rows = divide(len(w.indptr) - 1, share)
        return [(linear_sparse, (x.reshape(-1), flat_out, flat_residual, *weights, *self._tail, *rows))]
