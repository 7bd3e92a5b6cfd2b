"""The tables of `context`: numbers from which the frequencies of gap symbols and of weights' symbols follow."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from ...core.errors import FormatError
from ..coding.density import MAX_CLASS
from ..coding.frequencies import FRACTION_BITS, MAX_EXPONENT, SUMS, TILT, gap_widths, odds_of
from ..coding.number_reader import Listed, NumberReader, chain, numbers, steps
from ..graph.graph import Shape
from .context_layout import Columns, Ints, Layout, Rows, kernel_shape, row_size, sign_places

WHAT = "tables"
MOST_CORRECTED = 16
"""Most gap symbols that have corrections."""
MOST_PLACES = 1 << 26
"""Most padded places of a tensor whose weights' signs count."""


@dataclass(frozen=True, eq=False)
class Positions:
    """Tables of positions, and the runs that have them.

    Attributes
    ----------
    layout : Layout
    bits : int
        Width of a gap symbol at odds of 0.
    corrections : ndarray of int64, shape (n,)
        Eighths of the binary logarithm of what the first gap symbols are likelier than by the odds.
    odds, stored, symbols : ndarray of int64, shape (tables,)
        Odds against a weight, in eighths of the binary logarithm; weights and gap symbols of the run.
    """

    layout: Layout
    bits: int
    odds: Ints
    corrections: Ints
    stored: Ints
    symbols: Ints

    @property
    def tables(self) -> tuple[Ints, int, Ints]:
        """What the frequencies of gap symbols follow from."""
        return self.odds, self.bits, self.corrections

    @property
    def escapes(self) -> Ints:
        """The gap symbol of each table that stores no weight."""
        return (1 << gap_widths(self.odds, self.bits)) - 1


@dataclass(frozen=True, eq=False)
class Values:
    """Tables of weights' symbols.

    Attributes
    ----------
    exponents : ndarray of int64, shape (k,)
        Eighths of the binary logarithm of a symbol's weight.
    slopes : ndarray of int64, shape (tables,)
        What is added to the exponent of the greatest symbols in each table.
    tilts : ndarray of int64, shape (7,), or None
        Parts of `TILT` that a sign has by the sum of its neighbours, where these count.
    """

    exponents: Ints
    slopes: Ints
    tilts: Ints | None


def read_positions(reader: NumberReader, shape: Shape, bits: int, form: list[int]) -> Positions:
    """Order and classes of positions, corrections, and the counts of the runs."""
    count, width = row_size(shape)
    inner = prod(kernel_shape(shape))
    if form[0] > Rows.EACH or form[1] > Columns.EACH or form[3] > FRACTION_BITS:
        raise FormatError(f"{WHAT}: form of the classes is out of range", found=form)
    rows, columns = Rows(form[0]), Columns(form[1])
    row_count = {Rows.NONE: 0, Rows.CHANNELS: count, Rows.EACH: count * inner}[rows]
    column_count = {Columns.NONE: 0, Columns.CHANNELS: width // inner, Columns.EACH: width}[columns]
    row_classes, column_classes, corrections = reader.read(
        chain("class of a row", row_count, MAX_CLASS),
        chain("class of a column", column_count, MAX_CLASS),
        _steps("correction", form[2], form[3], -MAX_EXPONENT, MAX_EXPONENT),
    )
    layout = Layout.of(shape, rows, columns, row_classes, column_classes)
    cells = layout.cells()
    stored, escapes = reader.read(
        numbers("weights of a run", layout.tables, count * width),
        numbers("escapes of a run", layout.tables, count * width),
    )
    if (stored > cells).any():
        raise FormatError(f"{WHAT}: run has more weights than places", where=f"run {int((stored > cells).argmax())}")
    if not stored.any():
        raise FormatError("no weight is stored")
    if int(escapes.sum()) > count * width:
        raise FormatError(f"{WHAT}: more escapes than places", found=int(escapes.sum()))
    odds = np.empty(layout.tables, np.int64)
    odds_of(stored, cells, odds)
    return Positions(layout, bits, odds, corrections, stored, stored + escapes)


def read_values(reader: NumberReader, size: int, positive: int, shape: Shape, tables: int, form: list[int]) -> Values:
    """Exponents of the symbols, slopes of the tables, and tilts."""
    shift, with_signs, with_slopes = form
    if shift > FRACTION_BITS or with_signs > 1 or with_slopes > 1:
        raise FormatError(f"{WHAT}: form of the symbols' tables is out of range", found=form)
    lists = [_steps("exponent of a symbol", size, shift, 0, MAX_EXPONENT)]
    if with_signs:
        if not signs_count(size, positive, shape):
            raise FormatError(f"{WHAT}: signs of neighbours cannot count")
        most = TILT // 2 - 1
        lists.append(_steps("tilt less 32", SUMS - 1, 0, -most, most))
    if with_slopes:
        lists.append(_steps("slope", tables, 0, -MAX_EXPONENT, MAX_EXPONENT))
    exponents, *more = reader.read(*lists)
    tilts = TILT // 2 + np.concatenate([[0], more[0]]) if with_signs else None
    slopes = more[-1] if with_slopes else np.zeros(tables, np.int64)
    return Values(exponents, slopes, tilts)


def signs_count(size: int, positive: int, shape: Shape) -> bool:
    """Whether weights of a tensor may be coded by the signs of their neighbours: kernels, two symbols of each sign."""
    return prod(kernel_shape(shape)) > 1 and 2 <= positive <= size - 2 and sign_places(shape) <= MOST_PLACES


def _steps(name: str, size: int, shift: int, least: int, most: int) -> Listed:
    return steps(name, size, 4 * MAX_EXPONENT, shift, least, most)
