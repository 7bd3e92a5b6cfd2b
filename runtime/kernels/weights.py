"""Decoded tensors in the two forms that packed layers are made of: sparse rows, or a dense array."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...dcformat import Shape
from ...dcformat.tensors import Shared, SparseRaw, SparseShared, Tensor, index_dtype
from .contract import F32


@dataclass(frozen=True)
class SparseWeights:
    """CSR weights of a layer.

    Attributes
    ----------
    indptr : ndarray of int64, shape (rows + 1,)
    indices : ndarray of uint16, or int32 where there are more than 65,536 columns, shape (nnz,)
        Columns, ascending within a row.
    symbols : ndarray of uint8 or float32, shape (nnz,)
        Symbols, or, where weights are not shared, the weights.
    codebook : ndarray of float32
        Empty where weights are not shared.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[Any]
    symbols: NDArray[Any]
    codebook: F32

    @property
    def nnz(self) -> int:
        """Number of stored weights."""
        return len(self.indices)

    @classmethod
    def of(cls, tensor: Tensor) -> SparseWeights:
        """Take any decoded tensor; rows are its first axis. Zeros are dropped."""
        none = np.empty(0, np.float32)
        tensor = tensor.float32()
        if isinstance(tensor, SparseShared):
            return cls(*_csr(tensor), np.ascontiguousarray(tensor.symbols), tensor.codebook)
        if isinstance(tensor, SparseRaw):
            return cls(*_csr(tensor), tensor.weights, none)
        rows = tensor.shape[0]
        if isinstance(tensor, Shared):
            symbols = tensor.symbols.reshape(rows, -1)
            indptr, indices, kept = _drop_zeros(symbols, tensor.codebook[symbols] != 0)
            return cls(indptr, indices, *_without_zeros(kept, tensor.codebook))
        array = tensor.array.reshape(rows, -1)
        return cls(*_drop_zeros(array, array != 0), none)

    def moved(
        self, shape: Shape, rows: NDArray[Any], columns: NDArray[Any], kept: NDArray[Any] | slice = slice(None)
    ) -> SparseShared | SparseRaw:
        """A tensor of the same weights in other places, each maybe in several.

        Parameters
        ----------
        shape : tuple of int
        rows, columns : ndarray of int, shape (n,)
            Places in the new tensor, each at most once.
        kept : ndarray of int, shape (n,), optional
            Number of the weight in each place.
        """
        order = np.argsort(rows * prod(shape[1:]) + columns)
        indptr = np.searchsorted(rows[order], np.arange(shape[0] + 1)).astype(np.int64)
        indices, symbols = columns[order].astype(np.int32), self.symbols[kept][order]
        if len(self.codebook):
            return SparseShared(shape, indptr, indices, self.codebook, symbols)
        return SparseRaw(shape, indptr, indices, symbols)


@dataclass(frozen=True)
class DenseWeights:
    """All weights of a layer, zeros included.

    Attributes
    ----------
    symbols : ndarray of uint8 or float32, the tensor's shape
        Symbols, or, where weights are not shared, the weights.
    codebook : ndarray of float32
        Empty where weights are not shared.
    """

    symbols: NDArray[Any]
    codebook: F32

    @classmethod
    def of(cls, tensor: Tensor) -> DenseWeights:
        """Take any decoded tensor. Zeros of a sparse one become a symbol if the codebook has room for it."""
        none = np.empty(0, np.float32)
        tensor = tensor.float32()
        if isinstance(tensor, Shared):
            return cls(tensor.symbols.reshape(tensor.shape), tensor.codebook)
        if isinstance(tensor, SparseShared) and len(tensor.codebook) < 256:
            zero = len(tensor.codebook)
            symbols = np.full(tensor.shape, zero, np.uint8)
            limits = pairwise(tensor.indptr.tolist())
            for row, (first, last) in zip(symbols.reshape(tensor.shape[0], -1), limits, strict=True):
                row[tensor.indices[first:last]] = tensor.symbols[first:last]
            return cls(symbols, np.append(tensor.codebook, np.float32(0)))
        return cls(tensor.dense(), none)


def _csr(tensor: SparseShared | SparseRaw) -> tuple[NDArray[np.int64], NDArray[Any]]:
    narrow = index_dtype(prod(tensor.shape[1:]))
    return np.ascontiguousarray(tensor.indptr, np.int64), np.ascontiguousarray(tensor.indices, narrow)


def _drop_zeros(symbols: NDArray[Any], kept: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[Any]]:
    indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1, dtype=np.int64))]).astype(np.int64)
    return indptr, np.nonzero(kept)[1].astype(index_dtype(kept.shape[1])), symbols[kept]


def _without_zeros(symbols: NDArray[np.uint8], codebook: F32) -> tuple[NDArray[np.uint8], F32]:
    """Symbols that stand for no zero, and a codebook without zeros: without them, more of them fit registers."""
    live = codebook != 0
    if live.all() or not live.any():  # an empty codebook would say that weights are not shared
        return symbols, codebook
    return (np.cumsum(live) - 1).astype(np.uint8)[symbols], codebook[live]


def is_finite(tensor: Tensor) -> bool:
    """Whether no weight is infinite or NaN."""
    return all(bool(np.isfinite(piece).all()) for piece in tensor.float32().pieces())
