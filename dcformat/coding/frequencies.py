"""Frequency tables for rANS, made from a few integers each: no float, no logarithm, the same everywhere.

Weights are made of powers of two with `FRACTION_BITS` fractional bits in the exponent, then scaled to `TOTAL`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..constants import MAX_GAP_BITS
from ..jit import inlined, kernel
from .rans import FREQUENCY_SHIFT, PRECISION, START_SHIFT, TOTAL

FRACTION_BITS = 3
STEPS = 1 << FRACTION_BITS
"""Steps of an exponent a factor of two."""
_POWERS = np.array([65536, 71468, 77936, 84990, 92682, 101070, 110218, 120194], np.int64)
"""``round(65536 * 2 ** (i / 8))``."""
MAX_EXPONENT = 12 * STEPS
"""Greatest exponent of a weight, slope and odds: a factor of 4,096."""
TILT = 64
"""A tilt of t gives one sign t parts of `TILT`, the other the others."""
SUMS = 7
"""Sums of neighbours' signs: absolute values 0 to 6."""
RANKS = 64
"""The ranks of the symbols of one sign go up to less than this."""
LEAST_GAP_BITS = 2
SLOTS = 3 * TOTAL
"""Entries of a decoding table."""

_U64 = np.uint64  # unsigned indices: numba then adds no test for negative ones, which would keep loops from vectors


@inlined
def power(exponent: int) -> int:
    """65536 times two to the exponent, which counts eighths and is from 0 to `MAX_EXPONENT`."""
    return _POWERS[exponent & (STEPS - 1)] << (exponent >> FRACTION_BITS)  # type: ignore[no-any-return]


@inlined
def probability(odds: int) -> int:
    """Probability, in 65536ths, of odds 1 : 2**(odds / 8); odds from -`MAX_EXPONENT` to `MAX_EXPONENT`."""
    less = (np.int64(1) << 32) // (65536 + power(abs(odds)))
    return less if odds >= 0 else 65536 - less  # type: ignore[no-any-return]


