"""`context`: shared weights, range-coded by where they stand and by the signs of their neighbours.

Bytes are laid out in `docs/format.md`. `context_write` has the other direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError
from ...core.memory import room
from ..coding.context_decode import decode_gaps, decode_signed, decode_values
from ..coding.context_places import Walk, check_runs, run_places
from ..coding.frequencies import ranks_of
from ..coding.number_reader import NumberReader, numbers
from ..coding.rans import LEAST, MAX_LANES, STATE_BYTES, WORD_BYTES
from ..constants import MAX_CODEBOOK, MAX_GAP_BITS
from ..tensors import Array, Shared, SparseShared, index_dtype
from .base import Counted, Description, ElementScheme, Payload
from .context_layout import places_of, row_size, sign_places
from .context_tables import MOST_CORRECTED as MOST
from .context_tables import WHAT, Positions, Values, read_positions, read_values
from .header import Header

DENSE_AGAIN = 2
"""A tensor whose density is above 1 / this decodes to `Shared`, if its codebook has room for the zero."""


def positive_of(codebook: Array) -> int:
    """Number of centroids whose sign bit is 0: the first ones."""
    return int(np.count_nonzero(codebook.view(f"i{codebook.itemsize}") >= 0))


def dense_again(tensor: SparseShared) -> Shared | SparseShared:
    """The same weights as a dense tensor, where they are many."""
    rows, width = row_size(tensor.shape)
    if tensor.nnz * DENSE_AGAIN <= rows * width or len(tensor.codebook) == MAX_CODEBOOK:
        return tensor
    dense = np.zeros(rows * width, np.uint8)
    dense[np.repeat(np.arange(rows) * width, np.diff(tensor.indptr)) + tensor.indices] = tensor.symbols + 1
    codebook = np.concatenate([np.zeros(1, tensor.codebook.dtype), tensor.codebook])
    return Shared(tensor.shape, codebook, dense, tensor.dtype)


@dataclass(frozen=True, eq=False, kw_only=True)
class ContextPayload(Payload):
    """Positions, a codebook, and symbols, in one stream.

    Attributes
    ----------
    codebook : ndarray, shape (k,)
        No zero in it, if there are positions.
    positive : int
        Centroids that are positive: the first ones.
    nnz : int
        Stored weights.
    lanes : int
    positions : Positions or None
        None where every weight is stored.
    values : Values
    words : int
        Words of the stream, behind the states.
    """

    codebook: Array
    positive: int
    nnz: int
    lanes: int
    positions: Positions | None
    values: Values
    words: int

    def decode(self) -> Shared | SparseShared:
        """Decode positions and symbols.

        Raises
        ------
        FormatError
            A stream that does not decode to what the header announces.
        """
        from ..coding.context_rows import place_runs  # it needs a compiler, a look into a container none

        rows, width = row_size(self.shape)
        words, states = self._stream()
        if self.positions is None:
            return Shared(self.shape, self.codebook, self._symbols(words, states, None), self.dtype)
        walk = self._walk(self.positions, words, states)
        values = self._symbols(words, states, walk)
        indptr, indices = np.empty(rows + 1, np.int64), room(self.nnz, index_dtype(width))
        symbols: NDArray[np.uint8] = room(self.nnz, np.uint8)
        free = len(self.codebook) < MAX_CODEBOOK
        self._check_placed(place_runs(walk, values, free, indptr, indices, symbols))
        return dense_again(SparseShared(self.shape, indptr, indices, self.codebook, symbols, self.dtype))

    def _stream(self) -> tuple[NDArray[np.uint8], NDArray[np.uint64]]:
        """Bytes of the words, and the states in which lanes begin, with the place in the words."""
        begin = self.end - WORD_BYTES * self.words
        words = np.frombuffer(self.data, np.uint8, WORD_BYTES * self.words, begin)
        states = np.zeros(MAX_LANES + 1, np.uint64)
        states[: self.lanes] = np.frombuffer(self.data, "<u8", self.lanes, begin - STATE_BYTES * self.lanes)
        return words, states

    def _walk(self, positions: Positions, words: NDArray[np.uint8], states: NDArray[np.uint64]) -> Walk:
        """Decode the gaps."""
        ends, escapes = np.cumsum(positions.symbols), positions.escapes
        gaps = room(int(ends[-1]), np.uint8)
        decode_gaps(words, states, self.lanes, *positions.tables, positions.symbols, gaps)
        if states[MAX_LANES] > self.words:
            raise FormatError("stream ends too early")
        stored, layout = np.cumsum(positions.stored), positions.layout
        bad = check_runs(gaps, ends, stored, escapes)
        if bad >= 0:
            raise FormatError("gaps do not give the weights of their run", where=f"run {bad}")
        return gaps, ends, stored, escapes, layout.row_classes, layout.limits, layout.order

    def _symbols(self, words: NDArray[np.uint8], states: NDArray[np.uint64], walk: Walk | None) -> NDArray[np.uint8]:
        """Decode the symbols, in the order of runs."""
        symbols: NDArray[np.uint8] = room(self.nnz, np.uint8)
        size, positive = len(self.codebook), self.positive
        counts = np.array([self.nnz]) if self.positions is None else self.positions.stored
        tables = self.values.exponents, ranks_of(size, positive), self.values.slopes, counts
        if size == 1:
            symbols[:] = 0
        elif self.values.tilts is None:
            decode_values(words, states, self.lanes, *tables, symbols)
        else:
            places, up = self._places(walk)
            signs = np.zeros(sign_places(self.shape), np.int8)
            of_signs = positive, self.values.tilts, places, up, signs
            decode_signed(words, states, self.lanes, *tables, *of_signs, symbols)
        if states[MAX_LANES] != self.words or (states[: self.lanes] != LEAST).any():
            raise FormatError("stream does not decode to its length")
        return symbols

    def _places(self, walk: Walk | None) -> tuple[NDArray[np.int32], int]:
        """Place of each weight among the signs, and places from line to line."""
        rows, _ = row_size(self.shape)
        padded, size, up = places_of(self.shape)
        if walk is None:
            return (np.arange(rows, dtype=np.int32)[:, None] * np.int32(size) + padded).reshape(-1), up
        places: NDArray[np.int32] = room(self.nnz, np.int32)
        self._check_placed(run_places(walk, rows, padded, size, places))
        return places, up

    def _check_placed(self, found: int) -> None:
        if found != self.nnz:
            raise FormatError("gaps lead outside the tensor", expected=f"{self.nnz} weights", found=found)

    def describe(self) -> Description:
        """Gap width and codebook."""
        size, zero = len(self.codebook), not self.codebook.view(f"u{self.codebook.itemsize}")[0]
        bits = None if self.positions is None else int(self.positions.escapes.max()).bit_length()
        return Description(None if zero else self.nnz, bits, size, size)


class ContextScheme(ElementScheme):
    """Positions by density of row and column, symbols by density and by the signs of neighbours."""

    def write(self, tensor: Counted) -> bytes | None:
        """Write a tensor of few distinct weights."""
        if tensor.counts is None:
            return None
        from .context_write import write_context

        return write_context(tensor)

    def parse(self, header: Header) -> ContextPayload:
        """Read what stands before the stream."""
        bits, swapped, form = header.layout()
        if swapped or bits > MAX_GAP_BITS:
            raise FormatError("gap width is out of range", expected=f"0 to {MAX_GAP_BITS}", found=bits)
        codebook, codebook_bytes = header.codebook(form)
        if bits and not codebook.view(f"u{codebook.dtype.itemsize}").all():
            raise FormatError("codebook of a sparse tensor holds a zero")
        nbytes = header.varint(len(header.data), "bytes of the tables")
        reader = NumberReader(header.data, header.offset, nbytes, WHAT)
        header.skip(nbytes, WHAT)
        (first,) = reader.read(numbers("form of the tables", 8 if bits else 4, MOST))
        lanes, *form = first.tolist()
        if lanes >= MAX_LANES:
            raise FormatError(f"{WHAT}: lanes are too many", expected=f"up to {MAX_LANES}", found=lanes + 1)
        lanes += 1
        positions = read_positions(reader, header.shape, bits, form[3:]) if bits else None
        tables = 1 if positions is None else positions.layout.tables
        positive = positive_of(codebook)
        values = read_values(reader, len(codebook), positive, header.shape, tables, form[:3])
        reader.close()
        words = header.varint(len(header.data) // WORD_BYTES, "words of the stream")
        of_tables = header.offset - header.start - codebook_bytes
        stream = lanes * STATE_BYTES + words * WORD_BYTES
        header.skip(stream, "stream")
        nnz = header.size if positions is None else int(positions.stored.sum())
        return ContextPayload(
            shape=header.shape,
            dtype=header.dtype,
            data=header.data,
            end=header.offset,
            parts={"codebook": codebook_bytes, "tables": of_tables, **_split(stream, positions, nnz)},
            codebook=codebook,
            positive=positive,
            nnz=nnz,
            lanes=lanes,
            positions=positions,
            values=values,
            words=words,
        )


def _split(nbytes: int, positions: Positions | None, weights: int) -> dict[str, int]:
    """Bytes of the stream, shared out to gaps and symbols by their number."""
    gaps = 0 if positions is None else int(positions.symbols.sum())
    of_gaps = nbytes * gaps // (gaps + weights)
    return {"gaps": of_gaps, "symbols": nbytes - of_gaps}
