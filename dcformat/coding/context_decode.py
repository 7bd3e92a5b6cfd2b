"""Decoding of runs: stretches of symbols that have one table, or one table a sign, from a stream of several lanes.

A symbol waits for the multiplication of the one before it in the same lane. Lanes do not wait for each other, so that
the processor overlaps them. The lanes of large and of middle tensors are kept in registers. Whatever the bytes are,
nothing outside the arrays is read or written.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..jit import inlined, kernel
from .frequencies import (
    SLOTS,
    SUMS,
    fill_intervals,
    fill_slots,
    gap_bits_of,
    gap_frequencies,
    sign_frequencies,
    value_frequencies,
)
from .rans import FREQUENCY_SHIFT, LEAST, MAX_LANES, PRECISION, START_SHIFT, TOTAL, WORD_BITS, WORD_BYTES

WIDE, PAIR = 6, 2
"""Numbers of lanes that are kept in registers: of large tensors, and of middle ones."""

_U64 = np.uint64  # unsigned indices: numba then adds no test for negative ones
_PRECISION, _SLOT, _TOTAL = _U64(PRECISION), _U64(TOTAL - 1), _U64(TOTAL)
_FREQUENCIES, _PLACES = _U64(TOTAL), _U64(2 * TOTAL)
_START, _FREQUENCY, _BYTE = _U64(START_SHIFT), _U64(FREQUENCY_SHIFT), _U64(255)
_ONE, _TWO = _U64(1), _U64(2)
_LEAST, _WORD = _U64(LEAST), _U64(WORD_BITS)


@inlined
def _take(slots: NDArray[np.uint16], x: np.uint64, out: NDArray[np.uint8], n: np.uint64) -> np.uint64:
    """Decode a symbol to its place; the state after it.

    The symbol is written at once: it would take a register until then.
    """
    slot = x & _SLOT
    out[n] = slots[slot]
    return _U64(slots[slot + _FREQUENCIES]) * (x >> _PRECISION) + _U64(slots[slot + _PLACES])


@inlined
def _word_at(words: NDArray[np.uint8], at: np.uint64) -> np.uint64:
    first = at * _U64(WORD_BYTES)
    return (
        _U64(words[first])
        | _U64(words[first + _U64(1)]) << _U64(8)
        | _U64(words[first + _U64(2)]) << _U64(16)
        | _U64(words[first + _U64(3)]) << _U64(24)
    )


@inlined
def _refill(words: NDArray[np.uint8], at: np.uint64, x: np.uint64) -> tuple[np.uint64, np.uint64]:
    """Place in the words and state after a round. Whether a word comes in is a matter of chance: no branch."""
    more = x << _WORD | _word_at(words, at)
    short = x < _LEAST
    return at + _U64(short), more if short else x


@inlined
def _refill_near_end(words: NDArray[np.uint8], at: np.uint64, x: np.uint64) -> tuple[np.uint64, np.uint64]:
    """`_refill` where the words may have come to their end: zeros follow."""
    if x < _LEAST:
        x = x << _WORD | (_word_at(words, at) if at < _count(words) else _U64(0))
        at += _ONE
    return at, x


@inlined
def _count(words: NDArray[np.uint8]) -> np.uint64:
    return _U64(len(words) // WORD_BYTES)


@inlined
def _wide_rounds(
    words: NDArray[np.uint8],
    states: NDArray[np.uint64],
    slots: NDArray[np.uint16],
    n: np.uint64,
    count: int,
    out: NDArray[np.uint8],
) -> np.uint64:
    """Decode the whole rounds of a run in `WIDE` lanes, from the place `n` on; the place of the next symbol."""
    at, end, last = states[MAX_LANES], _count(words), n + _U64(count // (2 * WIDE) * (2 * WIDE))
    a, b, c, d, e, f = states[0], states[1], states[2], states[3], states[4], states[5]
    while n < last and at + _U64(WIDE) <= end:
        a = _take(slots, a, out, n)
        b = _take(slots, b, out, n + _U64(1))
        c = _take(slots, c, out, n + _U64(2))
        d = _take(slots, d, out, n + _U64(3))
        e = _take(slots, e, out, n + _U64(4))
        f = _take(slots, f, out, n + _U64(5))
        a = _take(slots, a, out, n + _U64(6))
        b = _take(slots, b, out, n + _U64(7))
        c = _take(slots, c, out, n + _U64(8))
        d = _take(slots, d, out, n + _U64(9))
        e = _take(slots, e, out, n + _U64(10))
        f = _take(slots, f, out, n + _U64(11))
        at, a = _refill(words, at, a)
        at, b = _refill(words, at, b)
        at, c = _refill(words, at, c)
        at, d = _refill(words, at, d)
        at, e = _refill(words, at, e)
        at, f = _refill(words, at, f)
        n += _U64(2 * WIDE)
    states[0], states[1], states[2], states[3], states[4], states[5] = a, b, c, d, e, f
    states[MAX_LANES] = at
    return n


@inlined
def _pair_rounds(
    words: NDArray[np.uint8],
    states: NDArray[np.uint64],
    slots: NDArray[np.uint16],
    n: np.uint64,
    count: int,
    out: NDArray[np.uint8],
) -> np.uint64:
    """`_wide_rounds` for `PAIR` lanes: written out too, since an array of states would stay in memory."""
    at, end, last = states[MAX_LANES], _count(words), n + _U64(count // (2 * PAIR) * (2 * PAIR))
    a, b = states[0], states[1]
    while n < last and at + _U64(PAIR) <= end:
        a = _take(slots, a, out, n)
        b = _take(slots, b, out, n + _U64(1))
        a = _take(slots, a, out, n + _U64(2))
        b = _take(slots, b, out, n + _U64(3))
        at, a = _refill(words, at, a)
        at, b = _refill(words, at, b)
        n += _U64(2 * PAIR)
    states[0], states[1], states[MAX_LANES] = a, b, at
    return n


@inlined
def _run(
    words: NDArray[np.uint8],
    states: NDArray[np.uint64],
    lanes: int,
    slots: NDArray[np.uint16],
    first: int,
    count: int,
    out: NDArray[np.uint8],
) -> None:
    """Decode a run of `count` symbols to `out`, from the place `first` on; it breaks off behind the last word."""
    n, stop = _U64(first), _U64(first + count)
    if lanes == WIDE:
        n = _wide_rounds(words, states, slots, n, count, out)
    elif lanes == PAIR:
        n = _pair_rounds(words, states, slots, n, count, out)
    at, end = states[MAX_LANES], _count(words)
    while n < stop and at <= end:
        for k in range(_U64(2 * lanes)):
            if n < stop:
                lane = k if k < _U64(lanes) else k - _U64(lanes)
                states[lane] = _take(slots, states[lane], out, n)
                n += _ONE
        for lane in range(_U64(lanes)):
            at, states[lane] = _refill_near_end(words, at, states[lane])
    states[MAX_LANES] = at


@kernel
def decode_gaps(
    words: NDArray[np.uint8],
    states: NDArray[np.uint64],
    lanes: int,
    odds: NDArray[np.int64],
    bits: int,
    corrections: NDArray[np.int64],
    counts: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> None:
    """Decode the runs of gap symbols.

    Parameters
    ----------
    words : ndarray of uint8
        The bytes of those of the stream.
    states : ndarray of uint64, shape (9,)
        Of up to `MAX_LANES` lanes, and, as the last, the place in the words; advanced.
    lanes : int
    odds, counts : ndarray of int64, shape (tables,)
        Odds of each run's table, and its symbols.
    bits : int
        Width of a gap at odds of 0.
    corrections : ndarray of int64, shape (n,)
        Eighths of the binary logarithm of what the first gap symbols are likelier than a geometric distribution has it.
    out : ndarray of uint8
        Receives the symbols; not all of them where the place in the words is behind the last in the end.
    """
    slots = np.empty(SLOTS, np.uint16)
    weights, frequencies = np.empty(256, np.int64), np.empty(256, np.int64)
    first = 0
    for t in range(len(odds)):
        if counts[t]:
            size = 1 << gap_bits_of(odds[t], bits)
            gap_frequencies(odds[t], corrections, weights[:size], frequencies[:size])
            fill_slots(frequencies[:size], slots)
            _run(words, states, lanes, slots, first, counts[t], out)
            first += counts[t]


@kernel
def decode_values(
    words: NDArray[np.uint8],
    states: NDArray[np.uint64],
    lanes: int,
    exponents: NDArray[np.int64],
    ranks: NDArray[np.int64],
    slopes: NDArray[np.int64],
    counts: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> None:
    """Decode the runs of weights' symbols.

    Parameters
    ----------
    words, states, lanes, out
        As for `decode_gaps`.
    exponents, ranks : ndarray of int64, shape (k,)
        Of the symbols; k > 1.
    slopes, counts : ndarray of int64, shape (tables,)
        Slope of each run's table, and its weights.
    """
    slots = np.empty(SLOTS, np.uint16)
    weights, frequencies = np.empty(len(exponents), np.int64), np.empty(len(exponents), np.int64)
    first, made = 0, -1
    for t in range(len(slopes)):
        if counts[t]:
            if made < 0 or slopes[made] != slopes[t]:
                value_frequencies(exponents, ranks, slopes[t], weights, frequencies)
                fill_slots(frequencies, slots)
                made = t
            _run(words, states, lanes, slots, first, counts[t], out)
            first += counts[t]


@inlined
def _signed(
    intervals: NDArray[np.uint32],
    plus: NDArray[np.int64],
    signs: NDArray[np.int8],
    place: np.uint64,
    up: np.uint64,
    x: np.uint64,
) -> tuple[np.uint64, np.uint64]:
    """A weight's symbol by the signs of its neighbours, and the state after it."""
    above = np.int64(signs[place - up - _ONE]) + np.int64(signs[place - up + _ONE])
    near = np.int64(signs[place - _ONE]) + np.int64(signs[place - up])
    positive = _U64(plus[_U64(SUMS - 1 + 2 * near + above)])
    slot = x & _SLOT
    negative = _U64(slot >= positive)
    signs[place] = np.int8(1) - np.int8(negative << _ONE)
    start = negative * positive
    x = (positive + negative * _TOTAL - _TWO * start) * (x >> _PRECISION) + slot - start
    interval = _U64(intervals[negative << _PRECISION | x & _SLOT])
    return interval & _BYTE, (interval >> _FREQUENCY) * (x >> _PRECISION) + (interval >> _START & _SLOT)


