"""Elements from an upper part, which was coded, and a sign and a lower part, which are plain bits.

Bits go from the most significant one of each byte to the least.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..jit import inlined, kernel

_BYTE = 8
Bits = tuple[int, int, int]
"""Next byte, bits that were read and not taken, and their number."""


@inlined
def _take(data: NDArray[np.uint8], bits: Bits, width: int) -> tuple[int, Bits]:
    """A number of some width, up to 32 bits."""
    at, held, count = bits
    while count < width:
        held = held << _BYTE | np.int64(data[at])  # type: ignore[assignment]
        at += 1
        count += _BYTE
    count -= width
    return held >> count, (at, held & (np.int64(1) << count) - 1, count)  # type: ignore[return-value]


@inlined
def _is_end(data: NDArray[np.uint8], bits: Bits) -> bool:
    """Whether all bytes were read, and bits of the last one that were not taken are zero."""
    at, held, count = bits
    return at == len(data) and held == 0 and count < _BYTE


@kernel
def join_integers(data: NDArray[np.uint8], signed: bool, width: int, upper: NDArray[np.int64]) -> bool:
    """Upper parts become the integers; False where bits behind the last one are not zero.

    Parameters
    ----------
    data : ndarray of uint8
        For each element a bit for the sign, if there are signs, and the lower part.
    signed : bool
    width : int
        Bits of each lower part.
    upper : ndarray of int64, shape (n,)
    """
    bits, sign = (0, np.int64(0), 0), np.int64(0)
    for i in range(len(upper)):
        if signed:
            sign, bits = _take(data, bits, 1)
        lower, bits = _take(data, bits, width)
        magnitude = upper[i] << width | lower
        upper[i] = -magnitude if sign else magnitude
    return _is_end(data, bits)  # type: ignore[no-any-return]


@kernel
def join_grid(
    data: NDArray[np.uint8], signed: bool, width: int, upper: NDArray[np.int64], scale: float, out: NDArray[np.float32]
) -> bool:
    """Levels times a scale, rounded once, to `out`; the other parameters are those of `join_integers`."""
    bits, sign = (0, np.int64(0), 0), np.int64(0)
    for i in range(len(upper)):
        if signed:
            sign, bits = _take(data, bits, 1)
        lower, bits = _take(data, bits, width)
        magnitude = np.float64(upper[i] << width | lower) * scale
        out[i] = -magnitude if sign else magnitude
    return _is_end(data, bits)  # type: ignore[no-any-return]


@kernel
def join_floats(
    data: NDArray[np.uint8],
    signed: bool,
    width: int,
    upper: NDArray[np.int64],
    largest: int,
    exponent: int,
    mantissa: int,
) -> bool:
    """Upper parts, what an exponent is less than the largest, become bit patterns of floats.

    Parameters
    ----------
    data, signed, width, upper
        As for `join_integers`; a lower part is the upper bits of a mantissa.
    largest : int
        Largest exponent.
    exponent, mantissa : int
        Their widths in bits.
    """
    bits, sign = (0, np.int64(0), 0), np.int64(0)
    for i in range(len(upper)):
        if signed:
            sign, bits = _take(data, bits, 1)
        lower, bits = _take(data, bits, width)
        upper[i] = (sign << exponent | largest - upper[i]) << mantissa | lower << mantissa - width
    return _is_end(data, bits)  # type: ignore[no-any-return]
