"""`context`: shared weights, range-coded by where they stand and by the signs of their neighbours.

Bytes are laid out in `docs/format.md`. `context_write` has the other direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError
from ...core.memory import room
from ..coding.adaptive_numbers import NumberReader
from ..coding.context_decode import LANES, decode_gaps, decode_plain, decode_values, open_streams
from ..coding.context_places import padded_places, place_gaps
from ..coding.density import MAX_CLASS
from ..coding.frequencies import MAX_EXPONENT, SIGNS, TILT, gap_tables, slots_of, value_tables
from ..coding.rans import STATE_BYTES, WORD_BYTES
from ..constants import MAX_CODEBOOK, MAX_GAP_BITS
from ..graph.graph import Shape
from ..tensors import Array, Shared, SparseShared, index_dtype
from .base import Counted, Description, ElementScheme, Payload
from .context_layout import Columns, Ints, Layout, Rows, kernel_shape, places_of, row_size, sign_places
from .header import Header

DENSE_AGAIN = 2
"""A tensor whose density is above 1 / this decodes to `Shared`, if its codebook has room for the zero."""
WHAT = "tables"
MOST_PLACES = 1 << 26
"""Most padded places of a chunk whose weights' signs count."""


def positive_of(codebook: Array) -> int:
    """Number of centroids whose sign bit is 0: the first ones."""
    return int((codebook.view(f"i{codebook.itemsize}") >= 0).sum())


@dataclass(frozen=True, eq=False)
class Chunks:
    """Rows that are coded together.

    Attributes
    ----------
    rows, stored, gaps : ndarray of int64, shape (chunks + 1,)
        First row, stored weight and gap symbol of each, and the end of the last.
    """

    rows: Ints
    stored: Ints
    gaps: Ints