@inlined
def _signed_run(
    words: NDArray[np.uint8],
    states: NDArray[np.uint64],
    lanes: int,
    intervals: NDArray[np.uint32],
    plus: NDArray[np.int64],
    signs: NDArray[np.int8],
    up: np.uint64,
    places: NDArray[np.int32],
    first: int,
    count: int,
    out: NDArray[np.uint8],
) -> None:
    """Decode a run of `count` weights, of which each lane has a part of its own."""
    at, end = states[MAX_LANES], _count(words)
    part = -(-count // lanes)
    together = max(count - (lanes - 1) * part, 0)
    r = _U64(0)
    if lanes == WIDE:
        a, b, c, d, e, f = states[0], states[1], states[2], states[3], states[4], states[5]
        i, step = _U64(first), _U64(part)
        j, k, m, n, o = i + step, i + _TWO * step, i + _U64(3) * step, i + _U64(4) * step, i + _U64(5) * step
        while r < _U64(together) and at + _U64(WIDE) <= end:
            out[i + r], a = _signed(intervals, plus, signs, _U64(places[i + r]), up, a)
            out[j + r], b = _signed(intervals, plus, signs, _U64(places[j + r]), up, b)
            out[k + r], c = _signed(intervals, plus, signs, _U64(places[k + r]), up, c)
            out[m + r], d = _signed(intervals, plus, signs, _U64(places[m + r]), up, d)
            out[n + r], e = _signed(intervals, plus, signs, _U64(places[n + r]), up, e)
            out[o + r], f = _signed(intervals, plus, signs, _U64(places[o + r]), up, f)
            at, a = _refill(words, at, a)
            at, b = _refill(words, at, b)
            at, c = _refill(words, at, c)
            at, d = _refill(words, at, d)
            at, e = _refill(words, at, e)
            at, f = _refill(words, at, f)
            r += _ONE
        states[0], states[1], states[2], states[3], states[4], states[5] = a, b, c, d, e, f
    elif lanes == PAIR:
        a, b = states[0], states[1]
        i, j = _U64(first), _U64(first + part)
        while r < _U64(together) and at + _U64(PAIR) <= end:
            out[i + r], a = _signed(intervals, plus, signs, _U64(places[i + r]), up, a)
            out[j + r], b = _signed(intervals, plus, signs, _U64(places[j + r]), up, b)
            at, a = _refill(words, at, a)
            at, b = _refill(words, at, b)
            r += _ONE
        states[0], states[1] = a, b
    while r < _U64(part) and at <= end:
        for lane in range(lanes):
            n = _U64(first + lane * part) + r
            if n < _U64(first + count):
                out[n], states[lane] = _signed(intervals, plus, signs, _U64(places[n]), up, states[lane])
        for lane in range(_U64(lanes)):
            at, states[lane] = _refill_near_end(words, at, states[lane])
        r += _ONE
    states[MAX_LANES] = at


@kernel
def decode_signed(
    words: NDArray[np.uint8],
    states: NDArray[np.uint64],
    lanes: int,
    exponents: NDArray[np.int64],
    ranks: NDArray[np.int64],
    slopes: NDArray[np.int64],
    counts: NDArray[np.int64],
    positive: int,
    tilts: NDArray[np.int64],
    places: NDArray[np.int32],
    up: int,
    signs: NDArray[np.int8],
    out: NDArray[np.uint8],
) -> None:
    """Decode the runs of weights' symbols, each as a sign, by the signs of the neighbours in the kernel, and a size.

    Parameters
    ----------
    words, states, lanes, exponents, ranks, slopes, counts, out
        As for `decode_values`.
    positive : int
        Symbols below are positive, the others negative; there are two of either or more.
    tilts : ndarray of int64, shape (7,)
        Parts of `TILT` that a sign has by the sum of its neighbours, 2 (left + above) + above left + above right.
    places : ndarray of int32, shape (weights,)
        Place of each weight in `signs`: see `context_places.run_places`.
    up : int
        Places from one line of a kernel to the next.
    signs : ndarray of int8
        Zeros; more than the greatest of `places`.
    """
    intervals = np.empty(2 * TOTAL, np.uint32)
    size = len(exponents)
    weights, frequencies = np.empty(size, np.int64), np.empty(size, np.int64)
    plus = np.empty(2 * SUMS - 1, np.int64)
    first, made = 0, -1
    for t in range(len(slopes)):
        if counts[t]:
            if made < 0 or slopes[made] != slopes[t]:
                sign_frequencies(exponents, ranks, slopes[t], positive, tilts, plus)
                for begin, end in ((0, positive), (positive, size)):
                    of_sign = frequencies[begin:end]
                    value_frequencies(exponents[begin:end], ranks[begin:end], slopes[t], weights[begin:end], of_sign)
                    half = TOTAL * np.int64(begin > 0)
                    fill_intervals(of_sign, begin, intervals[half : half + TOTAL])
                made = t
            _signed_run(words, states, lanes, intervals, plus, signs, _U64(up), places, first, counts[t], out)
            first += counts[t]
