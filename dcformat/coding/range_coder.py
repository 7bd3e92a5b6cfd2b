"""Range coder: symbols as intervals of a range, after G. N. N. Martin, "Range encoding" (1979).

The coder keeps a range of up to `STATE_BITS` bits. A symbol takes the part of it that its frequencies say, in units of
``range >> PRECISION``. Whenever the range falls below `LEAST_RANGE`, the two upper bytes are settled and leave it. A
carry runs back through the bytes written. All arithmetic is on integers, so that every machine gives the same bytes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..jit import inlined

PRECISION = 12
"""Frequencies of an alphabet add up to ``1 << PRECISION``."""
TOTAL = 1 << PRECISION
STATE_BITS, WORD_BITS = 40, 16
STATE_BYTES, WORD_BYTES = STATE_BITS // 8, WORD_BITS // 8
FULL_RANGE = (1 << STATE_BITS) - 1
LEAST_RANGE = 1 << STATE_BITS - WORD_BITS

_U64 = np.uint64


@inlined
def settle(data: NDArray[np.uint8], at: int, extent: int, code: int, last: int) -> tuple[int, int, int]:
    """Shift a word in where the range is short: place, range and code. Never reads behind ``data[last + 1]``."""
    if extent < LEAST_RANGE:
        extent <<= WORD_BITS
        place = _U64(min(at, last))
        code = code << WORD_BITS | np.int64(data[place]) << 8 | np.int64(data[place + _U64(1)])  # type: ignore[assignment]
        at += WORD_BYTES
    return at, extent, code


@inlined
def carry(out: NDArray[np.uint8], at: int) -> None:
    """Add one to the bytes before a place."""
    at -= 1
    while out[at] == 255:
        out[at] = 0
        at -= 1
    out[at] += np.uint8(1)


@inlined
def put(out: NDArray[np.uint8], at: int, low: int, extent: int, start: int, frequency: int) -> tuple[int, int, int]:
    """Narrow the range to an interval; the place, the low end and the range after it."""
    unit = extent >> PRECISION
    low += unit * start
    extent = unit * frequency
    if low > FULL_RANGE:
        carry(out, at)
        low &= FULL_RANGE
    if extent < LEAST_RANGE:
        out[at] = low >> STATE_BITS - 8
        out[at + 1] = low >> STATE_BITS - 16 & 255
        at += WORD_BYTES
        low = low << WORD_BITS & FULL_RANGE
        extent <<= WORD_BITS
    return at, low, extent


@inlined
def finish(out: NDArray[np.uint8], at: int, low: int, extent: int) -> int:
    """Write the fewest bytes after which any others may follow; the place after them."""
    for count in range(STATE_BYTES + 1):
        free = (1 << STATE_BITS - 8 * count) - 1
        value = (low + free) & ~free
        if value + free < low + extent:
            if value > FULL_RANGE:
                carry(out, at)
                value &= FULL_RANGE
            for i in range(count):
                out[at + i] = value >> STATE_BITS - 8 * (i + 1) & 255
            return at + count
    return at  # not reached: all bytes of the low end always do


def ends_well(start: int, end: int, at: int) -> bool:
    """Whether a decoder that has arrived at a place has read the stream between `start` and `end`, and no more.

    It holds `STATE_BYTES` bytes, of which the coder wrote as many as it needed.
    """
    return end <= at <= end + STATE_BYTES and at >= start + STATE_BYTES
