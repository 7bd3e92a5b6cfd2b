"""Writing `context`: each form of positions and of symbols is counted, and the one of fewest bits taken.

Costs are integers, in `UNIT`-ths of a bit, so that equal tensors give equal bytes on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..coding.adaptive_numbers import write_number_lists
from ..coding.bits import write_varint
from ..coding.codebook import write_codebook
from ..coding.context_encode import coded_columns, neighbour_sums, walk_gaps
from ..coding.context_places import padded_places
from ..coding.density import classes_of
from ..coding.frequencies import FRACTION_BITS, MAX_EXPONENT, SIGNS, TILT, gap_tables, intervals_of, value_tables
from ..coding.rans import STATE_BYTES, TOTAL, WORD_BYTES, encode_intervals
from ..constants import MAX_CODEBOOK, MAX_GAP_BITS
from ..tensors import bit_patterns
from .base import Counted
from .context import MOST_PLACES
from .context_layout import Columns, Ints, Layout, Rows, kernel_shape, places_of, row_size, sign_places
from .header import layout_byte
from .positions import stored_chunks

UNIT = 256
COSTS = np.rint(UNIT * (12 - np.log2(np.arange(1, TOTAL + 1)))).astype(np.int64)
"""Cost of a symbol of frequency i + 1."""
_RATIOS = 2.0 ** (np.arange(-MAX_EXPONENT, MAX_EXPONENT + 1) / (1 << FRACTION_BITS))
STEP_COST = UNIT // 8
"""Cost of the time that an escape takes."""
SHIFTS = (3, 2, 1, 0)
"""Steps of exponents: 1 to 1/8."""
CHUNK_WEIGHTS = 1 << 14
"""Weights from which on a tensor has four chunks, which are decoded together; about the most of a chunk."""
FORMS = (
    (Rows.NONE, Columns.NONE),
    (Rows.CHANNELS, Columns.NONE),
    (Rows.NONE, Columns.CHANNELS),
    (Rows.CHANNELS, Columns.CHANNELS),
    (Rows.CHANNELS, Columns.EACH),
    (Rows.EACH, Columns.EACH),
)


def eighths(ratio: NDArray[np.float64]) -> Ints:
    """Binary logarithm in steps of 1/8, rounded, within `MAX_EXPONENT`: by comparison, the same everywhere."""
    middle = np.sqrt(_RATIOS[1:] * _RATIOS[:-1])
    return np.searchsorted(middle, ratio) - MAX_EXPONENT


@dataclass(frozen=True, eq=False)
class Part:
    """A part of the tables, with what it takes.

    Attributes
    ----------
    lists : list of ndarray of int64
        What `NumberReader` reads.
    frequencies : ndarray of int64, shape (tables, symbols)
    cost : int
        Of the lists and the symbols, in units.
    """

    lists: list[Ints]
    frequencies: Ints
    cost: int

    @staticmethod
    def of(lists: list[Ints], frequencies: Ints, counts: Ints) -> Part:
        """Work out the cost of symbols of this histogram, of shape (tables, symbols)."""
        cost = int((counts * COSTS[frequencies - 1]).sum())
        return Part(lists, frequencies, cost + 8 * UNIT * len(write_number_lists(lists)))


@dataclass(frozen=True, eq=False)
class Positions:
    """A form of positions, and its tables.

    Attributes
    ----------
    gap_bits : int
    layout : Layout
    places : ndarray of int32, shape (weights,)
        Coded places.
    part : Part
    """

    gap_bits: int
    layout: Layout
    places: NDArray[np.int32]
    part: Part


class Stored:
    """Stored weights of a tensor: CSR, and a symbol each.

    Attributes
    ----------
    shape : tuple of int
    indptr : ndarray of int64, shape (rows + 1,)
    indices : ndarray of int32, shape (weights,)
    symbols : ndarray of uint8, shape (weights,)
    """

    def __init__(self, tensor: Counted, patterns: NDArray[Any], zeros: bool) -> None:
        self.shape = tensor.array.shape
        self.rows, self.width = row_size(self.shape)
        if zeros:
            self.symbols = np.searchsorted(patterns, bit_patterns(tensor.array)).astype(np.uint8)
            self.indptr = np.arange(0, tensor.array.size + 1, self.width)
            self.indices = np.tile(np.arange(self.width, dtype=np.int32), self.rows)
            return
        columns, symbols, counts = [], [], np.zeros(self.rows, np.int64)
        for positions, stored in stored_chunks(tensor, swapped=False):
            rows, column = np.divmod(positions, self.width)
            counts += np.bincount(rows, minlength=self.rows)
            columns.append(column.astype(np.int32))
            symbols.append(np.searchsorted(patterns, stored).astype(np.uint8))
        self.indptr = np.concatenate([[0], np.cumsum(counts)])
        self.indices, self.symbols = np.concatenate(columns), np.concatenate(symbols)

    @property
    def nnz(self) -> int:
        """Stored weights."""
        return len(self.indices)

    @cached_property
    def chunk_rows(self) -> Ints:
        """First row of each chunk, and the end of the last: even parts of the weights, in whole rows."""
        parts = 4 * -(-self.nnz // (4 * CHUNK_WEIGHTS)) if self.nnz >= CHUNK_WEIGHTS else 1
        aims = self.nnz * np.arange(1, parts) // parts
        limits = np.unique(np.searchsorted(self.indptr, aims))
        return np.concatenate([[0], limits[(limits > 0) & (limits < self.rows)], [self.rows]])

    def forms(self) -> Iterator[tuple[Rows, Columns, Layout, list[Ints]]]:
        """Layouts that may be best, and the lists of classes that make them."""
        inner = prod(kernel_shape(self.shape))
        channels = self.width // inner
        row_sums = np.diff(self.indptr)
        column_sums = np.bincount(self.indices, minlength=self.width)
        for rows, columns in FORMS:
            if (inner == 1 and columns == Columns.EACH) or (len(self.shape) < 2 and (rows or columns)):
                continue
            cells = 1
            if rows == Rows.EACH:
                owner = np.repeat(np.arange(self.rows), row_sums)
                each = np.bincount(owner * inner + self.indices % inner, minlength=self.rows * inner)
                fitted = [classes_of(each[k::inner], column_sums[k::inner], 1) for k in range(inner)]
                row_classes = np.stack([row for row, _ in fitted], axis=1).reshape(-1)
                column_classes = np.stack([column for _, column in fitted], axis=1).reshape(-1)
            else:
                sums = column_sums
                if columns != Columns.EACH:
                    sums, cells = column_sums.reshape(channels, inner).sum(axis=1), inner
                if columns == Columns.NONE:
                    sums, cells = sums.sum(keepdims=True), self.width
                given = row_sums if rows else row_sums.sum(keepdims=True)
                row_classes, column_classes = classes_of(given, sums, cells if rows else cells * self.rows)
            row_classes = row_classes if rows else np.zeros(0, np.int64)
            column_classes = column_classes if columns else np.zeros(0, np.int64)
            layout = Layout.of(self.shape, rows, columns, row_classes, column_classes)
            yield rows, columns, layout, [zigzagged(row_classes), zigzagged(column_classes)]

    def positions(self) -> Positions:
        """The form of positions that takes the fewest bits."""
        best: Positions | None = None
        for rows, columns, layout, classes in self.forms():
            places = self.coded(layout)
            for bits in range(2, MAX_GAP_BITS + 1):
                counts, _ = self.walk(layout, places, 0, self.rows, bits)
                part = _best_gaps(rows, columns, classes, counts)
                if best is None or part.cost < best.part.cost:
                    best = Positions(bits, layout, places, part)
        assert best is not None
        return best

    def coded(self, layout: Layout) -> NDArray[np.int32]:
        """Coded places of the weights."""
        if not len(layout.order):
            return self.indices
        place_of = np.empty(self.width, np.int32)
        place_of[layout.order] = np.arange(self.width, dtype=np.int32)
        out = np.empty(self.nnz, np.int32)
        coded_columns(self.indptr, self.indices, place_of, np.zeros(-(-self.width // 32), np.uint32), out)
        return out

    def walk(self, layout: Layout, places: NDArray[np.int32], first: int, end: int, bits: int) -> tuple[Ints, int]:
        """Histogram of the gap symbols of some rows by table, and their number."""
        counts = np.zeros((layout.tables, 1 << bits), np.int64)
        nothing = np.empty(0, np.uint8)
        return counts, walk_gaps(*self._where(layout, places, first, end, bits), counts, nothing, nothing)

    def gaps(self, best: Positions, first: int, end: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Gap symbols of some rows, and their tables."""
        counts, count = self.walk(best.layout, best.places, first, end, best.gap_bits)
        symbols, tables = np.empty(count, np.uint8), np.empty(count, np.uint8)
        walk_gaps(*self._where(best.layout, best.places, first, end, best.gap_bits), counts, symbols, tables)
        return symbols, tables

    def _where(self, layout: Layout, places: NDArray[np.int32], first: int, end: int, bits: int) -> tuple[Any, ...]:
        classes = layout.row_classes, layout.column_classes
        return self.indptr, places, first, end, layout.parts, *classes, (1 << bits) - 1

    def sums(self, positive: int) -> NDArray[np.uint8] | None:
        """Signed sum of each weight's neighbours, plus 6; None where it has none."""
        room = sign_places(self.shape, self.chunk_rows)
        if prod(kernel_shape(self.shape)) == 1 or room > MOST_PLACES:
            return None
        padded, size, up = places_of(self.shape)
        places, out = np.empty(self.nnz, np.int32), np.empty(self.nnz, np.uint8)
        padded_places(self.indptr, self.indices, self.chunk_rows, padded, size, places)
        limits = self.indptr[self.chunk_rows]
        neighbour_sums(places, limits, up, positive, self.symbols, np.zeros(room, np.int8), out)
        return out


