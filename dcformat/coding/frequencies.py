"""Frequency tables for rANS, made from a few integers each: no float, no logarithm, the same everywhere.

Weights are made of powers of two with `FRACTION_BITS` fractional bits in the exponent, then scaled to `TOTAL`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..jit import inlined, kernel
from .rans import FREQUENCY_SHIFT, PRECISION, START_SHIFT, TOTAL

FRACTION_BITS = 3
STEPS = 1 << FRACTION_BITS
"""Steps of an exponent a factor of two."""
_POWERS = np.array([65536, 71468, 77936, 84990, 92682, 101070, 110218, 120194], np.int64)
"""``round(65536 * 2 ** (i / 8))``."""
MAX_EXPONENT = 12 * STEPS
"""Greatest exponent of a weight and of odds: a factor of 4,096."""
TILT = 64
"""A tilt of t gives one sign t parts of `TILT`, the other the others."""
SIGNS = 7
"""Neighbour sums: absolute values 0 to 6."""


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


@inlined
def gap_frequencies(
    odds: int, corrections: NDArray[np.int64], weights: NDArray[np.int64], out: NDArray[np.int64]
) -> None:
    """Frequencies of the gap symbols of a class: geometric, times a correction each.

    A symbol g below the last, the escape, has p (1 - p)**g, the escape E (1 - p)**E.
    """
    stored = probability(odds)
    value = np.int64(1) << 30
    last = len(out) - 1
    for g in range(last + 1):
        weight = value if g == last else value * stored >> 16
        weights[g] = (weight * power(corrections[g]) >> 16) + 1
        value = value * (65536 - stored) >> 16
    scale(weights, out)


@kernel
def _gap_tables(odds: NDArray[np.int64], corrections: NDArray[np.int64], out: NDArray[np.int64]) -> None:
    weights = np.empty(len(corrections), np.int64)
    for c in range(len(odds)):
        gap_frequencies(odds[c], corrections, weights, out[c])


def gap_tables(odds: NDArray[np.int64], corrections: NDArray[np.int64]) -> NDArray[np.int64]:
    """Frequencies of gap symbols.

    Parameters
    ----------
    odds : ndarray of int64, shape (classes,)
        Eighths of the binary logarithm of (1 - density) / density of each class.
    corrections : ndarray of int64, shape (symbols,)
        Eighths of the binary logarithm of what each symbol occurs more often than a geometric distribution has it; 0
        to `MAX_EXPONENT`.

    Returns
    -------
    ndarray of int64, shape (classes, symbols)
    """
    out = np.empty((len(odds), len(corrections)), np.int64)
    _gap_tables(odds, corrections, out)
    return out


@kernel
def _value_tables(
    exponents: NDArray[np.int64], positive: int, tilts: NDArray[np.int64], out: NDArray[np.int64]
) -> None:
    sums = len(tilts)
    weights = np.empty(len(exponents), np.int64)
    for c in range(2 * sums - 1):
        tilt = tilts[abs(c - sums + 1)]
        for i in range(len(exponents)):
            same = (i < positive) == (c >= sums - 1)
            weights[i] = power(exponents[i]) * (tilt if same else TILT - tilt)
        scale(weights, out[c])


def value_tables(exponents: NDArray[np.int64], positive: int, tilts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Frequencies of symbols by the signed sum of the neighbours, from minus to plus `len(tilts) - 1`.

    Parameters
    ----------
    exponents : ndarray of int64, shape (k,)
        Eighths of the binary logarithm of a symbol's weight, 0 to `MAX_EXPONENT`.
    positive : int
        Symbols below are positive, the others negative.
    tilts : ndarray of int64, shape (sums,)
        Parts of `TILT`, 1 to 63, that a sign has after neighbours of the same sign, by their absolute sum.

    Returns
    -------
    ndarray of int64, shape (2 * sums - 1, k)
    """
    out = np.empty((2 * len(tilts) - 1, len(exponents)), np.int64)
    _value_tables(exponents, positive, tilts, out)
    return out


def intervals_of(frequencies: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Intervals of symbols, of the frequencies' shape: see `rans`."""
    starts = np.cumsum(frequencies, axis=1) - frequencies
    symbols = np.arange(frequencies.shape[1])
    return (symbols | frequencies - 1 << FREQUENCY_SHIFT | starts << START_SHIFT).astype(np.uint32)


def slots_of(frequencies: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Decoding tables: the interval in which each of `TOTAL` slots lies, of shape (tables * TOTAL,)."""
    return np.repeat(intervals_of(frequencies).reshape(-1), frequencies.reshape(-1))
