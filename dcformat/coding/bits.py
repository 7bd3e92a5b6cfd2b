"""Small numbers in bytes and bits: varints, and lists of numbers in exponential Golomb code.

The side information of a tensor (codebook, code lengths, chunk table) is made of these two. Bits are written from the
most significant bit of each byte on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError, TruncatedError
from ..jit import kernel

Bytes: TypeAlias = bytes | memoryview
"""What is read from a container; a view where the whole of it is in memory."""
ORDER_BITS = 5
"""Bits in which the order of a list of numbers is written."""


def write_varint(out: bytearray, value: int) -> None:
    """Append an unsigned integer, seven bits a byte, lowest first; the top bit says that more follow (LEB128)."""
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)


def read_varint(data: Bytes, offset: int, limit: int, what: str) -> tuple[int, int]:
    """Read a varint.

    Returns
    -------
    value, offset : int
        The number and the offset after it.

    Raises
    ------
    FormatError
        It ends too late, is not in its shortest form, or passes `limit`.
    """
    value = shift = 0
    for position in range(offset, min(offset + 9, len(data))):
        byte = data[position]
        value |= (byte & 127) << shift
        if byte < 128:
            if byte == 0 and shift:
                raise FormatError(f"{what}: number is not in its shortest form", where=f"byte {position}")
            if value > limit:
                raise FormatError(f"{what} is out of range", expected=f"at most {limit}", found=value)
            return value, position + 1
        shift += 7
    if len(data) < offset + 9:
        raise TruncatedError(f"{what}: data ends in a number", where=f"byte {offset}")
    raise FormatError(f"{what}: number is too long", where=f"byte {offset}")


@kernel
def _read_varints(data: NDArray[np.uint8], offset: int, out: NDArray[np.int64]) -> int:
    """Fill `out` from `offset` on; returns the offset after the last number, or -1 for one that is not well formed."""
    for i in range(len(out)):
        value, shift = np.int64(0), 0
        while True:
            if offset >= len(data) or shift > 56:
                return -1
            byte = np.int64(data[offset])
            offset += 1
            value |= (byte & 127) << shift
            if byte < 128:
                break
            shift += 7
        if byte == 0 and shift > 0:
            return -1
        out[i] = value
    return offset


def read_varints(
    data: Bytes, offset: int, count: int, limits: Mapping[str, int], what: str
) -> tuple[NDArray[np.int64], int]:
    """Read `count` varints of each name, by turns.

    Parameters
    ----------
    limits : mapping of str to int
        The greatest number of each name.

    Returns
    -------
    values : ndarray of int64, shape (count, names)
    offset : int

    Raises
    ------
    FormatError
        As `read_varint`.
    """
    values = np.empty((count, len(limits)), dtype=np.int64)
    end = int(_read_varints(np.frombuffer(data, np.uint8), offset, values.reshape(-1)))
    if end >= 0 and (values <= list(limits.values())).all():
        return values, end
    for name, limit in [*limits.items()] * count:  # once more, for the message
        _, offset = read_varint(data, offset, limit, f"{what}: {name}")
    raise AssertionError("one of two readers is wrong")


def bits_by_order(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bits that `BitWriter.numbers` takes at each order, the order itself included: ndarray of shape (orders,)."""
    orders = np.arange(1 << ORDER_BITS)
    digits = np.frexp((values >> orders[:, None]) + 1)[1].astype(np.int64)
    bits: NDArray[np.int64] = ORDER_BITS + (2 * digits - 1).sum(axis=1) + orders * len(values)
    return bits


class BitWriter:
    """Writes codes and numbers one behind the other: the other direction of `BitReader`.

    Attributes
    ----------
    bits : bitarray
        Everything written.
    """

    def __init__(self) -> None:
        from bitarray import bitarray  # here, since reading a container does without

        self.bits = bitarray()

    def number(self, value: int, width: int) -> None:
        """Append a number in `width` bits."""
        self.bits.extend(f"{value:0{width}b}")

    def numbers(self, values: Sequence[int] | NDArray[np.int64]) -> None:
        """Append non-negative numbers < 2**32 in exponential Golomb code, at the order that takes the fewest bits.

        The order k comes first, in `ORDER_BITS` bits. A number n is then ``m = (n >> k) + 1`` in Elias gamma code (as
        many zeros as m has bits after its first one, then m) followed by the k low bits of n.
        """
        array = np.asarray(values, dtype=np.int64)
        order = int(bits_by_order(array).argmin())
        together = (array + (1 << order)).tolist()  # m and the low bits, read as one number
        codes = (f"{value:0{2 * value.bit_length() - 1 - order}b}" for value in together)
        self.bits.extend(f"{order:0{ORDER_BITS}b}" + "".join(codes))

    def tobytes(self) -> bytes:
        """Everything written, in whole bytes; the last one is filled up with zero bits."""
        return self.bits.tobytes()


