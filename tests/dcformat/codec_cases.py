"""The contract that every tensor encoding keeps, and the decoders in obvious Python that hold it to it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pytest
from bitarray import bitarray

from dcz.dcformat import Dense, FormatError, SparseShared, Tensor
from dcz.dcformat.encoding.table import Encoding, encode_tensor, parse
from dcz.dcformat.tensors import dtype_name, to_csr

ARITHMETIC = {Encoding.CONTEXT, Encoding.ADAPTIVE, Encoding.MIXED}
HUFFMAN = tuple(encoding for encoding in Encoding if encoding not in ARITHMETIC)
"""Encodings with Huffman codes, or none; `test_context`, `test_adaptive` and `test_mixed` have the others."""


def bits_of(data: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in data)


def patterns(array: np.ndarray) -> np.ndarray:
    """Bits of the elements, flat."""
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).view(f"<u{array.dtype.itemsize}").reshape(-1)


def decode_symbols(data: bytes, lengths: np.ndarray, count: int) -> list[int]:
    """A canonical Huffman stream, one bit at a time."""
    used = sorted((int(length), symbol) for symbol, length in enumerate(lengths) if length)
    if len(used) == 1:
        return [used[0][1]] * count
    codes, code, previous = {}, 0, 0
    for length, symbol in used:
        code <<= length - previous
        codes[f"{code:0{length}b}"] = symbol
        code, previous = code + 1, length
    out, word = [], ""
    for bit in bits_of(data):
        if len(out) == count:
            break
        word += bit
        if word in codes:
            out.append(codes[word])
            word = ""
    return out


def positions(symbols: list[int], bits: int, start: int) -> list[int]:
    """Gap symbols of one chunk to positions, by the text of the format."""
    escape, at, out = (1 << bits) - 1, start, []
    for symbol in symbols:
        at += symbol
        if symbol < escape:
            out.append(at)
            at += 1
    return out


def check_csr(tensor: Tensor, array: np.ndarray) -> None:
    csr = to_csr(tensor)
    assert csr.shape == array.shape
    assert csr.indptr.dtype == np.int64
    assert csr.indices.dtype == (np.uint16 if np.prod(array.shape[1:]) <= 1 << 16 else np.int32)
    assert len(csr.indptr) == array.shape[0] + 1
    bits = patterns(array).reshape(array.shape[0], int(np.prod(array.shape[1:])))
    rows, columns = np.nonzero(bits)
    assert np.array_equal(csr.indptr, np.searchsorted(rows, np.arange(len(bits) + 1)))
    assert np.array_equal(csr.indices, columns)
    assert np.array_equal(patterns(csr.values), bits[rows, columns])
    assert np.array_equal(patterns(csr.dense()), patterns(array))
    if isinstance(csr, SparseShared):
        assert csr.symbols.dtype == np.uint8
        assert patterns(csr.codebook).all()


def check_codec(
    array: np.ndarray, dtype: str | None = None, *, truncate: bool = False, among: Collection[Encoding] = HUFFMAN
) -> tuple[Encoding, bytes]:
    """Encode an array, hold everything against the contract, and say how it was stored."""
    dtype = dtype or dtype_name(array)
    encoding, payload = encode_tensor(Dense(array, dtype), among)
    assert encode_tensor(Dense(array.copy(), dtype), among) == (encoding, payload), "not deterministic"
    assert len(payload) <= array.nbytes
    # Placed between other bytes, in a buffer that can't be written to, it reads as it does alone.
    data = memoryview(b"\xff" * 5 + payload + b"\xff" * 3)
    parsed = parse(data, 5, array.shape, dtype, encoding)
    assert parsed.end == 5 + len(payload)
    assert sum(parsed.parts.values()) == len(payload)
    tensor = parsed.decode()
    out = tensor.dense()
    assert (out.shape, out.dtype) == (array.shape, array.dtype.newbyteorder("<"))
    assert out.tobytes() == np.ascontiguousarray(array, dtype=out.dtype).tobytes()
    assert tensor.shape == array.shape
    assert tensor.size == array.size
    if (nnz := parsed.describe().nnz) is not None:
        assert nnz == tensor.nnz == np.count_nonzero(patterns(array))
    if array.ndim and array.dtype.kind == "f":
        check_csr(tensor, array)
    if truncate:
        for size in range(len(payload)):
            with pytest.raises(FormatError):
                parse(payload[:size], 0, array.shape, dtype, encoding)
    return encoding, payload


def sparse_array(
    shape: tuple[int, ...], density: float, values: int, rng: np.random.Generator, dtype: Any = np.float32
) -> np.ndarray:
    """About density x size weights out of so many distinct values, none of them zero; values = 0: all distinct."""
    size = int(np.prod(shape))
    stored = rng.random(size) < density
    if values:
        codebook = np.sort(rng.normal(size=values)).astype(dtype)
        codebook[codebook == 0] = 1
        weights = codebook[rng.integers(0, values, size)]
    else:
        weights = rng.normal(size=size).astype(dtype)
    return np.where(stored, weights, dtype(0)).reshape(shape)


def random_bits(size: int, rng: np.random.Generator) -> np.ndarray:
    """Floats that no code makes shorter: every bit is as likely 0 as 1."""
    return rng.integers(1, 1 << 32, size, dtype=np.uint32).view(np.float32)


def bits(text: str) -> bytes:
    """Bits, spaces passed over, to whole bytes."""
    return bitarray(text.replace(" ", "")).tobytes()
