"""Payload bytes to decoded tensors: `parse` reads a header and checks all counts, `Payload.decode` decodes the streams.

Byte layouts are in `docs/format.md`; `encoder` writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError, TruncatedError, UnsupportedVersionError
from ...core.memory import room
from ..coding import huffman
from ..coding.bits import BitReader, Bytes, read_varint, read_varints
from ..coding.codebook import CodebookForm, forms_of, read_codebook
from ..coding.huffman_decode import SLOTS, decode_streams
from ..coding.relative_index import check_gaps, indices_of, transpose
from ..constants import CHUNK_ENTRIES, MAX_CODEBOOK, MAX_GAP_BITS
from ..graph.graph import Shape
from ..tensors import DTYPES, Array, Dense, Shared, SparseRaw, SparseShared, Tensor, flat_pieces, index_dtype
from .base import Encoding
from .encode import FORM_SHIFT, SWAPPED, chunk_sizes
from .row_scales import SIGN, level_values


@dataclass(frozen=True, eq=False)
class _Streams:
    """Huffman streams that lie one behind the other: where, how many symbols each, and their code."""

    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    lengths: huffman.Lengths

    @property
    def nbytes(self) -> int:
        return int(self.starts[-1] - self.starts[0])

    def decode(self, data: Bytes, what: str) -> NDArray[np.uint8]:
        return _decode(data, {what: self})[0]


def _decode(data: Bytes, streams: dict[str, _Streams]) -> list[NDArray[np.uint8]]:
    """Decode the streams of a tensor, by name, which lie one behind the other; large ones each into its own memory."""
    if len(streams) > 1 and all(len(part.counts) >= SLOTS for part in streams.values()):
        return [part.decode(data, name) for name, part in streams.items()]
    parts = list(streams.values())
    begin, end = int(parts[0].starts[0]), int(parts[-1].starts[-1])
    starts = np.concatenate([*(part.starts[:-1] for part in parts), parts[-1].starts[-1:]]) - begin
    counts = np.concatenate([part.counts for part in parts])
    tables = np.concatenate([huffman.decoding_table(part.lengths) for part in parts])
    chunks = [len(part.counts) for part in parts]
    out = room(int(counts.sum()), np.uint8)
    coded, codes = np.frombuffer(data, np.uint8, end - begin, begin), np.repeat(np.arange(len(parts)), chunks)
    bad = decode_streams(coded, starts, counts, tables, codes, out)
    if bad >= 0:
        name, chunk = [(name, i) for name, count in zip(streams, chunks, strict=True) for i in range(count)][bad]
        raise FormatError(f"{name} do not decode to their length", where=f"chunk {chunk}")
    ends = np.cumsum(counts)[np.cumsum(chunks) - 1].tolist()
    return [out[: ends[0]], *(out[first:last].copy() for first, last in pairwise(ends))]


@dataclass(frozen=True, eq=False)
class Payload:
    """A tensor's payload whose header has been read and checked.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
        A key of `DTYPES`.
    encoding : Encoding
    data : bytes-like
        The section that holds it.
    start, end : int
        Where in `data`.
    nnz : int or None
        Stored weights; None where only decoding tells.
    gap_bits : int or None
    swapped : bool
        Whether the first two axes are stored swapped.
    codebook : ndarray or None
        The centroids, or the patterns of the levels where there are scales.
    scales : ndarray of float32, shape (shape[0],), or None
        What levels are multiplied with, row by row.
    parts : dict of str to int
        Bytes of each part: codebook, tables, gaps, symbols, values.
    """

    shape: Shape
    dtype: str
    encoding: Encoding
    data: Bytes
    start: int
    end: int
    nnz: int | None = None
    gap_bits: int | None = None
    swapped: bool = False
    codebook: Array | None = None
    scales: NDArray[np.float32] | None = None
    chunk_starts: NDArray[np.int64] | None = None
    gaps: _Streams | None = None
    symbols: _Streams | None = None
    parts: dict[str, int] = field(default_factory=dict)

    def decode(self) -> Tensor:
        """Decode.

        Raises
        ------
        FormatError
            A stream that does not decode to what the header announces.
        """
        kind = self.encoding.kind
        if kind == Encoding.RAW:
            return Dense(self._values(prod(self.shape)).reshape(self.shape), self.dtype)
        if kind == Encoding.SHARED:
            assert self.codebook is not None
            assert self.symbols is not None
            symbols = self.symbols.decode(self.data, "symbols")
            if self.scales is None:
                return Shared(self.shape, self.codebook, symbols, self.dtype)
            weights = level_values(self.codebook)[symbols].reshape(self.shape[0], -1)
            weights *= self.scales[:, None]
            return Dense(weights.reshape(self.shape), self.dtype)
        streams = {name: part for name, part in (("gaps", self.gaps), ("symbols", self.symbols)) if part is not None}
        gaps, *rest = _decode(self.data, streams) if streams else [np.empty(0, dtype=np.uint8)]
        if kind == Encoding.SPARSE_RAW:
            return SparseRaw(self.shape, *self._csr(gaps, self._values(self.nnz or 0)), self.dtype)
        assert self.codebook is not None
        indptr, indices, symbols = self._csr(gaps, rest[0] if rest else gaps)
        if self.scales is None:
            return SparseShared(self.shape, indptr, indices, self.codebook, symbols, self.dtype)
        weights = level_values(self.codebook)[symbols]
        weights *= np.repeat(self.scales, np.diff(indptr))
        return SparseRaw(self.shape, indptr, indices, weights, self.dtype)

    def pieces(self) -> Iterator[Array]:
        """Decode to dense elements in order, flat, some at a time; plain ones are views of the data.

        Raises
        ------
        FormatError
            As for `decode`.
        """
        if self.encoding == Encoding.RAW:
            return (piece for (piece,) in flat_pieces(self._stored(prod(self.shape))))
        return self.decode().pieces()

    def _values(self, count: int) -> Array:
        return self._stored(count).copy()

    def _stored(self, count: int) -> Array:
        """Plain elements, as they lie in the data: they are the last part of a payload."""
        dtype = DTYPES[self.dtype]
        values = np.frombuffer(self.data, dtype, count, self.end - count * dtype.itemsize)
        if self.dtype == "BOOL" and (values.view(np.uint8) > 1).any():
            raise FormatError("elements: a boolean is neither 0 nor 1")
        return values

    def _csr(self, symbols: NDArray[np.uint8], stored: Array) -> tuple[NDArray[np.int64], Array, Array]:
        """Row limits, columns, and what is stored there, in this order."""
        rows = self.shape[0] if self.shape else 1
        if not self.nnz:
            return np.zeros(rows + 1, dtype=np.int64), np.empty(0, dtype=np.uint16), stored
        gaps = self._sound_gaps(symbols)
        indptr = np.zeros(rows + 1, dtype=np.int64)
        columns = room(self.nnz, index_dtype(prod(self.shape[1:])))
        if not self.swapped:
            indices_of(*gaps, prod(self.shape) // rows, indptr, columns)
            return indptr, columns, stored
        inner, bits = prod(self.shape[2:]), f"u{stored.itemsize}"
        out = room(self.nnz, stored.dtype)
        swapped = *gaps, rows * inner, inner, stored.view(bits)
        transpose(*swapped, indptr[1:], columns[:0], out.view(bits))
        np.cumsum(indptr, out=indptr)
        transpose(*swapped, indptr[:-1].copy(), columns, out.view(bits))
        return indptr, columns, out

    def _sound_gaps(
        self, symbols: NDArray[np.uint8]
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64], int]:
        """Gap symbols, and the counts, starts and escape that go with them, once they have been checked."""
        assert self.gaps is not None
        assert self.gap_bits is not None
        assert self.chunk_starts is not None
        gaps = symbols, self.gaps.counts, self.chunk_starts, (1 << self.gap_bits) - 1
        bad = check_gaps(*gaps, CHUNK_ENTRIES, self.nnz or 0, prod(self.shape))
        if bad >= 0:
            raise FormatError("gaps lead outside the tensor", where=f"chunk {bad}")
        return gaps


def parse(data: Bytes, offset: int, shape: Shape, dtype: str, encoding: Encoding) -> Payload:
    """Read the header of the payload at an offset; its `end` is where the next one starts.

    Parameters
    ----------
    data : bytes-like
        A section.
    offset : int
    shape, dtype, encoding
        What the manifest says of the tensor; its size has been checked against the file's limits.

    Raises
    ------
    FormatError
        Any length or count that does not fit.
    """
    if not encoding.fits(dtype, shape):
        raise FormatError(f"a tensor of {dtype}, shape {list(shape)} cannot be {encoding}")
    return _PARSERS[encoding.kind](_Header(data, offset, shape, dtype, encoding))


class _Header:
    """Reads a payload from its front, beginning with the scales, if it has them."""

    def __init__(self, data: Bytes, offset: int, shape: Shape, dtype: str, encoding: Encoding) -> None:
        self.data = data
        self.start = self.offset = offset
        self.shape = shape
        self.dtype = dtype
        self.encoding = encoding
        self.size = prod(shape)
        self.scales = self._scales() if encoding.scaled else None

    @property
    def stored_dtype(self) -> str:
        """Element type of what is coded: levels are patterns of 16 bits."""
        return "U16" if self.encoding.scaled else self.dtype

    def _scales(self) -> NDArray[np.float32]:
        begin, rows = self.offset, self.shape[0]
        self.skip(4 * rows, "scales")
        scales = np.frombuffer(self.data, "<f4", rows, begin)
        if not (np.isfinite(scales).all() and (scales > 0).all()):
            raise FormatError("scales: not all are positive numbers")
        return scales

    def varint(self, limit: int, what: str) -> int:
        value, self.offset = read_varint(self.data, self.offset, limit, what)
        return value

    def layout(self) -> tuple[int, bool, CodebookForm]:
        """Gap width, whether axes are swapped, form of the codebook."""
        if self.offset >= len(self.data):
            raise TruncatedError("payload: data ends too early", where=f"byte {self.offset}")
        byte = self.data[self.offset]
        self.offset += 1
        if byte >> FORM_SHIFT not in set(CodebookForm):
            raise UnsupportedVersionError(
                "payload: unknown form of codebook", found=byte >> FORM_SHIFT, hint="a newer dcz may know it"
            )
        return byte & (SWAPPED - 1), bool(byte & SWAPPED), CodebookForm(byte >> FORM_SHIFT)

    def index_layout(self) -> tuple[int, bool, CodebookForm]:
        gap_bits, swapped, form = self.layout()
        if not 1 <= gap_bits <= MAX_GAP_BITS:
            raise FormatError("gap width is out of range", expected=f"1 to {MAX_GAP_BITS}", found=gap_bits)
        if swapped and len(self.shape) < 2:
            raise FormatError("axes of a tensor that has one are swapped", found=f"shape {list(self.shape)}")
        return gap_bits, swapped, form

    def codebook(self, form: CodebookForm) -> tuple[Array, int]:
        """The codebook and its bytes, those of the scales among them."""
        dtype = self.stored_dtype
        if form not in (known := forms_of(dtype)):
            expected = " or ".join(item.name for item in sorted(known))
            raise FormatError(f"a codebook of {dtype} cannot have this form", expected=expected, found=form.name)
        begin = self.offset
        count = self.varint(MAX_CODEBOOK, "codebook size")
        if count == 0:
            raise FormatError("codebook is empty")
        codebook, self.offset = read_codebook(self.data, self.offset, count, form, DTYPES[dtype])
        if dtype == "BOOL" and codebook.view(np.uint8).max() > 1:
            raise FormatError("codebook: a boolean is neither 0 nor 1")
        if self.scales is None:
            return codebook, self.offset - begin
        largest = float(self.scales.max()) * int((codebook & (SIGN - 1)).max())
        if largest > float(np.finfo(np.float32).max):
            raise FormatError("levels times scales pass the largest float", found=largest)
        return codebook, self.offset - begin + self.scales.nbytes

    def tables(self, *sizes: int) -> list[huffman.Lengths]:
        reader = BitReader(self.data, self.offset, "code lengths")
        lengths = [huffman.read_lengths(reader, size) for size in sizes]
        self.offset = reader.align()
        return lengths

    def chunk_table(self, entries: int, limits: dict[str, int]) -> dict[str, NDArray[np.int64]]:
        """Columns of varints, one row a chunk."""
        chunks = -(-entries // CHUNK_ENTRIES)
        # Each number takes a byte or more: more rows than that cannot be there.
        if chunks * len(limits) > len(self.data) - self.offset:
            raise TruncatedError("chunk table: data ends too early", where=f"byte {self.offset}")
        rows, self.offset = read_varints(self.data, self.offset, chunks, limits, "chunk table")
        return dict(zip(limits, rows.T, strict=True))

    def streams(
        self, sizes: NDArray[np.int64], counts: NDArray[np.int64], lengths: huffman.Lengths, what: str
    ) -> _Streams:
        starts = self.offset + np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
        self.skip(int(sizes.sum()), what)
        return _Streams(starts, counts, lengths)

    def skip(self, count: int, what: str) -> None:
        if count > len(self.data) - self.offset:
            raise TruncatedError(
                f"{what}: data ends too early", expected=f"{count} bytes", found=len(self.data) - self.offset
            )
        self.offset += count

    def payload(self, **fields: Any) -> Payload:
        where = self.data, self.start, self.offset
        return Payload(self.shape, self.dtype, self.encoding, *where, scales=self.scales, **fields)


def _parse_raw(header: _Header) -> Payload:
    nbytes = header.size * DTYPES[header.dtype].itemsize
    header.skip(nbytes, "elements")
    return header.payload(parts={"values": nbytes})


def _parse_shared(header: _Header) -> Payload:
    gap_bits, swapped, form = header.layout()
    if gap_bits or swapped:
        raise FormatError("payload: a dense tensor has no gaps")
    codebook, codebook_bytes = header.codebook(form)
    (lengths,) = header.tables(len(codebook))
    table = header.chunk_table(header.size, {"bytes": len(header.data)})
    tables_end = header.offset
    symbols = header.streams(table["bytes"], chunk_sizes(header.size), lengths, "symbols")
    parts = {
        "codebook": codebook_bytes,
        "tables": tables_end - header.start - codebook_bytes,
        "symbols": symbols.nbytes,
    }
    return header.payload(codebook=codebook, symbols=symbols, parts=parts)


def _parse_sparse(header: _Header, shared: bool) -> Payload:
    gap_bits, swapped, form = header.index_layout()
    nnz = header.varint(header.size, "number of stored weights")
    common: dict[str, Any] = {"nnz": nnz, "gap_bits": gap_bits, "swapped": swapped}
    codebook, codebook_bytes = np.empty(0, dtype=DTYPES[header.stored_dtype]), 0
    if nnz == 0:
        return header.payload(codebook=codebook, parts={"tables": header.offset - header.start}, **common)
    if not shared and form != CodebookForm.F32:
        raise FormatError("payload: there is no codebook whose form to tell", found=form.name)
    limits = {"start": header.size, "escapes": header.size, "gap bytes": len(header.data)}
    if shared:
        codebook, codebook_bytes = header.codebook(form)
        if not codebook.view(f"u{codebook.dtype.itemsize}").all():
            raise FormatError("codebook of a sparse tensor holds a zero")
        gap_lengths, symbol_lengths = header.tables(1 << gap_bits, len(codebook))
        limits["symbol bytes"] = len(header.data)
    else:
        (gap_lengths,) = header.tables(1 << gap_bits)
    table = header.chunk_table(nnz, limits)
    tables_end = header.offset
    if int(table["escapes"].sum()) > header.size:
        raise FormatError("chunk table: more escapes than weights", found=int(table["escapes"].sum()))
    counts = chunk_sizes(nnz)
    gaps = header.streams(table["gap bytes"], counts + table["escapes"], gap_lengths, "gaps")
    parts = {"codebook": codebook_bytes, "tables": tables_end - header.start - codebook_bytes, "gaps": gaps.nbytes}
    common |= {"gaps": gaps, "chunk_starts": np.cumsum(table["start"]), "parts": parts}
    if not shared:
        parts["values"] = nnz * DTYPES[header.dtype].itemsize
        header.skip(parts["values"], "values")
        return header.payload(**common)
    symbols = header.streams(table["symbol bytes"], counts, symbol_lengths, "symbols")
    parts["symbols"] = symbols.nbytes
    return header.payload(codebook=codebook, symbols=symbols, **common)


_PARSERS: dict[Encoding, Callable[[_Header], Payload]] = {
    Encoding.RAW: _parse_raw,
    Encoding.SHARED: _parse_shared,
    Encoding.SPARSE_SHARED: lambda header: _parse_sparse(header, shared=True),
    Encoding.SPARSE_RAW: lambda header: _parse_sparse(header, shared=False),
}