@kernel
def _read_numbers(data: NDArray[np.uint8], bit: int, out: NDArray[np.int64]) -> int:
    """Fill `out` from the order at `bit` on; returns the bit after the last number, or -1 for data without them."""
    end, order = len(data) * 8, np.int64(0)
    if bit + ORDER_BITS > end:
        return -1
    for _ in range(ORDER_BITS):
        order = order << 1 | np.int64((data[bit >> 3] >> (7 - (bit & 7))) & 1)
        bit += 1
    for i in range(len(out)):
        zeros = 0
        while bit < end and (data[bit >> 3] >> (7 - (bit & 7))) & 1 == 0:
            bit += 1
            zeros += 1
        if zeros + order > 32 or bit + zeros + 1 + order > end:
            return -1
        value = np.int64(0)
        for _ in range(zeros + 1 + order):
            value = value << 1 | np.int64((data[bit >> 3] >> (7 - (bit & 7))) & 1)
            bit += 1
        out[i] = value - (1 << order)  # m and the low bits, read as one number, are n + 2**k
    return bit


@kernel
def _read_ascending(data: NDArray[np.uint8], bit: int, out: NDArray[np.int64]) -> int:
    """`_read_numbers` behind the first of `out`: each says how many numbers lie between two of those that ascend."""
    bit = _read_numbers(data, bit, out[1:])
    for i in range(1, len(out)):
        out[i] += out[i - 1] + 1
    return bit


class BitReader:
    """Reads lists of numbers from the front of some bytes.

    Parameters
    ----------
    data : bytes-like
    offset : int
        Byte at which the first list starts.
    what : str
        What is read, for messages.
    """

    def __init__(self, data: Bytes, offset: int, what: str) -> None:
        self._data = np.frombuffer(data, dtype=np.uint8)
        self._bit = offset * 8
        self._what = what

    def numbers(self, count: int, limit: int) -> NDArray[np.int64]:
        """Read `count` numbers (which the caller has bounded), none greater than `limit`: ndarray of int64."""
        out = np.empty(count, dtype=np.int64)
        self._bit = int(_read_numbers(self._data, self._bit, out))
        if self._bit < 0:
            raise self._short()
        if count and int(out.max()) > limit:
            raise self._out_of_range(limit, int(out.max()))
        return out

    def ascending(self, first: int, count: int, limit: int) -> NDArray[np.int64]:
        """Read numbers that ascend to a limit: the `count` of them, with the first, from a list of what lies between.

        Returns
        -------
        ndarray of int64, shape (count,)
        """
        out = np.empty(count, np.int64)
        out[0] = first
        self._bit = int(_read_ascending(self._data, self._bit, out))
        if self._bit < 0:
            raise self._short()
        if int(out[-1]) > limit:
            largest = int(np.diff(out).max(initial=0)) - 1
            if largest > limit:
                raise self._out_of_range(limit, largest)
            raise FormatError(f"{self._what} is out of range", expected=f"patterns up to {limit}", found=int(out[-1]))
        return out

    def _short(self) -> TruncatedError:
        return TruncatedError(f"{self._what}: data ends too early or holds a number over 32 bits")

    def _out_of_range(self, limit: int, found: int) -> FormatError:
        return FormatError(f"{self._what} is out of range", expected=f"at most {limit}", found=found)

    def align(self) -> int:
        """Skip to the next whole byte, over zero bits; returns its offset."""
        while self._bit & 7:
            if int(self._data[self._bit >> 3]) >> (7 - (self._bit & 7)) & 1:
                raise FormatError(f"{self._what}: padding bits are not zero", where=f"byte {self._bit >> 3}")
            self._bit += 1
        return self._bit >> 3


def zigzag(values: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Signed to unsigned: 0, -1, 1, -2, ... become 0, 1, 2, 3, ...

    >>> zigzag([0, -1, 1, -2]).tolist()
    [0, 1, 2, 3]
    """
    numbers = np.asarray(values, np.int64)
    return numbers << 1 ^ numbers >> 63


def zigzag_steps(values: NDArray[Any], first: int = 0) -> NDArray[np.int64]:
    """Zigzag-coded difference of each number to the one before, of the first to `first`.

    `numpy.diff` takes several times as long for a few numbers.
    """
    steps = values.astype(np.int64)
    steps[1:] -= steps[:-1].copy()
    steps[:1] -= first
    return zigzag(steps)
