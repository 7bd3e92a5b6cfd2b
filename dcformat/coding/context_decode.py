"""Range decoding with contexts: streams to gap symbols and to weights' symbols, four streams interleaved.

A symbol waits for the division of the one before it in the same stream. Streams do not wait for each other, so those
of four chunks are decoded in turn. Whatever the bytes are, nothing outside the arrays is read or written.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..jit import inlined, kernel
from .rans import FREQUENCY_SHIFT, PRECISION, START_SHIFT, STATE_BYTES, TOTAL, WORD_BITS, WORD_BYTES

LANES = 4
"""Streams that are decoded in turn."""

_U64 = np.uint64  # unsigned indices: numba then adds no test for negative ones
_PRECISION, _SLOT = _U64(PRECISION), _U64(TOTAL - 1)
_START, _FREQUENCY, _BYTE = _U64(START_SHIFT), _U64(FREQUENCY_SHIFT), _U64(255)
_EIGHT, _ZERO, _ONE, _FOUR = _U64(8), _U64(0), _U64(1), _U64(4)
_LEAST, _STEP = _U64(1 << WORD_BITS), _U64(WORD_BYTES)
_STATE = _U64(STATE_BYTES)

State: TypeAlias = tuple[np.uint64, np.uint64, np.uint64]
"""Place in the data, last place at which a word begins, and state of a stream."""
Walk: TypeAlias = tuple[np.uint64, np.uint64, np.uint64, np.uint64]
"""Where a stream of gaps is: row, place of its first column among the classes, end of it, place of the next column."""


@kernel
def open_streams(data: NDArray[np.uint8], starts: NDArray[np.int64], states: NDArray[np.uint64]) -> None:
    """Begin to decode streams.

    Parameters
    ----------
    data : ndarray of uint8
    starts : ndarray of int64, shape (chunks + 1,)
        Offset of each stream in `data`, and of the end of the last; each has four bytes or more.
    states : ndarray of uint64, shape (chunks, 3)
        Receives the place, the last place at which a word begins, and the state of each.
    """
    for chunk in range(len(starts) - 1):
        at, state = _U64(starts[chunk]), _ZERO
        for i in range(_STATE):
            state = state << _EIGHT | _U64(data[at + i])
        states[chunk, 0], states[chunk, 1], states[chunk, 2] = at + _STATE, _U64(starts[chunk + 1]) - _STEP, state


@inlined
def _resume(states: NDArray[np.uint64], chunk: int) -> State:
    c = _U64(min(chunk, len(states) - 1))
    return states[c, _U64(0)], states[c, _U64(1)], states[c, _U64(2)]


@inlined
def _pause(states: NDArray[np.uint64], chunk: int, state: State) -> None:
    states[chunk, 0], states[chunk, 1], states[chunk, 2] = state


@inlined
def _symbol(
    data: NDArray[np.uint8], slots: NDArray[np.uint32], table: np.uint64, state: State
) -> tuple[np.uint64, State]:
    at, last, x = state
    slot = x & _SLOT
    interval = _U64(slots[table << _PRECISION | slot])
    x = ((interval >> _FREQUENCY & _SLOT) + _ONE) * (x >> _PRECISION) + slot - (interval >> _START)
    # Whether a word comes in is a matter of chance: no branch, which would be foretold wrongly.
    place = min(at, last)
    short = _U64((x < _LEAST) & (at <= last))
    x = x << (short << _FOUR) | (_U64(data[place]) << _EIGHT | _U64(data[place + _ONE])) * short
    return interval & _BYTE, (at + (short << _ONE), last, x)


@inlined
def _together(limits: NDArray[np.int64], first: int) -> int:
    """Symbols that each of the four chunks from `first` on has; 0 where there are not four."""
    if first + LANES > len(limits) - 1:
        return 0
    least = limits[first + 1] - limits[first]
    for chunk in range(first + 1, first + LANES):
        least = min(least, limits[chunk + 1] - limits[chunk])
    return least  # type: ignore[no-any-return]


@kernel
def decode_plain(
    data: NDArray[np.uint8],
    states: NDArray[np.uint64],
    limits: NDArray[np.int64],
    slots: NDArray[np.uint32],
    out: NDArray[np.uint8],
) -> None:
    """Decode symbols that have one table.

    Parameters
    ----------
    data : ndarray of uint8
    states : ndarray of uint64, shape (chunks, 3)
        See `open_streams`; advanced.
    limits : ndarray of int64, shape (chunks + 1,)
        Place of each chunk's first symbol in `out`, and of the end of the last.
    slots : ndarray of uint32, shape (4096,)
        See `frequencies.slots_of`.
    out : ndarray of uint8
    """
    chunks = len(states)
    for first in range(0, chunks, LANES):
        common = _together(limits, first)
        a, b = _resume(states, first), _resume(states, first + 1)
        c, d = _resume(states, first + 2), _resume(states, first + 3)
        if common:
            i, j = _U64(limits[first]), _U64(limits[first + 1])
            k, m = _U64(limits[first + 2]), _U64(limits[first + 3])
            for n in range(_U64(common)):
                out[i + n], a = _symbol(data, slots, _ZERO, a)
                out[j + n], b = _symbol(data, slots, _ZERO, b)
                out[k + n], c = _symbol(data, slots, _ZERO, c)
                out[m + n], d = _symbol(data, slots, _ZERO, d)
        for chunk in range(first, min(first + LANES, chunks)):
            for n in range(_U64(limits[chunk] + common), _U64(limits[chunk + 1])):
                out[n], a = _symbol(data, slots, _ZERO, a)
            _pause(states, chunk, a)
            a, b, c = b, c, d


@inlined
def _gap(
    data: NDArray[np.uint8],
    slots: NDArray[np.uint32],
    row_classes: NDArray[np.uint8],
    column_classes: NDArray[np.uint8],
    width: np.uint64,
    escape: np.uint64,
    state: State,
    walk: Walk,
) -> tuple[np.uint64, State, Walk]:
    """A gap symbol, with the table of the classes of the place at which the gap begins."""
    row, begin, end, at = walk
    table = _U64(row_classes[row]) + _U64(column_classes[at])
    symbol, state = _symbol(data, slots, table, state)
    at += symbol + _U64(symbol != escape)
    while at >= end:
        row = min(row + _ONE, _U64(len(row_classes) - 1))
        begin = end if end < _U64(len(column_classes)) else _ZERO
        at = begin + (at - end)
        end = begin + width
    return symbol, state, (row, begin, end, at)


@kernel
def decode_gaps(
    data: NDArray[np.uint8],
    states: NDArray[np.uint64],
    limits: NDArray[np.int64],
    slots: NDArray[np.uint32],
    row_classes: NDArray[np.uint8],
    column_classes: NDArray[np.uint8],
    width: int,
    rows: NDArray[np.int64],
    escape: int,
    out: NDArray[np.uint8],
) -> None:
    """Decode gap symbols, whose tables follow from where they stand.

    Parameters
    ----------
    data, states, limits, out
        As for `decode_plain`.
    slots : ndarray of uint32, shape (4096 * tables,)
        A table for each sum of a row's and a column's class.
    row_classes : ndarray of uint8, shape (rows,)
    column_classes : ndarray of uint8, shape (n * width,)
        Row i has columns ``i % n * width`` to ``(i % n + 1) * width``, in the order in which they are coded.
    width : int
        Columns of a row.
    rows : ndarray of int64, shape (chunks,)
        First row of each chunk, a multiple of n.
    escape : int
        The symbol that stores no weight.
    """
    chunks = len(states)
    wide, none = _U64(width), _U64(escape)
    for first in range(0, chunks, LANES):
        common = _together(limits, first)
        a, b = _resume(states, first), _resume(states, first + 1)
        c, d = _resume(states, first + 2), _resume(states, first + 3)
        e = (_U64(rows[first]), _ZERO, wide, _ZERO)
        f = (_U64(rows[min(first + 1, chunks - 1)]), _ZERO, wide, _ZERO)
        g = (_U64(rows[min(first + 2, chunks - 1)]), _ZERO, wide, _ZERO)
        h = (_U64(rows[min(first + 3, chunks - 1)]), _ZERO, wide, _ZERO)
        if common:
            i, j = _U64(limits[first]), _U64(limits[first + 1])
            k, m = _U64(limits[first + 2]), _U64(limits[first + 3])
            for n in range(_U64(common)):
                out[i + n], a, e = _gap(data, slots, row_classes, column_classes, wide, none, a, e)
                out[j + n], b, f = _gap(data, slots, row_classes, column_classes, wide, none, b, f)
                out[k + n], c, g = _gap(data, slots, row_classes, column_classes, wide, none, c, g)
                out[m + n], d, h = _gap(data, slots, row_classes, column_classes, wide, none, d, h)
        for chunk in range(first, min(first + LANES, chunks)):
            for n in range(_U64(limits[chunk] + common), _U64(limits[chunk + 1])):
                out[n], a, e = _gap(data, slots, row_classes, column_classes, wide, none, a, e)
            _pause(states, chunk, a)
            a, b, c = b, c, d
            e, f, g = f, g, h


@inlined
def _value(
    data: NDArray[np.uint8],
    slots: NDArray[np.uint32],
    signs: NDArray[np.int8],
    place: np.uint64,
    up: np.uint64,
    positive: np.uint64,
    state: State,
) -> tuple[np.uint64, State]:
    """A weight's symbol, with the table of its neighbours' signs."""
    above = np.int64(signs[place - up - _ONE]) + np.int64(signs[place - up + _ONE])
    near = np.int64(signs[place - _ONE]) + np.int64(signs[place - up])
    symbol, state = _symbol(data, slots, _U64(6 + 2 * near + above), state)
    signs[place] = 1 if symbol < positive else -1
    return symbol, state


@kernel
def decode_values(
    data: NDArray[np.uint8],
    states: NDArray[np.uint64],
    limits: NDArray[np.int64],
    slots: NDArray[np.uint32],
    places: NDArray[np.int32],
    up: int,
    positive: int,
    signs: NDArray[np.int8],
    out: NDArray[np.uint8],
) -> None:
    """Decode weights' symbols, whose tables follow from the signs of their neighbours in the kernel.

    Parameters
    ----------
    data, states, limits, out
        As for `decode_plain`.
    slots : ndarray of uint32, shape (4096 * 13,)
        A table for each sum 2 (left + above) + above left + above right, from -6 to 6.
    places : ndarray of int32, shape (weights,)
        Place of each weight in its chunk's signs: see `context_places.padded_places`.
    up : int
        Places from one line of a kernel to the next.
    positive : int
        Symbols below are positive, the others negative.
    signs : ndarray of int8, shape (4, n)
        Zeros; more than the greatest of `places`.
    """
    chunks = len(states)
    line, above = _U64(up), _U64(positive)
    for first in range(0, chunks, LANES):
        common = _together(limits, first)
        a, b = _resume(states, first), _resume(states, first + 1)
        c, d = _resume(states, first + 2), _resume(states, first + 3)
        if common:
            i, j = _U64(limits[first]), _U64(limits[first + 1])
            k, m = _U64(limits[first + 2]), _U64(limits[first + 3])
            for n in range(_U64(common)):
                out[i + n], a = _value(data, slots, signs[0], _U64(places[i + n]), line, above, a)
                out[j + n], b = _value(data, slots, signs[1], _U64(places[j + n]), line, above, b)
                out[k + n], c = _value(data, slots, signs[2], _U64(places[k + n]), line, above, c)
                out[m + n], d = _value(data, slots, signs[3], _U64(places[m + n]), line, above, d)
        for chunk in range(first, min(first + LANES, chunks)):
            lane = signs[chunk - first]
            for n in range(_U64(limits[chunk] + common), _U64(limits[chunk + 1])):
                out[n], a = _value(data, slots, lane, _U64(places[n]), line, above, a)
            for n in range(_U64(limits[chunk]), _U64(limits[chunk + 1])):
                lane[_U64(places[n])] = 0
            _pause(states, chunk, a)
            a, b, c = b, c, d
