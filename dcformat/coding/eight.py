"""Eight bytes at a time, as the digits of a number."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..jit import inlined

_U64 = np.uint64
EACH_BYTE = _U64(0x0101010101010101)
"""A byte times this is eight of it."""
LOW_BYTES = _U64(0x00FF00FF00FF00FF)
"""Every other byte, as a word of 16 bits."""
_LOW_BITS, _TOP_BITS = _U64(0x7F7F7F7F7F7F7F7F), _U64(0x8080808080808080)


@inlined
def eight_at(data: NDArray[np.uint8], at: int) -> np.uint64:
    """Eight bytes from a place on, the first one lowest."""
    first = _U64(at)
    return (
        _U64(data[first])
        | _U64(data[first + _U64(1)]) << _U64(8)
        | _U64(data[first + _U64(2)]) << _U64(16)
        | _U64(data[first + _U64(3)]) << _U64(24)
        | _U64(data[first + _U64(4)]) << _U64(32)
        | _U64(data[first + _U64(5)]) << _U64(40)
        | _U64(data[first + _U64(6)]) << _U64(48)
        | _U64(data[first + _U64(7)]) << _U64(56)
    )


@inlined
def all_differ(word: np.uint64, other: np.uint64) -> bool:
    """Whether each of eight bytes differs from that of the other number at its place."""
    differ = word ^ other
    return ((differ & _LOW_BITS) + _LOW_BITS | differ) & _TOP_BITS == _TOP_BITS  # type: ignore[no-any-return]


@inlined
def sum_of_eight(word: np.uint64) -> np.int64:
    """Sum of eight bytes."""
    sums = (word & LOW_BYTES) + (word >> _U64(8) & LOW_BYTES)
    sums += sums << _U64(16)
    sums += sums << _U64(32)
    return np.int64(sums >> _U64(48))