def zigzagged(numbers: Ints) -> Ints:
    """`zigzag` of an array."""
    return np.where(numbers >= 0, 2 * numbers, -2 * numbers - 1)


def _steps(numbers: Ints) -> Ints:
    """Zigzag differences, of the first to 0."""
    return zigzagged(np.diff(numbers, prepend=0))


def _best_gaps(rows: Rows, columns: Columns, classes: list[Ints], counts: Ints) -> Part:
    """Odds and corrections for a histogram of gap symbols, of shape (tables, symbols)."""
    symbols = counts.shape[1]
    weights = counts[:, :-1].sum(axis=1)
    skipped = (counts * np.arange(symbols)).sum(axis=1)
    odds = eighths((skipped + 0.5) / (weights + 0.5))
    odds = np.where(counts.any(axis=1), odds, 0)
    for i in np.flatnonzero(~counts.any(axis=1)):  # a table that is not used goes on where the one before ends
        odds[i] = odds[i - 1] if i else 0
    head = [int(rows), int(columns)]
    plain = np.zeros(symbols, np.int64)
    frequencies = gap_tables(odds, plain)
    tail = [*classes, _steps(odds)]
    extra = STEP_COST * int(counts[:, -1].sum())
    candidates = [Part.of([np.array([*head, 0, 0]), *tail], frequencies, counts)]
    total = counts.sum(axis=1, keepdims=True)
    for shift in SHIFTS:
        corrections = plain
        for _ in range(2):
            expected = (gap_tables(odds, corrections) * total).sum(axis=0) / TOTAL
            wanted = corrections + eighths((counts.sum(axis=0) + 0.5) / (expected + 0.5))
            wanted = (wanted + (1 << shift >> 1)) >> shift
            corrections = np.minimum(wanted - wanted.min(), MAX_EXPONENT >> shift) << shift
        lists = [np.array([*head, 1, shift]), _steps(corrections >> shift), *tail]
        candidates.append(Part.of(lists, gap_tables(odds, corrections), counts))
    best = min(candidates, key=lambda part: part.cost)
    return Part(best.lists, best.frequencies, best.cost + extra)


