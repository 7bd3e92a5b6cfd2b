"""`sparse_shared`, `sparse_raw` and `sparse_planes`: gaps between the non-zero weights, and these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError
from ..coding.bits import Bytes, write_varint
from ..coding.codebook import CodebookForm
from ..coding.entropy import EntropyCode, Streams
from ..constants import MAX_GAP_BITS
from ..tensors import DTYPES, Array, SparseRaw, SparseShared
from .base import Counted, Description, ElementScheme, Payload, Scheme
from .header import Header, Symbols, chunk_sizes, layout_byte, write_tables
from .positions import Gaps, Positions, stored_chunks


@dataclass(frozen=True, eq=False, kw_only=True)
class _EmptyPayload(Payload):
    """No stored weight: the tensor is all zeros.

    Attributes
    ----------
    gap_bits : int
    """

    gap_bits: int

    @classmethod
    def of(cls, header: Header, head: _Head) -> Self:
        """Make one of a header that has been read."""
        return cls(
            shape=header.shape,
            dtype=header.dtype,
            data=header.data,
            end=header.offset,
            parts={"tables": header.offset - header.start},
            gap_bits=head.gap_bits,
        )

    def _csr(self) -> tuple[NDArray[np.int64], Array, Array]:
        """Row limits, columns and stored weights: none."""
        indptr = np.zeros((self.shape[0] if self.shape else 1) + 1, dtype=np.int64)
        return indptr, np.empty(0, dtype=np.uint16), np.empty(0, dtype=DTYPES[self.dtype])

    def describe(self) -> Description:
        """A gap width, and nothing stored."""
        return Description(nnz=0, gap_bits=self.gap_bits)


@dataclass(frozen=True, eq=False, kw_only=True)
class EmptySharedPayload(_EmptyPayload):
    """All zeros, of shared weights."""

    def decode(self) -> SparseShared:
        """Make a tensor without weights."""
        return SparseShared(self.shape, *self._csr(), np.empty(0, dtype=np.uint8), self.dtype)


@dataclass(frozen=True, eq=False, kw_only=True)
class EmptyRawPayload(_EmptyPayload):
    """All zeros, of weights that are not shared."""

    def decode(self) -> SparseRaw:
        """Make a tensor without weights."""
        return SparseRaw(self.shape, *self._csr(), self.dtype)


@dataclass(frozen=True, eq=False, kw_only=True)
class SparseSharedPayload(Payload):
    """Positions, a codebook, and a symbol for each stored weight.

    Attributes
    ----------
    positions : Positions
    codebook : ndarray, shape (k,)
        No zero in it.
    symbols : Streams
    """

    positions: Positions
    codebook: Array
    symbols: Streams

    def decode(self) -> SparseShared:
        """Decode gaps and symbols.

        Raises
        ------
        FormatError
            A stream that does not decode to what the header announces.
        """
        gaps, symbols = self.symbols.code.decode([self.positions.gaps, self.symbols])
        indptr, indices, symbols = self.positions.csr(gaps, symbols)
        return SparseShared(self.shape, indptr, indices, self.codebook, symbols, self.dtype)

    def describe(self) -> Description:
        """Gaps, codebook and symbols."""
        size = len(self.codebook)
        streams = {"symbols": self.symbols, "gaps": self.positions.gaps}
        return Description(self.positions.nnz, self.positions.gap_bits, size, size, streams)


@dataclass(frozen=True, eq=False, kw_only=True)
class SparseRawPayload(Payload):
    """Positions, and a payload of the stored weights.

    Attributes
    ----------
    positions : Positions
    values : Payload
        That of a tensor of shape (nnz,), whose decoded form is dense.
    """

    positions: Positions
    values: Payload

    def decode(self) -> SparseRaw:
        """Decode gaps and weights.

        Raises
        ------
        FormatError
            A stream that does not decode to what the header announces.
        """
        gaps = self.positions.gaps.decode()
        weights = self.values.decode().dense()
        return SparseRaw(self.shape, *self.positions.csr(gaps, weights), self.dtype)

    def describe(self) -> Description:
        """Gaps."""
        return Description(self.positions.nnz, self.positions.gap_bits, streams={"gaps": self.positions.gaps})


class SparseSharedScheme(ElementScheme):
    """Gaps, and symbols for the weights that are not zero.

    Parameters
    ----------
    dtypes : set of str
        Element types that it is for.
    coder : class of EntropyCode
        What codes gaps and symbols.
    """

    def __init__(self, dtypes: frozenset[str], coder: type[EntropyCode]) -> None:
        super().__init__(dtypes)
        self.coder = coder

    def write(self, tensor: Counted) -> bytes | None:
        """Write a tensor with a zero and few distinct weights beside it."""
        if tensor.counts is None or not tensor.zeros:
            return None
        symbols = Symbols.of(tensor.counts, tensor.array.dtype, self.coder, tensor.tables_count)
        gaps = Gaps.best(tensor, self.coder)
        if gaps.cost + symbols.cost > 8 * tensor.most:
            return None
        return _write(tensor, gaps, symbols)

    def parse(self, header: Header) -> SparseSharedPayload | EmptySharedPayload:
        """Read what stands before the streams."""
        head = _Head.read(header)
        if head.nnz == 0:
            return EmptySharedPayload.of(header, head)
        codebook, codebook_bytes = header.codebook(head.form)
        if not codebook.view(f"u{codebook.dtype.itemsize}").all():
            raise FormatError("codebook of a sparse tensor holds a zero")
        gap_code, symbol_code = header.codes(self.coder, 1 << head.gap_bits, len(codebook))
        table = _chunk_table(header, head, "symbol bytes")
        tables = header.offset - header.start - codebook_bytes
        positions = _positions(header, head, table, gap_code)
        symbols = header.streams("symbols", table["symbol bytes"], chunk_sizes(head.nnz), symbol_code)
        parts = {
            "codebook": codebook_bytes,
            "tables": tables,
            "gaps": positions.gaps.nbytes,
            "symbols": symbols.nbytes,
        }
        return SparseSharedPayload(
            shape=header.shape,
            dtype=header.dtype,
            data=header.data,
            end=header.offset,
            parts=parts,
            positions=positions,
            codebook=codebook,
            symbols=symbols,
        )


class SparseRawScheme(ElementScheme):
    """Gaps, and the weights that are not zero in another scheme.

    Parameters
    ----------
    dtypes : set of str
        Element types that it is for.
    coder : class of EntropyCode
        What codes the gaps.
    values : Scheme
        What the weights are written by, as a tensor of shape (stored weights,).
    """

    def __init__(self, dtypes: frozenset[str], coder: type[EntropyCode], values: Scheme) -> None:
        super().__init__(dtypes)
        self.coder = coder
        self.values = values

    def write(self, tensor: Counted) -> bytes | None:
        """Write a tensor with many distinct weights, where gaps take fewer bytes than the zeros."""
        if tensor.counts is not None or not tensor.zeros:
            return None
        gaps = Gaps.best(tensor, self.coder)
        if gaps.cost >= 8 * tensor.array.itemsize * tensor.zeros:
            return None
        stored = np.concatenate([bits for _, bits in stored_chunks(tensor, gaps.swapped)])
        values = self.values.write(Counted(stored.view(tensor.array.dtype), tensor.dtype))
        if values is None or gaps.cost + 8 * len(values) > 8 * tensor.most:
            return None
        return _write(tensor, gaps, None, values)

    def parse(self, header: Header) -> SparseRawPayload | EmptyRawPayload:
        """Read what stands before the streams, and that of the weights."""
        head = _Head.read(header)
        if head.nnz == 0:
            return EmptyRawPayload.of(header, head)
        if head.form != CodebookForm.F32:
            raise FormatError("payload: there is no codebook whose form to tell", found=head.form.name)
        (gap_code,) = header.codes(self.coder, 1 << head.gap_bits)
        table = _chunk_table(header, head)
        tables = header.offset - header.start
        positions = _positions(header, head, table, gap_code)
        values = self.values.parse(Header(header.data, header.offset, (head.nnz,), header.dtype))
        parts = {"codebook": 0, "gaps": positions.gaps.nbytes, **values.parts}
        return SparseRawPayload(
            shape=header.shape,
            dtype=header.dtype,
            data=header.data,
            end=values.end,
            parts={**parts, "tables": tables + parts.get("tables", 0)},
            positions=positions,
            values=values,
        )


def _write(tensor: Counted, gaps: Gaps, symbols: Symbols | None, values: Bytes = b"") -> bytes:
    """Payload of a sparse tensor: with symbols for its weights, or with `values`, a payload of them."""
    form = symbols.form if symbols is not None else CodebookForm.F32
    out = bytearray([layout_byte(form, gaps.bits, gaps.swapped)])
    write_varint(out, gaps.stored)
    if not gaps.stored:
        return bytes(out)
    if symbols is None:
        out += write_tables(gaps.code)
    else:
        symbols.write_codebook(out)
        out += write_tables(gaps.code, symbols.code)
    gap_streams: list[bytes] = []
    symbol_streams: list[bytes] = []
    before = 0
    for positions, stored in stored_chunks(tensor, gaps.swapped):
        stream, escapes = gaps.encode(positions)
        gap_streams.append(stream)
        row = [int(positions[0]) - before, escapes, len(stream)]
        before = int(positions[0])
        if symbols is not None:
            symbol_streams.append(symbols.encode(stored))
            row.append(len(symbol_streams[-1]))
        for value in row:
            write_varint(out, value)
    return b"".join([out, *gap_streams, *symbol_streams, values])


class _Head(NamedTuple):
    """What a sparse payload begins with."""

    gap_bits: int
    swapped: bool
    form: CodebookForm
    nnz: int

    @staticmethod
    def read(header: Header) -> _Head:
        gap_bits, swapped, form = header.layout()
        if not 1 <= gap_bits <= MAX_GAP_BITS:
            raise FormatError("gap width is out of range", expected=f"1 to {MAX_GAP_BITS}", found=gap_bits)
        if swapped and len(header.shape) < 2:
            raise FormatError("axes of a tensor that has one are swapped", found=f"shape {list(header.shape)}")
        return _Head(gap_bits, swapped, form, header.varint(header.size, "number of stored weights"))


def _chunk_table(header: Header, head: _Head, *columns: str) -> dict[str, NDArray[np.int64]]:
    """The chunk table; `columns` are bytes of streams beside those of the gaps."""
    limits = {"start": header.size, "escapes": header.size, "gap bytes": len(header.data)}
    table = header.chunk_table(head.nnz, limits | dict.fromkeys(columns, len(header.data)))
    if int(table["escapes"].sum()) > header.size:
        raise FormatError("chunk table: more escapes than weights", found=int(table["escapes"].sum()))
    return table


def _positions(header: Header, head: _Head, table: dict[str, NDArray[np.int64]], code: EntropyCode) -> Positions:
    counts = chunk_sizes(head.nnz) + table["escapes"]
    gaps = header.streams("gaps", table["gap bytes"], counts, code)
    return Positions(header.shape, head.nnz, head.gap_bits, head.swapped, np.cumsum(table["start"]), gaps)
