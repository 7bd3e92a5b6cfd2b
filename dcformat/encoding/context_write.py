"""Writing `context`: each form of positions and of symbols is counted, and the one of fewest bits taken.

Costs are integers, in `UNIT`-ths of a bit, so that equal tensors give equal bytes on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..coding.adaptive_numbers import Numbers, write_number_lists
from ..coding.bits import write_varint, zigzag
from ..coding.codebook import write_codebook
from ..coding.context_decode import PAIR, WIDE
from ..coding.context_encode import coded_columns, into_runs
from ..coding.density import classes_of
from ..coding.frequencies import MAX_EXPONENT, gap_tables, gap_widths, intervals_of, odds_of
from ..coding.histograms import PIECE, occurrences_of
from ..coding.rans import STATE_BYTES, TOTAL, WORD_BYTES, encode_rounds, rounds_in_turn
from ..coding.relative_index import gap_symbols
from ..constants import MAX_CODEBOOK
from .base import Counted
from .context import positive_of
from .context_layout import Columns, Ints, Layout, Rows, kernel_shape, row_size
from .context_tables import MOST_CORRECTED, Positions, signs_count
from .context_values import COSTS, UNIT, Symbols, eighths, steps
from .header import layout_byte
from .positions import stored_chunks

STEP_COST = UNIT // 8
"""Cost of the time that an escape takes."""
STRETCH_COST = UNIT // 2
"""Cost of the time that a stretch takes: the cells of a row that have one table, however many weights are in them."""
BITS = (1, 2, 3)
"""Widths of a gap at odds of 0 that are tried: twice to eight times the mean gap before an escape."""
LANES = ((1 << 15, WIDE), (1 << 13, PAIR), (0, 1))
"""Weights from which on a tensor has this number of lanes. Each takes six bytes."""
FORMS = (
    (Rows.NONE, Columns.NONE),
    (Rows.CHANNELS, Columns.NONE),
    (Rows.NONE, Columns.CHANNELS),
    (Rows.CHANNELS, Columns.CHANNELS),
    (Rows.CHANNELS, Columns.EACH),
    (Rows.EACH, Columns.EACH),
)


@dataclass(frozen=True, eq=False)
class Runs:
    """Weights of a tensor, sorted into runs.

    Attributes
    ----------
    positions : Positions
    lists : list of Numbers
        What `read_positions` reads.
    gaps : ndarray of int32, shape (weights,)
        Cells that are skipped before each weight.
    weights : ndarray of int32, shape (weights,)
        Number of each weight among those of the tensor.
    """

    positions: Positions
    lists: list[Numbers]
    gaps: NDArray[np.int32]
    weights: NDArray[np.int32]


class _Candidate(NamedTuple):
    """A form of positions, and what it takes: of the lists and the symbols, in units."""

    positions: Positions
    lists: list[Numbers]
    cost: int


class Stored:
    """Stored weights of a tensor: CSR, and a symbol each.

    Attributes
    ----------
    shape : tuple of int
    indptr : ndarray of int64, shape (rows + 1,)
    indices : ndarray of int32, shape (weights,)
    symbols : ndarray of uint8, shape (weights,)
    """

    def __init__(self, tensor: Counted, patterns: NDArray[Any]) -> None:
        self.shape = tensor.array.shape
        self.rows, self.width = row_size(self.shape)
        columns, symbols, counts = [], [], np.zeros(self.rows, np.int64)
        for positions, stored in stored_chunks(tensor, swapped=False):
            rows, column = np.divmod(positions, self.width)
            counts += np.bincount(rows, minlength=self.rows)
            columns.append(column.astype(np.int32))
            symbols.append(np.searchsorted(patterns, stored).astype(np.uint8))
        self.indptr = np.concatenate([[0], np.cumsum(counts)])
        self.indices, self.symbols = np.concatenate(columns), np.concatenate(symbols)

    def forms(self) -> Iterator[tuple[Layout, list[Numbers]]]:
        """Layouts that may be best, and the lists that make them."""
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
            classes = [Numbers(zigzag(row_classes), chain=True), Numbers(zigzag(column_classes), chain=True)]
            yield layout, [Numbers(np.array([int(rows), int(columns)])), *classes]

    def runs(self) -> Runs:
        """The form of positions that takes the fewest bits."""
        candidates = (found for layout, lists in self.forms() for found in self._candidates(layout, lists))
        best = min(candidates, key=lambda candidate: candidate.cost)
        _, _, gaps, order, numbers = self._sorted(best.positions.layout)  # again: those of all take much memory
        return Runs(best.positions, best.lists, gaps, order if numbers is None else numbers[order])

    def where(self, weights: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Rows and columns of weights."""
        return np.repeat(np.arange(self.rows, dtype=np.int32), np.diff(self.indptr))[weights], self.indices[weights]

    def _candidates(self, layout: Layout, lists: list[Numbers]) -> Iterator[_Candidate]:
        """A layout, with gaps of several widths."""
        stored, cells, gaps = self._sorted(layout)[:3]
        odds = np.empty(len(cells), np.int64)
        odds_of(stored, cells, odds)
        tables = np.arange(len(stored))
        stretches = len(layout.row_classes) * (layout.limits.shape[1] - 1)
        counted = [occurrences_of(run) for run in np.split(gaps, np.cumsum(stored)[:-1])]
        table = np.repeat(tables, [len(distinct) for distinct, _ in counted])
        gap, occurrences = (np.concatenate(part) for part in zip(*counted, strict=True))
        for bits in BITS:
            escape = (1 << gap_widths(odds, bits)) - 1
            escaped, symbols = np.divmod(gap, escape[table])
            counts = _sums(table << 8 | symbols, occurrences, len(stored) << 8).reshape(-1, 256)
            escapes = _sums(table, escaped * occurrences, len(stored))
            counts[tables, escape] = escapes
            for form, corrections in self._corrections(odds, bits, counts):
                head, *classes = lists
                of_runs = [steps(corrections >> form[1]), Numbers(stored), Numbers(escapes)]
                given = [Numbers(np.concatenate([head.values, form])), *classes, *of_runs]
                cost = int((counts * COSTS[np.maximum(_frequencies(odds, bits, corrections), 1) - 1]).sum())
                cost += STEP_COST * int(escapes.sum()) + STRETCH_COST * stretches
                cost += 8 * UNIT * len(write_number_lists(given))
                positions = Positions(layout, bits, odds, corrections, stored, stored + escapes)
                yield _Candidate(positions, given, cost)

    @staticmethod
    def _corrections(odds: Ints, bits: int, counts: Ints) -> Iterator[tuple[Ints, Ints]]:
        """How many symbols are corrected, in which steps, and by what."""
        none = np.zeros(0, np.int64)
        yield np.zeros(2, np.int64), none
        total = counts.sum(axis=1, keepdims=True)
        seen = counts[:, :MOST_CORRECTED].sum(axis=0) + 0.5
        corrections = none
        for _ in range(2):
            shares = _frequencies(odds, bits, corrections)[:, :MOST_CORRECTED] * total / TOTAL
            padded = np.pad(corrections, (0, MOST_CORRECTED - len(corrections)))
            corrections = np.clip(padded + eighths(seen / (shares.sum(axis=0) + 0.5)), -MAX_EXPONENT, MAX_EXPONENT)
        for count in (4, MOST_CORRECTED):
            for shift in (0, 1):
                yield np.array([count, shift]), (corrections[:count] + shift >> shift) << shift

    def _sorted(
        self, layout: Layout
    ) -> tuple[Ints, Ints, NDArray[np.int32], NDArray[np.int32], NDArray[np.int32] | None]:
        """Weights and cells of each table; by run the gaps and the places of the weights, whose numbers come last."""
        places, numbers = self._coded(layout)
        (stored, cells), none = np.zeros((2, layout.tables), np.int64), np.empty(0, np.int32)
        where = layout.row_classes, layout.limits
        into_runs(self.indptr, places, *where, stored, cells, none, none)
        at = np.cumsum(stored) - stored
        order, gaps = np.empty(len(places), np.int32), np.empty(len(places), np.int32)
        into_runs(self.indptr, places, *where, at, np.zeros(layout.tables, np.int64), order, gaps)
        del places  # what follows takes memory too
        first = (np.cumsum(stored) - stored)[stored > 0]
        cells_of_first = gaps[first]
        for end in range(len(gaps), 1, -PIECE):  # backwards: each is taken from the one behind it
            begin = max(1, end - PIECE)
            gaps[begin:end] -= gaps[begin - 1 : end - 1] + 1
        gaps[first] = cells_of_first
        return stored, cells, gaps, order, numbers

    def _coded(self, layout: Layout) -> tuple[NDArray[np.int32], NDArray[np.int32] | None]:
        """Coded places of the weights, and the number of the weight at each; None for their own order."""
        if not len(layout.order):
            return self.indices, None
        place_of = np.empty(self.width, np.int32)
        place_of[layout.order] = np.arange(self.width, dtype=np.int32)
        out, weights = np.empty(len(self.indices), np.int32), np.empty(len(self.indices), np.int32)
        coded_columns(self.indptr, self.indices, place_of, out, weights)
        return out, weights


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
    positive = positive_of(bits.view(dtype))
    runs = None
    if zeros:
        stored = np.array([tensor.array.size])
        symbols = np.concatenate([_symbols(piece, bits) for piece in tensor.pieces()])
        where = None
    else:
        weights = Stored(tensor, bits)
        runs = weights.runs()
        stored, symbols = runs.positions.stored, weights.symbols[runs.weights]
        signed = signs_count(len(bits), positive, weights.shape)
        where = weights.where(runs.weights) if signed else None
        del weights  # the rest takes as much memory
    lanes = next(lanes for least, lanes in LANES if len(symbols) >= least)
    values = Symbols(tensor.array.shape, symbols, stored, len(bits), positive, lanes, where)
    coded = values.best()
    rounds = chain(values.rounds(coded), _gap_rounds(runs, lanes) if runs else ())
    stream = encode_rounds(rounds, lanes)
    words = (len(stream) - lanes * STATE_BYTES) // WORD_BYTES
    of_symbols, *of_values = coded.lists
    of_gaps, *of_positions = runs.lists if runs else [Numbers(np.zeros(0, np.int64))]
    head = Numbers(np.concatenate([[lanes - 1], of_symbols.values, of_gaps.values]))
    tables = write_number_lists([head, *of_positions, *of_values])
    out = bytearray([layout_byte(form, runs.positions.bits if runs else 0)])
    write_varint(out, len(bits))
    out += codebook
    write_varint(out, len(tables))
    out += tables
    write_varint(out, words)
    return b"".join([out, stream])