@dataclass(frozen=True, eq=False, kw_only=True)
class ContextPayload(Payload):
    """Positions, a codebook, and symbols, in streams of chunks of rows.

    Attributes
    ----------
    codebook : ndarray, shape (k,)
        No zero in it.
    nnz : int
        Stored weights.
    gap_bits : int
        0 where every weight is stored.
    layout : Layout
    chunks : Chunks
    gap_frequencies : ndarray of int64, shape (tables, symbols)
    starts : ndarray of int64, shape (chunks + 1,)
        Offset of each chunk's stream in `data`, and of the end of the last.
    value_frequencies : ndarray of int64, shape (1, k) or (13, k)
        13 tables where the signs of neighbours count.
    """

    codebook: Array
    nnz: int
    gap_bits: int
    layout: Layout
    chunks: Chunks
    gap_frequencies: Ints
    value_frequencies: Ints
    starts: Ints

    def decode(self) -> Shared | SparseShared:
        """Decode positions and symbols.

        Raises
        ------
        FormatError
            A stream that does not decode to what the header announces.
        """
        rows, width = row_size(self.shape)
        if not self.nnz:
            nothing = np.empty(0, np.uint8)
            return SparseShared(
                self.shape, np.zeros(rows + 1, np.int64), nothing.astype(np.uint16), self.codebook, nothing, self.dtype
            )
        data, states = self._streams()
        indptr, indices = self._positions(data, states)
        symbols = self._symbols(data, states, indptr, indices)
        if self.nnz * DENSE_AGAIN <= rows * width or (self.nnz < rows * width and len(self.codebook) == MAX_CODEBOOK):
            return SparseShared(self.shape, indptr, indices, self.codebook, symbols, self.dtype)
        if self.nnz == rows * width:
            return Shared(self.shape, self.codebook, symbols, self.dtype)
        dense = np.zeros(rows * width, np.uint8)
        dense[np.repeat(np.arange(rows) * width, np.diff(indptr)) + indices] = symbols + 1
        return Shared(self.shape, np.concatenate([np.zeros(1, self.codebook.dtype), self.codebook]), dense, self.dtype)

    def _streams(self) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
        """Bytes of the streams, and the states in which they begin."""
        begin, end = int(self.starts[0]), int(self.starts[-1])
        data = np.frombuffer(self.data, np.uint8, end - begin, begin)
        states = np.empty((len(self.starts) - 1, 3), np.uint64)
        open_streams(data, self.starts - begin, states)
        return data, states

    def _positions(self, data: NDArray[np.uint8], states: NDArray[np.uint64]) -> tuple[Ints, Array]:
        rows, width = row_size(self.shape)
        if not self.gap_bits:
            columns = np.tile(np.arange(width, dtype=index_dtype(width)), rows)
            return np.arange(0, rows * width + 1, width), columns
        layout, chunks = self.layout, self.chunks
        escape = (1 << self.gap_bits) - 1
        gaps = room(int(chunks.gaps[-1]), np.uint8)
        streams = data, states, chunks.gaps, slots_of(self.gap_frequencies)
        if layout.tables == 1:
            decode_plain(*streams, gaps)
        else:
            first = chunks.rows[:-1] * layout.parts
            classes = layout.row_classes, layout.column_classes, width // layout.parts
            decode_gaps(*streams, *classes, first, escape, gaps)
        indptr, indices = np.empty(rows + 1, np.int64), room(self.nnz, index_dtype(width))
        marks = np.zeros(-(-len(layout.order) // 32), np.uint32)
        placed = gaps, chunks.gaps, chunks.stored, chunks.rows, width, layout.order, escape, marks
        bad = place_gaps(*placed, indptr, indices)
        if bad >= 0:
            raise FormatError("gaps lead outside the tensor", where=f"chunk {bad}")
        return indptr, indices

    def _symbols(
        self, data: NDArray[np.uint8], states: NDArray[np.uint64], indptr: Ints, indices: Array
    ) -> NDArray[np.uint8]:
        symbols: NDArray[np.uint8] = room(self.nnz, np.uint8)
        streams = data, states, self.chunks.stored, slots_of(self.value_frequencies)
        if len(self.value_frequencies) == 1:
            decode_plain(*streams, symbols)
        else:
            padded, size, up = places_of(self.shape)
            places = room(self.nnz, np.int32)
            padded_places(indptr, indices, self.chunks.rows, padded, size, places)
            signs = np.zeros((LANES, sign_places(self.shape, self.chunks.rows)), np.int8)
            decode_values(*streams, places, up, positive_of(self.codebook), signs, symbols)
        left = (states[:, 2] != 0) | (states[:, 0] != states[:, 1] + np.uint64(WORD_BYTES))
        if left.any():
            raise FormatError("stream does not decode to its length", where=f"chunk {int(left.argmax())}")
        return symbols

    def describe(self) -> Description:
        """Gap width and codebook."""
        size, zero = len(self.codebook), not self.codebook.view(f"u{self.codebook.itemsize}")[0]
        return Description(None if zero else self.nnz, self.gap_bits or None, size, size)


class ContextScheme(ElementScheme):
    """Positions by density of row and column, symbols by the signs of neighbours."""

    def write(self, tensor: Counted) -> bytes | None:
        """Write a tensor of few distinct weights."""
        if tensor.counts is None:
            return None
        from .context_write import write_context

        return write_context(tensor)

    def parse(self, header: Header) -> ContextPayload:
        """Read what stands before the streams."""
        gap_bits, swapped, form = header.layout()
        if swapped or gap_bits > MAX_GAP_BITS or gap_bits == 1:
            raise FormatError("gap width is out of range", expected=f"0, or 2 to {MAX_GAP_BITS}", found=gap_bits)
        nnz = header.varint(header.size, "number of stored weights") if gap_bits else header.size
        if not nnz:
            raise FormatError("no weight is stored")
        codebook, codebook_bytes = header.codebook(form)
        if not codebook.view(f"u{codebook.dtype.itemsize}").all() and gap_bits:
            raise FormatError("codebook of a sparse tensor holds a zero")
        nbytes = header.varint(len(header.data), "bytes of the tables")
        reader = NumberReader(header.data, header.offset, nbytes, WHAT)
        header.skip(nbytes, WHAT)
        shape = header.shape
        exponents, tilts = _read_values(reader, len(codebook), shape)
        layout, corrections, odds = _read_layout(reader, shape, gap_bits)
        chunks, nbytes_of = _read_chunks(reader, header, nnz, bool(gap_bits))
        reader.close()
        tables = header.offset - header.start - codebook_bytes
        if len(tilts) > 1 and sign_places(shape, chunks.rows) > MOST_PLACES:
            raise FormatError("chunk has too many places for signs", expected=f"at most {MOST_PLACES}")
        starts = header.offset + np.concatenate([[0], np.cumsum(nbytes_of)])
        header.skip(int(nbytes_of.sum()), "streams")
        return ContextPayload(
            shape=shape,
            dtype=header.dtype,
            data=header.data,
            end=header.offset,
            parts={
                "codebook": codebook_bytes,
                "tables": tables,
                **_split(header.offset - int(starts[0]), chunks),
            },
            codebook=codebook,
            nnz=nnz,
            gap_bits=gap_bits,
            layout=layout,
            chunks=chunks,
            gap_frequencies=gap_tables(odds, corrections),
            value_frequencies=value_tables(exponents, positive_of(codebook), tilts),
            starts=starts,
        )


def unzigzag(numbers: Ints) -> Ints:
    """Inverse of `zigzag`."""
    return np.where(numbers & 1, -(numbers + 1 >> 1), numbers >> 1)


def _read_values(reader: NumberReader, size: int, shape: Shape) -> tuple[Ints, Ints]:
    """Exponents of the symbols, and tilts: seven, or one that tilts nothing."""
    shift, tilted = reader.read(2, 3, "form of the symbols' table").tolist()
    exponents = _exponents(reader, size, shift, "symbols' table")
    if tilted > 1 or (tilted and prod(kernel_shape(shape)) == 1):
        raise FormatError(f"{WHAT}: symbols have no neighbours")
    if not tilted:
        return exponents, np.full(1, TILT // 2)
    changes = unzigzag(reader.read(SIGNS - 1, 2 * TILT, "tilt"))
    tilts = TILT // 2 + np.cumsum(np.concatenate([[0], changes]))
    if tilts.min() < 1 or tilts.max() >= TILT:
        raise FormatError(f"{WHAT}: tilt is out of range", expected=f"1 to {TILT - 1}", found=tilts.tolist())
    return exponents, tilts


def _exponents(reader: NumberReader, size: int, shift: int, name: str) -> Ints:
    steps = unzigzag(reader.read(size, 2 * MAX_EXPONENT, name))
    exponents = np.cumsum(steps) << shift
    if exponents.min() < 0 or exponents.max() > MAX_EXPONENT:
        raise FormatError(f"{WHAT}: {name} is out of range", expected=f"0 to {MAX_EXPONENT}", found=exponents.tolist())
    return exponents


def _read_layout(reader: NumberReader, shape: Shape, gap_bits: int) -> tuple[Layout, Ints, Ints]:
    """Order and classes of positions, corrections of the gap symbols, odds of the classes."""
    none = np.zeros(0, np.int64)
    if not gap_bits:
        return Layout(1, np.zeros(1, np.uint8), np.zeros(1, np.uint8), none.astype(np.int32)), none, none
    count, width = row_size(shape)
    inner = prod(kernel_shape(shape))
    form = reader.read(4, 4, "form of the gaps' tables")
    if form[0] > Rows.EACH or form[1] > Columns.EACH or form[2] > 1:
        raise FormatError(f"{WHAT}: form of the gaps' tables is out of range", found=form.tolist())
    rows, columns = Rows(int(form[0])), Columns(int(form[1]))
    corrections = np.zeros(1 << gap_bits, np.int64)
    if form[2]:
        corrections = _exponents(reader, len(corrections), int(form[3]), "corrections")
    row_count = {Rows.NONE: 0, Rows.CHANNELS: count, Rows.EACH: count * inner}[rows]
    column_count = {Columns.NONE: 0, Columns.CHANNELS: width // inner, Columns.EACH: width}[columns]
    row_classes = unzigzag(reader.read(row_count, 2 * MAX_CLASS, "class of a row"))
    column_classes = unzigzag(reader.read(column_count, 2 * MAX_CLASS, "class of a column"))
    layout = Layout.of(shape, rows, columns, row_classes, column_classes)
    odds = np.cumsum(unzigzag(reader.read(layout.tables, 4 * MAX_EXPONENT, "odds")))
    if np.abs(odds).max() > MAX_EXPONENT:
        raise FormatError(f"{WHAT}: odds are out of range", expected=f"up to {MAX_EXPONENT}", found=odds.tolist())
    return layout, corrections, odds


def _read_chunks(reader: NumberReader, header: Header, nnz: int, sparse: bool) -> tuple[Chunks, Ints]:
    """Chunks, and bytes of their streams."""
    rows, width = row_size(header.shape)
    count = int(reader.read(1, min(rows, len(header.data)) - 1, "number of chunks")[0]) + 1
    row_limits = _limits(reader, count, rows, "rows of a chunk")
    if sparse:
        stored = _limits(reader, count, nnz, "weights of a chunk")
        escapes = reader.read(count, header.size, "escapes of a chunk")
        if int(escapes.sum()) > header.size:
            raise FormatError("chunk table: more escapes than weights", found=int(escapes.sum()))
        gaps = stored + np.concatenate([[0], np.cumsum(escapes)])
    else:
        stored, gaps = row_limits * width, np.zeros(count + 1, np.int64)
    words = reader.read(count, len(header.data), "words of a stream")
    return Chunks(row_limits, stored, gaps), STATE_BYTES + WORD_BYTES * words


def _limits(reader: NumberReader, count: int, end: int, name: str) -> Ints:
    """Limits of chunks, each of one or more, of which the last one ends at `end`."""
    sizes = reader.read(count - 1, end, name)
    limits = np.concatenate([[0], np.cumsum(sizes + 1), [end]])
    if limits[-2] >= end:
        raise FormatError(f"chunk table: {name} are too many", expected=f"fewer than {end}", found=int(limits[-2]))
    return limits


def _split(nbytes: int, chunks: Chunks) -> dict[str, int]:
    """Bytes of the streams, shared out to gaps and symbols by their number: one stream has both."""
    gaps, weights = int(chunks.gaps[-1]), int(chunks.stored[-1])
    of_gaps = nbytes * gaps // (gaps + weights)
    return {"gaps": of_gaps, "symbols": nbytes - of_gaps}