@inlined
def scale(weights: NDArray[np.int64], frequencies: NDArray[np.int64]) -> None:
    """Weights to frequencies of one or more that add up to `TOTAL`; weights below 2**50 in all, up to 256 of them."""
    total = np.int64(0)
    for weight in weights:
        total += weight
    rest, largest = np.int64(TOTAL), 0
    for i in range(len(weights)):
        frequencies[i] = max(1, (weights[i] << PRECISION) // total)
        rest -= frequencies[i]
        if frequencies[i] > frequencies[largest]:
            largest = i
    if rest > 0:
        frequencies[largest] += rest
    while rest < 0:
        for i in range(len(weights)):
            if frequencies[i] > frequencies[largest]:
                largest = i
        taken = min(-rest, max(1, frequencies[largest] >> 4))
        frequencies[largest] -= taken
        rest += taken


@kernel
def odds_of(weights: NDArray[np.int64], cells: NDArray[np.int64], odds: NDArray[np.int64]) -> None:
    """Odds against a weight, in eighths of the binary logarithm, rounded down, from -`MAX_EXPONENT` to `MAX_EXPONENT`.

    Parameters
    ----------
    weights, cells : ndarray of int64, shape (tables,)
        Weights stored, and places for them, fewer than 2**32.
    odds : ndarray of int64, shape (tables,)
        Receives the greatest e for which ``(2 zeros + 1) / (2 weights + 1)`` is ``2**(e / 8)`` or more.
    """
    for t in range(len(weights)):
        stored, zeros = 2 * weights[t] + 1, 2 * (cells[t] - weights[t]) + 1
        e = MAX_EXPONENT
        while e > 0 and zeros << 16 < power(e) * stored:
            e -= 1
        if e == 0:
            while e > -MAX_EXPONENT and zeros * power(-e) < stored << 16:
                e -= 1
        odds[t] = e


@inlined
def gap_bits_of(odds: int, bits: int) -> int:
    """Width of the gap symbols of a table, where it is `bits` at odds of 0."""
    return min(max(bits + (odds >> FRACTION_BITS), LEAST_GAP_BITS), MAX_GAP_BITS)


def gap_widths(odds: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """`gap_bits_of` of each table."""
    widths: NDArray[np.int64] = bits + (odds >> FRACTION_BITS)
    np.maximum(widths, LEAST_GAP_BITS, out=widths)  # numpy.clip takes several times as long for a few numbers
    np.minimum(widths, MAX_GAP_BITS, out=widths)
    return widths


@inlined
def gap_frequencies(
    odds: int, corrections: NDArray[np.int64], weights: NDArray[np.int64], out: NDArray[np.int64]
) -> None:
    """Frequencies of the gap symbols of a table: geometric, the first ones times a correction each.

    A symbol g below the last, the escape, has p (1 - p)**g, the escape E (1 - p)**E.
    """
    stored = probability(odds)
    value = np.int64(1) << 30
    last = len(out) - 1
    for g in range(last + 1):
        weight = value if g == last else value * stored >> 16
        if g < min(len(corrections), last):
            correction = power(abs(corrections[g]))
            weight = weight * correction >> 16 if corrections[g] >= 0 else (weight << 16) // correction
        weights[g] = weight + 1
        value = value * (65536 - stored) >> 16
    scale(weights, out)


@inlined
def sign_frequencies(
    exponents: NDArray[np.int64],
    ranks: NDArray[np.int64],
    slope: int,
    positive: int,
    tilts: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """Frequency of a positive sign by the signed sum of the neighbours, from -6 to 6."""
    plus = minus = np.int64(0)
    for i in range(len(exponents)):
        weight = power(tilted(exponents[i], ranks[i], slope))
        if i < positive:
            plus += weight
        else:
            minus += weight
    for c in range(2 * SUMS - 1):
        tilt = tilts[abs(c - SUMS + 1)]
        if c < SUMS - 1:
            tilt = TILT - tilt
        of_plus, of_minus = (plus >> 6) * tilt, (minus >> 6) * (TILT - tilt)
        out[c] = min(max((of_plus << PRECISION) // (of_plus + of_minus), 1), TOTAL - 1)


@inlined
def tilted(exponent: int, rank: int, slope: int) -> int:
    """Exponent of a symbol in a table of this slope."""
    return min(max(exponent + (slope * rank >> 6), 0), MAX_EXPONENT)


@inlined
def value_frequencies(
    exponents: NDArray[np.int64],
    ranks: NDArray[np.int64],
    slope: int,
    weights: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """Frequencies of symbols in a table of this slope."""
    for i in range(len(exponents)):
        weights[i] = power(tilted(exponents[i], ranks[i], slope))
    scale(weights, out)


def ranks_of(size: int, positive: int) -> NDArray[np.int64]:
    """Rank of each symbol among those of its sign, from 0 to less than `RANKS`."""
    ranks = np.empty(size, np.int64)
    _fill_ranks(positive, ranks)
    return ranks


@kernel
def _fill_ranks(positive: int, ranks: NDArray[np.int64]) -> None:
    for i in range(positive):
        ranks[i] = i * RANKS // positive
    for i in range(positive, len(ranks)):
        ranks[i] = (i - positive) * RANKS // (len(ranks) - positive)


@kernel
def gap_tables(odds: NDArray[np.int64], bits: int, corrections: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    """Frequencies of gap symbols of each table, to an array of zeros of shape (tables, 256)."""
    weights = np.empty(out.shape[1], np.int64)
    for t in range(len(odds)):
        size = 1 << gap_bits_of(odds[t], bits)
        gap_frequencies(odds[t], corrections, weights[:size], out[t, :size])


@kernel
def value_tables(
    exponents: NDArray[np.int64],
    ranks: NDArray[np.int64],
    slopes: NDArray[np.int64],
    begin: int,
    end: int,
    out: NDArray[np.int64],
) -> None:
    """Frequencies of the symbols from `begin` to `end` in the table of each slope, to shape (slopes, end - begin)."""
    weights = np.empty(end - begin, np.int64)
    for t in range(len(slopes)):
        value_frequencies(exponents[begin:end], ranks[begin:end], slopes[t], weights, out[t])


@kernel
def sign_tables(
    exponents: NDArray[np.int64],
    ranks: NDArray[np.int64],
    slopes: NDArray[np.int64],
    positive: int,
    tilts: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """Frequencies of a positive sign in the table of each slope, to shape (slopes, 13)."""
    for t in range(len(slopes)):
        sign_frequencies(exponents, ranks, slopes[t], positive, tilts, out[t])


def intervals_of(frequencies: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Intervals of symbols, of the frequencies' shape: see `rans`."""
    starts = np.cumsum(frequencies, axis=-1) - frequencies
    symbols = np.arange(frequencies.shape[-1])
    return (symbols | starts << START_SHIFT | frequencies << FREQUENCY_SHIFT).astype(np.uint32)


@inlined
def fill_slots(frequencies: NDArray[np.int64], slots: NDArray[np.uint16]) -> None:
    """A decoding table in three parts, so that an entry is read without masks and shifts.

    Parameters
    ----------
    frequencies : ndarray of int64, shape (symbols,)
    slots : ndarray of uint16, shape (SLOTS,)
        Receives for each of `TOTAL` slots the symbol in whose interval it lies; then the symbols' frequencies; then
        the places in the intervals.
    """
    begin = 0
    for i in range(len(frequencies)):
        end = begin + frequencies[i]
        slots[begin:end] = i
        slots[TOTAL + begin : TOTAL + end] = frequencies[i]
        first = _U64(2 * TOTAL + begin)
        for k in range(_U64(frequencies[i])):
            slots[first + k] = k
        begin = end


@inlined
def fill_intervals(frequencies: NDArray[np.int64], first: int, intervals: NDArray[np.uint32]) -> None:
    """A decoding table of fewer bytes: two of them fit the L1 cache.

    Parameters
    ----------
    frequencies : ndarray of int64, shape (symbols,)
    first : int
        Number of the first symbol.
    intervals : ndarray of uint32, shape (TOTAL,)
        Receives for each slot the interval in which it lies, with its place there as the start.
    """
    begin = _U64(0)
    for i in range(len(frequencies)):
        interval, count = np.uint32(first + i | frequencies[i] << FREQUENCY_SHIFT), _U64(frequencies[i])
        for k in range(count):
            intervals[begin + k] = interval | np.uint32(k << _U64(START_SHIFT))
        begin += count
