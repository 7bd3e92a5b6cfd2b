"""Huffman decoding: bytes to symbols, several chunks at a time and up to two symbols a look-up.

A look-up waits for the one before it in the same stream. Streams do not wait for each other, so four are decoded in
turn and the processor overlaps them; a stream that ends makes room for the next one. Gaps and symbols of a tensor are
decoded together, so that even those of one chunk are two streams. Each 64-bit window serves four look-ups (4 x 12 <=
57 bits).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..constants import MAX_CODE_LENGTH
from ..jit import inlined, lean_kernel
from .huffman import COUNT_SHIFT, FIRST_SHIFT, LENGTH_SHIFT

SLOTS = 4
"""Streams that are decoded by turns."""
_BIT, _AT, _END, _STREAM = range(4)
"""What a slot knows of its stream: next bit, place of the next symbol, and of the end, in `out`; its number."""
_ROUND_BITS, _ROUND_SYMBOLS = 4 * MAX_CODE_LENGTH, 8
"""The most that four look-ups take and give."""

_U64 = np.uint64  # unsigned indices: numba then adds no test for negative ones
_TABLE_BITS, _TOP = _U64(MAX_CODE_LENGTH), _U64(64 - MAX_CODE_LENGTH)
_BYTE, _SIX_BITS, _FOUR_BITS = _U64(255), _U64(63), _U64(15)
_LENGTH, _FIRST, _COUNT = _U64(LENGTH_SHIFT), _U64(FIRST_SHIFT), _U64(COUNT_SHIFT)


@inlined
def _window(data: NDArray[np.uint8], bit: np.uint64) -> np.uint64:
    """Bits from `bit` on, in the top of 64: at least 57 of them."""
    byte = bit >> _U64(3)
    word = (
        _U64(data[byte]) << _U64(56)
        | _U64(data[byte + _U64(1)]) << _U64(48)
        | _U64(data[byte + _U64(2)]) << _U64(40)
        | _U64(data[byte + _U64(3)]) << _U64(32)
        | _U64(data[byte + _U64(4)]) << _U64(24)
        | _U64(data[byte + _U64(5)]) << _U64(16)
        | _U64(data[byte + _U64(6)]) << _U64(8)
        | _U64(data[byte + _U64(7)])
    )
    return word << (bit & _U64(7))


@inlined
def _last_window(data: NDArray[np.uint8], bit: np.int64) -> np.uint64:
    """`_window` near the end of the data: zeros follow."""
    word = _U64(0)
    for i in range(8):
        byte = (bit >> 3) + i
        word = word << _U64(8) | _U64(data[byte] if byte < len(data) else 0)
    return word << _U64(bit & 7)


@inlined
def _look_up_four(
    data: NDArray[np.uint8],
    bit: np.uint64,
    tables: NDArray[np.uint32],
    base: np.uint64,
    out: NDArray[np.uint8],
    at: np.uint64,
) -> tuple[np.uint64, np.uint64]:
    """Decode four to eight symbols; returns the bit after them and the place after them."""
    window = _window(data, bit)
    used = _U64(0)
    for _ in range(4):
        entry = _U64(tables[base + (window >> _TOP)])
        out[at] = entry & _BYTE
        out[at + _U64(1)] = entry >> _U64(8) & _BYTE  # where there is none, the next symbol takes its place
        window = window << (entry >> _LENGTH & _SIX_BITS)
        used += entry >> _LENGTH
        at += entry >> _COUNT
    return bit + (used & _SIX_BITS), at


@inlined
def _take(slots: NDArray[np.int64], k: int, stream: int, starts: NDArray[np.int64], limits: NDArray[np.int64]) -> None:
    slots[_BIT, k], slots[_STREAM, k] = starts[stream] * 8, stream
    slots[_AT, k], slots[_END, k] = limits[stream], limits[stream + 1]


@lean_kernel
def decode_slots(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    limits: NDArray[np.int64],
    tables: NDArray[np.uint32],
    codes: NDArray[np.int64],
    out: NDArray[np.uint8],
    slots: NDArray[np.int64],
) -> int:
    """`decode_streams`, with the place of each stream in `out` and scratch for the slots, shape (4, 4)."""
    streams = len(codes)
    last_bit = (len(data) - 8) * 8
    for k in range(SLOTS):
        _take(slots, k, min(k, streams - 1), starts, limits)  # a stream in two slots is decoded twice
    waiting = min(SLOTS, streams)
    while True:
        rounds = last_bit
        for k in range(SLOTS):
            rounds = min(rounds, (slots[_END, k] - slots[_AT, k]) // _ROUND_SYMBOLS)
            rounds = min(rounds, (last_bit - slots[_BIT, k]) // _ROUND_BITS)
        if rounds > 0:
            b0, b1, b2, b3 = _U64(slots[_BIT, 0]), _U64(slots[_BIT, 1]), _U64(slots[_BIT, 2]), _U64(slots[_BIT, 3])
            a0, a1, a2, a3 = _U64(slots[_AT, 0]), _U64(slots[_AT, 1]), _U64(slots[_AT, 2]), _U64(slots[_AT, 3])
            c0 = _U64(codes[slots[_STREAM, 0]]) << _TABLE_BITS
            c1 = _U64(codes[slots[_STREAM, 1]]) << _TABLE_BITS
            c2 = _U64(codes[slots[_STREAM, 2]]) << _TABLE_BITS
            c3 = _U64(codes[slots[_STREAM, 3]]) << _TABLE_BITS
            for _ in range(rounds):
                b0, a0 = _look_up_four(data, b0, tables, c0, out, a0)
                b1, a1 = _look_up_four(data, b1, tables, c1, out, a1)
                b2, a2 = _look_up_four(data, b2, tables, c2, out, a2)
                b3, a3 = _look_up_four(data, b3, tables, c3, out, a3)
            slots[_BIT, 0], slots[_BIT, 1], slots[_BIT, 2], slots[_BIT, 3] = b0, b1, b2, b3
            slots[_AT, 0], slots[_AT, 1], slots[_AT, 2], slots[_AT, 3] = a0, a1, a2, a3
            continue
        busy = -1
        for k in range(SLOTS):
            bit, stream = slots[_BIT, k], slots[_STREAM, k]
            if slots[_END, k] - slots[_AT, k] >= _ROUND_SYMBOLS and last_bit - bit >= _ROUND_BITS:
                busy = k
                continue
            base = _U64(codes[stream]) << _TABLE_BITS
            for i in range(slots[_AT, k], slots[_END, k]):
                entry = _U64(tables[base + (_last_window(data, bit) >> _TOP)])
                out[i] = entry & _BYTE
                bit += np.int64(entry >> _FIRST & _FOUR_BITS)
            if (bit + 7) >> 3 != starts[stream + 1]:
                return stream  # type: ignore[no-any-return]
            slots[_STREAM, k] = -1
            if waiting < streams:
                _take(slots, k, waiting, starts, limits)
                waiting += 1
                busy = k
        if busy < 0:
            return -1
        for k in range(SLOTS):
            if slots[_STREAM, k] < 0:
                for what in range(4):
                    slots[what, k] = slots[what, busy]


def decode_streams(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    tables: NDArray[np.uint32],
    codes: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> int:
    """Decode Huffman streams that lie one behind the other in memory.

    Parameters
    ----------
    data : ndarray of uint8
        The streams; more may follow.
    starts : ndarray of int64, shape (n + 1,)
        Offset of each stream in `data`, and of the end of the last; n >= 1.
    counts : ndarray of int64, shape (n,)
        Symbols in each stream.
    tables : ndarray of uint32, shape (number of codes * 4096,)
        See `huffman.decoding_table`.
    codes : ndarray of int64, shape (n,)
        Which table each stream is decoded with.
    out : ndarray of uint8, shape (counts.sum(),)
        Receives the symbols.

    Returns
    -------
    int
        -1, or a stream that does not end where it should.
    """
    limits = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=limits[1:])
    slots = np.empty((4, SLOTS), dtype=np.int64)
    return int(decode_slots(data, starts, limits, tables, codes, out, slots))
