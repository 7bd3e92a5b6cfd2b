"""The decoded forms of a tensor: what the reader gives and the runtime packs.

All four know their `shape`, `nnz` and `density`, and `dense()` gives the array back. Sparse forms are CSR: row = first
axis, column = flat index over the remaining axes, columns ascending within a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .graph.graph import Shape

Array: TypeAlias = NDArray[Any]

DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),  # the raw bits: numpy has no bfloat16
    "I64": np.dtype("<i8"),
    "I32": np.dtype("<i4"),
    "I16": np.dtype("<i2"),
    "I8": np.dtype("i1"),
    "U64": np.dtype("<u8"),
    "U32": np.dtype("<u4"),
    "U16": np.dtype("<u2"),
    "U8": np.dtype("u1"),
    "BOOL": np.dtype("?"),
}
"""Stored element types, named as safetensors names them, and the numpy type that holds each."""
FLOATS = ("F64", "F32", "F16", "BF16")
"""Those of them that are floating-point numbers."""


def index_dtype(columns: int) -> np.dtype[Any]:
    """Type of the column indices of a sparse tensor with this number of columns: uint16 or int32."""
    return np.dtype(np.uint16 if columns <= 1 << 16 else np.int32)


def dtype_name(array: Array) -> str:
    """Name of a numpy array's element type in a container. BF16 has to be said (`Dense.dtype`): numpy can't."""
    for name, dtype in DTYPES.items():
        if name != "BF16" and dtype == array.dtype.newbyteorder("<"):
            return name
    raise ValueError(f"numpy type {array.dtype} cannot be stored; known: {', '.join(DTYPES)}")


def bit_patterns(array: Array) -> Array:
    """The bits of an array's little-endian elements as unsigned integers, flat."""
    return np.ascontiguousarray(array).view(f"<u{array.dtype.itemsize}").reshape(-1)


PIECE = 1 << 20
"""Elements of the pieces of `flat_pieces`."""


def flat_pieces(*arrays: Array) -> Iterator[tuple[Array, ...]]:
    """Views of contiguous arrays of one size, flat, piece by piece: to work on large ones in little memory."""
    flat = [array.reshape(-1) for array in arrays]
    for start in range(0, len(flat[0]), PIECE):
        yield tuple(array[start : start + PIECE] for array in flat)


def numbers(array: Array, dtype: str) -> Array:
    """Stored elements as NumPy knows numbers: BF16, which it lacks, as float32, exactly."""
    return (array.astype(np.uint32) << 16).view(np.float32) if dtype == "BF16" else array


def _float32(array: Array, dtype: str) -> Array:
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, as everywhere
        return numbers(array, dtype).astype(np.float32, copy=False)


class _Tensor:
    shape: Shape

    @property
    def size(self) -> int:
        """Number of weights, zeros counted."""
        return prod(self.shape)

    @property
    def nnz(self) -> int:
        """Number of non-zero weights."""
        raise NotImplementedError

    @property
    def density(self) -> float:
        """Share of non-zero weights; 0 for an empty tensor."""
        return self.nnz / self.size if self.size else 0.0

    def pieces(self) -> Iterator[Array]:
        """All elements in order, zeros counted, flat, `PIECE` at a time: `dense` where memory is short."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Dense(_Tensor):
    """A tensor as it is.

    Attributes
    ----------
    array : ndarray
        The elements; for BF16 their bits as uint16.
    dtype : str
        A key of `DTYPES`.
    """

    array: Array
    dtype: str

    @property
    def shape(self) -> Shape:  # type: ignore[override]
        """Shape of the tensor."""
        return self.array.shape

    @cached_property
    def nnz(self) -> int:
        """Number of non-zero elements."""
        return int(np.count_nonzero(self.array))

    def dense(self) -> Array:
        """Return the array."""
        return self.array

    def pieces(self) -> Iterator[Array]:
        """Views of the array, flat."""
        return (piece for (piece,) in flat_pieces(self.array))

    def numbers(self) -> Array:
        """The elements as NumPy knows numbers: BF16, which it lacks, as float32, exactly."""
        return numbers(self.array, self.dtype)

    def float32(self) -> Dense:
        """The tensor in float32, rounded where that is less than its own type."""
        return Dense(_float32(self.array, self.dtype), "F32")


@dataclass(frozen=True, eq=False)
class Shared(_Tensor):
    """A dense tensor of shared weights: ``codebook[symbols]``.

    Attributes
    ----------
    shape : tuple of int
    codebook : ndarray, shape (k,)
        Ascending in the order of the elements' bits; may hold zero. For BF16 their bits as uint16.
    symbols : ndarray of uint8, shape (size,)
    dtype : str
        Element type, a key of `DTYPES`.
    """

    shape: Shape
    codebook: Array
    symbols: Array
    dtype: str = "F32"

    @cached_property
    def nnz(self) -> int:
        """Number of non-zero weights."""
        counts = np.bincount(self.symbols, minlength=len(self.codebook))
        return int(counts[numbers(self.codebook, self.dtype) != 0].sum())

    def dense(self) -> Array:
        """Expand to an array of the tensor's shape."""
        return self.codebook[self.symbols].reshape(self.shape)

    def pieces(self) -> Iterator[Array]:
        """Expand piece by piece."""
        return (self.codebook[symbols] for (symbols,) in flat_pieces(self.symbols))

    def float32(self) -> Shared:
        """The tensor in float32, as `Dense.float32`."""
        return replace(self, codebook=_float32(self.codebook, self.dtype), dtype="F32")