def best_values(symbols: NDArray[np.uint8], sums: NDArray[np.uint8] | None, size: int, positive: int) -> Part:
    """Exponents, and tilts where they pay, for the symbols of some weights."""
    counts = np.bincount(symbols, minlength=size)
    tables: list[tuple[int, Ints, list[Ints], Ints]] = [(0, np.full(1, TILT // 2), [], counts[None])]
    if sums is not None:
        split = np.bincount(sums * np.int64(size) + symbols, minlength=(2 * SIGNS - 1) * size)
        split = split.reshape(2 * SIGNS - 1, size)
        alike = np.empty(SIGNS, np.int64)
        total = np.empty(SIGNS, np.int64)
        for distance in range(SIGNS):
            plus, minus = split[SIGNS - 1 + distance], split[SIGNS - 1 - distance]
            alike[distance] = plus[:positive].sum() + minus[positive:].sum()
            total[distance] = plus.sum() + minus.sum()
        tilts = np.clip((TILT * (2 * alike + TILT) // (2 * total + 2 * TILT)), 1, TILT - 1)
        tilts[0] = TILT // 2
        tables.append((1, tilts, [zigzagged(np.diff(tilts))], split))
    candidates = []
    for shift in SHIFTS:
        exponents = eighths(np.maximum(counts, 1) / max(1, int(counts.max()))) + MAX_EXPONENT
        exponents = (exponents + (1 << shift >> 1)) >> shift
        exponents -= exponents.min()
        for tilted, tilts, lists, split in tables:
            frequencies = value_tables(exponents << shift, positive, tilts)
            candidates.append(Part.of([np.array([shift, tilted]), _steps(exponents), *lists], frequencies, split))
    return min(candidates, key=lambda part: part.cost)


def write_context(tensor: Counted) -> bytes | None:
    """Payload of a tensor of few distinct weights: positions and symbols, or symbols for all weights."""
    counts = tensor.counts
    if counts is None:
        return None
    payloads = []
    if counts and tensor.zeros:
        payloads.append(_write(tensor, sorted(counts), zeros=False))
    if len(counts) + (tensor.zeros > 0) <= MAX_CODEBOOK and 8 * (tensor.array.size - tensor.zeros) > tensor.array.size:
        payloads.append(_write(tensor, sorted({**counts, **({0: 1} if tensor.zeros else {})}), zeros=True))
    return min(payloads, key=len, default=None)


def _write(tensor: Counted, patterns: list[int], zeros: bool) -> bytes:
    dtype = tensor.array.dtype
    bits = np.array(patterns, dtype=f"<u{dtype.itemsize}")
    form, codebook = write_codebook(bits.view(dtype))
    stored = Stored(tensor, bits, zeros)
    positive = int((bits.view(f"<i{dtype.itemsize}") >= 0).sum())
    sums = stored.sums(positive)
    values = best_values(stored.symbols, sums, len(bits), positive)
    positions = None if zeros else stored.positions()
    out = bytearray([layout_byte(form, positions.gap_bits if positions else 0)])
    if positions:
        write_varint(out, stored.nnz)
    write_varint(out, len(bits))
    out += codebook
    streams, escapes = _streams(stored, positions, values, sums)
    rows = stored.chunk_rows
    lists = [*values.lists, *(positions.part.lists if positions else [])]
    lists += [np.array([len(rows) - 2]), np.diff(rows)[:-1] - 1]
    if positions:
        lists += [np.diff(stored.indptr[rows])[:-1] - 1, np.array(escapes)]
    lists.append(np.array([(len(stream) - STATE_BYTES) // WORD_BYTES for stream in streams]))
    tables = write_number_lists(lists)
    write_varint(out, len(tables))
    return b"".join([out, tables, *streams])


def _streams(
    stored: Stored, positions: Positions | None, values: Part, sums: NDArray[np.uint8] | None
) -> tuple[list[bytes], list[int]]:
    """The stream of each chunk, gaps before symbols, and the escapes among the gaps."""
    streams, escapes = [], []
    intervals = intervals_of(values.frequencies)
    gap_intervals = intervals_of(positions.part.frequencies) if positions else None
    for first, end in zip(stored.chunk_rows[:-1].tolist(), stored.chunk_rows[1:].tolist(), strict=True):
        begin, limit = int(stored.indptr[first]), int(stored.indptr[end])
        tables = sums[begin:limit] if sums is not None and len(intervals) > 1 else 0
        coded = intervals[tables, stored.symbols[begin:limit]]
        if positions is not None and gap_intervals is not None:
            symbols, classes = stored.gaps(positions, first, end)
            coded = np.concatenate([gap_intervals[classes, symbols], coded])
            escapes.append(len(symbols) - (limit - begin))
        streams.append(encode_intervals(coded))
    return streams, escapes
