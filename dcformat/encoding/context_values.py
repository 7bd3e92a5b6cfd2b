"""Weights' symbols in `context`, from the writer's side: whether signs and densities count, and with which tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..coding.adaptive_numbers import Numbers, write_number_lists
from ..coding.bits import zigzag_steps
from ..coding.context_encode import neighbour_sums
from ..coding.frequencies import (
    FRACTION_BITS,
    MAX_EXPONENT,
    SUMS,
    TILT,
    intervals_of,
    ranks_of,
    sign_tables,
    value_tables,
)
from ..coding.histograms import histogram
from ..coding.rans import FREQUENCY_SHIFT, START_SHIFT, TOTAL, rounds_in_turn, rounds_side_by_side
from ..graph.graph import Shape
from .context_layout import Ints, places_of, sign_places
from .context_tables import Values, signs_count

UNIT = 256
COSTS = np.rint(UNIT * (12 - np.log2(np.arange(1, TOTAL + 1)))).astype(np.int64)
"""Cost of a symbol of frequency i + 1."""
_RATIOS = 2.0 ** (np.arange(-MAX_EXPONENT, MAX_EXPONENT + 1) / (1 << FRACTION_BITS))
_MIDDLES = np.sqrt(_RATIOS[1:] * _RATIOS[:-1])
SLOPES = np.arange(-MAX_EXPONENT, MAX_EXPONENT + 1, 2)
"""Slopes that are tried."""
SIGN_COST = UNIT // 32
"""Cost of the time that a sign of its own takes."""


def eighths(ratio: NDArray[np.float64]) -> Ints:
    """Binary logarithm in steps of 1/8, rounded, within `MAX_EXPONENT`: by comparison, the same everywhere."""
    return np.searchsorted(_MIDDLES, ratio) - MAX_EXPONENT


def steps(numbers: Ints, first: int = 0) -> Numbers:
    """Zigzag differences."""
    return Numbers(zigzag_steps(numbers, first))


@dataclass(frozen=True, eq=False)
class Coded:
    """Tables of symbols, with what they take.

    Attributes
    ----------
    values : Values
    lists : list of Numbers
        What `read_values` reads.
    cost : int
        Of the lists and the symbols, in units.
    """

    values: Values
    lists: list[Numbers]
    cost: int


class Symbols:
    """Symbols of a tensor's weights, in the order of runs.

    Parameters
    ----------
    shape : tuple of int
    symbols : ndarray of uint8, shape (weights,)
    stored : ndarray of int64, shape (tables,)
        Weights of each run.
    size, positive : int
        Symbols in all, and those of positive weights.
    lanes : int
    where : tuple of ndarray, or None
        Row and column of each weight; None where all weights of the tensor are there, or signs cannot count.
    """

    def __init__(
        self,
        shape: Shape,
        symbols: NDArray[np.uint8],
        stored: Ints,
        size: int,
        positive: int,
        lanes: int,
        where: tuple[NDArray[np.int32], NDArray[np.int32]] | None,
    ) -> None:
        self.symbols, self.stored = symbols, stored
        self.size, self.positive, self.lanes = size, positive, lanes
        self.ranks = ranks_of(size, positive)
        self.counts = np.stack([histogram(symbols[run], size) for run in self._runs()])
        self.sums: NDArray[np.uint8] | None = None
        if signs_count(size, positive, shape):
            padded, places, up = places_of(shape)
            if where is None:
                at = (np.arange(len(symbols) // len(padded))[:, None] * places + padded).reshape(-1)
            else:
                at = where[0] * places + padded[where[1]]
            self.sums = np.empty(len(symbols), np.uint8)
            signs = np.zeros(sign_places(shape), np.int8)
            neighbour_sums(at.astype(np.int32), stored, lanes, up, positive, symbols, signs, self.sums)

    def _runs(self) -> list[slice]:
        """Where the symbols of each run are."""
        ends = np.cumsum(self.stored)
        return [slice(end - count, end) for count, end in zip(self.stored, ends, strict=True)]

    def best(self) -> Coded:
        """The tables that take the fewest bits."""
        total = self.counts.sum(axis=0)
        flat = np.zeros(len(self.stored), np.int64)
        base = eighths(np.maximum(total, 1) / max(1, int(total.max()))) + MAX_EXPONENT
        forms = [(base, flat)]
        if len(self.stored) > 1 and self.size > 2:
            slopes = self._slopes(base)
            expected = (value_shares(base, self.ranks, slopes) * self.stored[:, None]).sum(axis=0)
            fitted = base + eighths((total + 0.5) / (expected + 0.5))
            forms.append((np.clip(fitted - fitted.max() + MAX_EXPONENT, 0, MAX_EXPONENT), slopes))
        candidates = [
            candidate
            for exponents, slopes in forms
            for shift in range(FRACTION_BITS + 1)
            for candidate in self._candidates(exponents, slopes, shift)
        ]
        return min(candidates, key=lambda coded: coded.cost)

    def _slopes(self, exponents: Ints) -> Ints:
        """The slope of each table that takes the fewest bits."""
        logs = (exponents + (SLOPES[:, None] * self.ranks >> 6)) / (1 << FRACTION_BITS)
        totals = np.log2((2.0**logs).sum(axis=1))
        bits = np.rint(16 * (self.stored[:, None] * totals - self.counts @ logs.T))
        bits += 8 * np.abs(SLOPES)  # of equal ones the least
        return np.asarray(SLOPES[bits.argmin(axis=1)])

    def _candidates(self, exponents: Ints, slopes: Ints, shift: int) -> Iterator[Coded]:
        """Tables with exponents in steps of ``2**shift`` eighths, without signs and with them."""
        rounded = np.minimum((exponents + (1 << shift >> 1)) >> shift, MAX_EXPONENT >> shift)
        rounded -= rounded.min()
        exponents = rounded << shift
        sloping = int(slopes.any())
        tail = [steps(slopes)] if sloping else []
        frequencies = np.empty((len(slopes), self.size), np.int64)
        value_tables(exponents, self.ranks, slopes, 0, self.size, frequencies)
        lists = [Numbers(np.array([shift, 0, sloping])), steps(rounded), *tail]
        yield self._coded(Values(exponents, slopes, None), lists, _cost(self.counts, frequencies))
        if self.sums is None:
            return
        tilts = self._tilts
        plus = np.empty((len(slopes), 2 * SUMS - 1), np.int64)
        sign_tables(exponents, self.ranks, slopes, self.positive, tilts, plus)
        cost = _cost(self._signs, np.stack([plus, TOTAL - plus], axis=2)) + SIGN_COST * len(self.symbols)
        for begin, end in ((0, self.positive), (self.positive, self.size)):
            value_tables(exponents, self.ranks, slopes, begin, end, frequencies[:, begin:end])
        lists = [Numbers(np.array([shift, 1, sloping])), steps(rounded), steps(tilts[1:], TILT // 2), *tail]
        yield self._coded(Values(exponents, slopes, tilts), lists, cost + _cost(self.counts, frequencies))

    @staticmethod
    def _coded(values: Values, lists: list[Numbers], cost: int) -> Coded:
        return Coded(values, lists, cost + 8 * UNIT * len(write_number_lists(lists)))

    @cached_property
    def _signs(self) -> Ints:
        """Weights of each table, sum of neighbours, and sign."""
        assert self.sums is not None
        key = 2 * self.sums + (self.symbols >= self.positive)
        counted = [histogram(key[run], 4 * SUMS - 2) for run in self._runs()]
        return np.stack(counted).reshape(-1, 2 * SUMS - 1, 2)

    @cached_property
    def _tilts(self) -> Ints:
        """What share of the weights has the sign of its neighbours, by the size of their sum."""
        by_sum = self._signs.sum(axis=0)
        mirrored = by_sum[::-1, ::-1]
        alike = (by_sum + mirrored)[SUMS - 1 :]
        tilts: Ints = np.clip(TILT * (2 * alike[:, 0] + TILT) // (2 * alike.sum(axis=1) + 2 * TILT), 1, TILT - 1)
        tilts[0] = TILT // 2
        return tilts

    def rounds(self, coded: Coded) -> Iterator[NDArray[np.uint32]]:
        """Rounds of the symbols of each run, the last first."""
        values, size, positive = coded.values, self.size, self.positive
        if size == 1:
            return
        frequencies = np.empty((len(values.slopes), size), np.int64)
        plus = np.zeros((len(values.slopes), 2 * SUMS - 1), np.int64)
        parts = [(0, size)]
        if values.tilts is not None:
            sign_tables(values.exponents, self.ranks, values.slopes, positive, values.tilts, plus)
            parts = [(0, positive), (positive, size)]
        for begin, end in parts:
            value_tables(values.exponents, self.ranks, values.slopes, begin, end, frequencies[:, begin:end])
        runs = self._runs()
        for t in np.flatnonzero(self.stored)[::-1]:
            run, symbols = runs[t], self.symbols[runs[t]]
            intervals = np.concatenate([intervals_of(frequencies[t, begin:end]) for begin, end in parts])
            if self.sums is None or values.tilts is None:
                yield from rounds_in_turn(symbols, intervals, self.lanes)
                continue
            of_plus = plus[t, self.sums[run]]
            negative = symbols >= positive
            signs = np.where(negative, TOTAL - of_plus, of_plus) << FREQUENCY_SHIFT
            signs |= np.where(negative, of_plus, 0) << START_SHIFT
            pairs = np.stack([signs.astype(np.uint32), intervals[symbols]], axis=1)
            yield rounds_side_by_side(pairs, self.lanes)


def value_shares(exponents: Ints, ranks: Ints, slopes: Ints) -> NDArray[np.float64]:
    """Shares of the symbols in each table."""
    out = np.empty((len(slopes), len(exponents)), np.int64)
    value_tables(exponents, ranks, slopes, 0, len(exponents), out)
    return out / TOTAL


def _cost(counts: Ints, frequencies: Ints) -> int:
    return int((counts * COSTS[frequencies - 1]).sum())