def _symbols(piece: NDArray[Any], patterns: NDArray[Any]) -> NDArray[np.uint8]:
    """The places of bit patterns among the sorted ones: of zero the first, and so most need no search."""
    symbols, found = np.zeros(len(piece), np.uint8), piece != 0
    symbols[found] = np.searchsorted(patterns, piece[found])
    return symbols


def _sums(keys: Ints, numbers: Ints, size: int) -> Ints:
    """Sum of the numbers of each key below `size`: exact below ``2**53``."""
    return np.bincount(keys, weights=numbers, minlength=size).astype(np.int64)


def _frequencies(odds: Ints, bits: int, corrections: Ints) -> Ints:
    """Frequencies of the gap symbols: ndarray of shape (tables, 256), 0 behind the escapes."""
    frequencies = np.zeros((len(odds), 256), np.int64)
    gap_tables(odds, bits, corrections, frequencies)
    return frequencies


def _gap_rounds(runs: Runs, lanes: int) -> Iterator[NDArray[np.uint32]]:
    """Rounds of the gap symbols of each run, the last first."""
    positions = runs.positions
    frequencies = _frequencies(*positions.tables)
    escapes = positions.escapes
    ends = np.cumsum(positions.stored)
    for t in np.flatnonzero(positions.stored)[::-1]:
        gaps = runs.gaps[ends[t] - positions.stored[t] : ends[t]]
        symbols = gap_symbols(gaps, int(escapes[t]).bit_length())
        yield from rounds_in_turn(symbols, intervals_of(frequencies[t]), lanes)
