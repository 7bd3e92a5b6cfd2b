"""Huffman decoding: bytes to symbols, several chunks at a time.

A look-up waits for the one before it in the same stream. Chunks do not wait for each other, so four are decoded
together and the processor overlaps them. Each 64-bit window serves four look-ups (4 x 12 <= 57 bits).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .constants import MAX_CODE_LENGTH
from .jit import inlined, kernel

_SHIFT = np.uint64(64 - MAX_CODE_LENGTH)
PADDING = 8
"""Bytes that must follow the last stream in `data`; their values do not matter."""


@inlined
def _window(data: NDArray[np.uint8], bit: int, last: int) -> np.uint64:
    """Bits from `bit` on, in the top of 64: at least 57 of them. No byte beyond ``data[last + 7]`` is read."""
    byte = np.uint64(min(bit >> 3, last))  # unsigned: numba then adds no test for negative indices
    word = (
        np.uint64(data[byte]) << np.uint64(56)
        | np.uint64(data[byte + np.uint64(1)]) << np.uint64(48)
        | np.uint64(data[byte + np.uint64(2)]) << np.uint64(40)
        | np.uint64(data[byte + np.uint64(3)]) << np.uint64(32)
        | np.uint64(data[byte + np.uint64(4)]) << np.uint64(24)
        | np.uint64(data[byte + np.uint64(5)]) << np.uint64(16)
        | np.uint64(data[byte + np.uint64(6)]) << np.uint64(8)
        | np.uint64(data[byte + np.uint64(7)])
    )
    return word << np.uint64(bit & 7)


@kernel
def _decode_one(
    data: NDArray[np.uint8], bit: int, last: int, table: NDArray[np.uint16], out: NDArray[np.uint8], at: int, count: int
) -> int:
    """Decode `count` symbols of one stream into ``out[at:]``; returns the bit after them."""
    for i in range(at, at + count):
        entry = table[_window(data, bit, last) >> _SHIFT]
        out[i] = entry & np.uint16(255)
        bit = bit + np.int64(entry >> np.uint16(8))  # type: ignore[assignment]
    return bit


@kernel
def decode_streams(
    data: NDArray[np.uint8],
    starts: NDArray[np.int64],
    counts: NDArray[np.int64],
    table: NDArray[np.uint16],
    out: NDArray[np.uint8],
) -> int:
    """Decode Huffman streams that lie one behind the other in memory.

    Parameters
    ----------
    data : ndarray of uint8
        The streams, then `PADDING` more bytes.
    starts : ndarray of int64, shape (n + 1,)
        Offset of each stream in `data`, and of the end of the last.
    counts : ndarray of int64, shape (n,)
        Symbols in each stream.
    table : ndarray of uint16, shape (4096,)
        See `huffman.decoding_table`.
    out : ndarray of uint8, shape (counts.sum(),)
        Receives the symbols.

    Returns
    -------
    int
        -1, or the first stream that does not end where it should.
    """
    n = len(counts)
    last = len(data) - 8
    at = np.zeros(n, dtype=np.int64)
    for i in range(1, n):
        at[i] = at[i - 1] + counts[i - 1]
    bits = starts[:n] * 8
    low = np.uint16(255)
    eight = np.uint16(8)
    for g in range(0, n - 3, 4):
        b0, b1, b2, b3 = bits[g], bits[g + 1], bits[g + 2], bits[g + 3]
        o0, o1, o2, o3 = np.uint64(at[g]), np.uint64(at[g + 1]), np.uint64(at[g + 2]), np.uint64(at[g + 3])
        rounds = min(counts[g], counts[g + 1], counts[g + 2], counts[g + 3]) // 4
        for r in range(rounds):
            w0, w1, w2, w3 = (
                _window(data, b0, last),
                _window(data, b1, last),
                _window(data, b2, last),
                _window(data, b3, last),
            )
            base = np.uint64(r * 4)
            for j in range(4):
                i = base + np.uint64(j)  # type: ignore[assignment]
                e0, e1, e2, e3 = table[w0 >> _SHIFT], table[w1 >> _SHIFT], table[w2 >> _SHIFT], table[w3 >> _SHIFT]
                out[o0 + i], out[o1 + i], out[o2 + i], out[o3 + i] = e0 & low, e1 & low, e2 & low, e3 & low
                l0, l1, l2, l3 = e0 >> eight, e1 >> eight, e2 >> eight, e3 >> eight
                w0, w1, w2, w3 = w0 << np.uint64(l0), w1 << np.uint64(l1), w2 << np.uint64(l2), w3 << np.uint64(l3)
                b0, b1, b2, b3 = b0 + np.int64(l0), b1 + np.int64(l1), b2 + np.int64(l2), b3 + np.int64(l3)
        bits[g], bits[g + 1], bits[g + 2], bits[g + 3] = b0, b1, b2, b3
        for k in range(g, g + 4):
            at[k] += rounds * 4
            counts_left = counts[k] - rounds * 4
            bits[k] = _decode_one(data, bits[k], last, table, out, at[k], counts_left)
    for k in range(n // 4 * 4, n):
        bits[k] = _decode_one(data, bits[k], last, table, out, at[k], counts[k])
    for k in range(n):
        if (bits[k] + 7) >> 3 != starts[k + 1]:
            return k
    return -1