@dataclass(frozen=True, eq=False)
class _Csr(_Tensor):
    shape: Shape
    indptr: Array
    indices: Array

    @property
    def nnz(self) -> int:
        """Number of stored weights."""
        return len(self.indices)

    @property
    def values(self) -> Array:
        """Stored weights in order."""
        return self.values_of(slice(None))

    def values_of(self, part: slice) -> Array:
        """Some of the stored weights."""
        raise NotImplementedError

    def dense(self) -> Array:
        """Expand to an array of the tensor's shape."""
        values = self.values
        rows = len(self.indptr) - 1
        out = np.zeros(self.size, dtype=values.dtype)
        if self.nnz:
            start = np.repeat(np.arange(rows, dtype=np.int64) * (self.size // rows), np.diff(self.indptr))
            out[start + self.indices] = values
        return out.reshape(self.shape)

    def pieces(self) -> Iterator[Array]:
        """Expand some rows, or a part of a long row, at a time."""
        rows = len(self.indptr) - 1
        columns = self.size // max(1, rows)
        height = max(1, PIECE // max(1, columns))
        for row in range(0, rows if columns else 0, height):
            limits = self.indptr[row : row + height + 1]
            begin, end = int(limits[0]), int(limits[-1])
            starts = np.arange(len(limits) - 1, dtype=np.int64) * columns
            places = np.repeat(starts, np.diff(limits)) + self.indices[begin:end]
            for first in range(0, len(starts) * columns, PIECE):
                piece = np.zeros(min(PIECE, len(starts) * columns - first), dtype=self.values_of(slice(0)).dtype)
                low, high = np.searchsorted(places, (first, first + PIECE))
                piece[places[low:high] - first] = self.values_of(slice(begin + low, begin + high))
                yield piece


@dataclass(frozen=True, eq=False)
class SparseShared(_Csr):
    """A sparse tensor of shared weights (CSR).

    Attributes
    ----------
    shape : tuple of int
    indptr : ndarray of int64, shape (shape[0] + 1,)
    indices : ndarray of uint16, or int32 where there are more than 65,536 columns, shape (nnz,)
    codebook : ndarray, shape (k,)
        No zero in it. For BF16 the elements' bits as uint16.
    symbols : ndarray of uint8, shape (nnz,)
    dtype : str
        Element type, a key of `DTYPES`.
    """

    codebook: Array
    symbols: Array
    dtype: str = "F32"

    def values_of(self, part: slice) -> Array:
        """Some of the stored weights."""
        return self.codebook[self.symbols[part]]

    def float32(self) -> SparseShared:
        """The tensor in float32, as `Dense.float32`."""
        return replace(self, codebook=_float32(self.codebook, self.dtype), dtype="F32")


@dataclass(frozen=True, eq=False)
class SparseRaw(_Csr):
    """A sparse tensor whose weights are not shared (CSR).

    Attributes
    ----------
    shape : tuple of int
    indptr : ndarray of int64, shape (shape[0] + 1,)
    indices : ndarray of uint16, or int32 where there are more than 65,536 columns, shape (nnz,)
    weights : ndarray, shape (nnz,)
        For BF16 their bits as uint16.
    dtype : str
        Element type, a key of `DTYPES`.
    """

    weights: Array
    dtype: str = "F32"

    def values_of(self, part: slice) -> Array:
        """Some of the stored weights."""
        return self.weights[part]

    def float32(self) -> SparseRaw:
        """The tensor in float32, as `Dense.float32`."""
        return replace(self, weights=_float32(self.weights, self.dtype), dtype="F32")


Tensor: TypeAlias = Dense | Shared | SparseShared | SparseRaw


def to_csr(tensor: Tensor) -> SparseShared | SparseRaw:
    """CSR form of any decoded tensor with at least one axis, of floats that NumPy knows.

    Raises
    ------
    ValueError
        A scalar, integers, or BF16.
    """
    if not tensor.shape or tensor.dtype not in ("F64", "F32", "F16"):
        raise ValueError("only float tensors with at least one axis have a CSR form")
    if isinstance(tensor, SparseShared | SparseRaw):
        return tensor
    rows = tensor.shape[0]
    flat = np.ascontiguousarray(tensor.dense()).reshape(rows, prod(tensor.shape[1:]))
    stored = flat.view(f"u{flat.dtype.itemsize}") != 0
    indptr = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(stored.sum(axis=1, dtype=np.int64))])
    indices = np.nonzero(stored)[1].astype(index_dtype(flat.shape[1]))
    if isinstance(tensor, Dense):
        return SparseRaw(tensor.shape, indptr, indices, flat[stored], tensor.dtype)
    keep = tensor.codebook.view(f"u{tensor.codebook.dtype.itemsize}") != 0
    renumbered = (np.cumsum(keep) - 1).astype(np.uint8)
    symbols = renumbered[tensor.symbols[stored.reshape(-1)]]
    return SparseShared(tensor.shape, indptr, indices, tensor.codebook[keep], symbols, tensor.dtype)
