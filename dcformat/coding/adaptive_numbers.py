"""Lists of small numbers, range-coded with probabilities that adapt: side information of a few bits a number.

A number n is written as m = n + 1: the number of binary digits after its first one in unary, then these digits. Each
unary digit and the digit after the first has a probability of its own, which follows the counts of its zeros and ones
(the estimator of Krichevsky and Trofimov); the other digits are even. A *chain*, whose neighbouring numbers are alike,
has n in unary instead, with probabilities for each number before it. Each list begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError, TruncatedError
from ..jit import inlined, kernel
from .bits import Bytes
from .range_coder import (
    FULL_RANGE,
    PRECISION,
    STATE_BYTES,
    TOTAL,
    WORD_BYTES,
    ends_well,
    finish,
    put,
    settle,
)

_DIGITS = 32
"""Most binary digits after the first one."""
_LIMIT = 255
_LINKS = 4
"""Greatest number before that has probabilities of its own, in a chain."""
_UNITS = 15
"""Last unary digit that has."""
_CONTEXTS = max(2 * _DIGITS, (_LINKS + 1) * (_UNITS + 1))


@dataclass(frozen=True, eq=False)
class Numbers:
    """A list to write.

    Attributes
    ----------
    values : ndarray of int64, shape (n,)
        0 to 2**31; of a chain, less than `_DIGITS`.
    chain : bool
    """

    values: NDArray[np.int64]
    chain: bool = False


@inlined
def _frequency(counts: NDArray[np.int64], context: int) -> int:
    """Frequency of a zero."""
    zeros, ones = counts[context, 0], counts[context, 1]
    return min(max((2 * zeros + 1) * TOTAL // (2 * (zeros + ones + 1)), 1), TOTAL - 1)  # type: ignore[no-any-return]


@inlined
def _link(before: Any, digit: int) -> int:
    """Probability of a unary digit in a chain."""
    return min(before, _LINKS) * (_UNITS + 1) + min(digit, _UNITS)  # type: ignore[no-any-return]


@inlined
def _count(counts: NDArray[np.int64], context: int, bit: int) -> None:
    counts[context, bit] += 1
    if counts[context, bit] == _LIMIT:
        counts[context, 0] >>= 1
        counts[context, 1] >>= 1


@inlined
def _put_bit(
    out: NDArray[np.uint8], at: int, low: int, extent: int, counts: NDArray[np.int64], context: int, bit: int
) -> tuple[int, int, int]:
    zero = TOTAL >> 1
    if context >= 0:
        zero = _frequency(counts, context)
        _count(counts, context, bit)
    return put(out, at, low, extent, zero * bit, TOTAL - zero if bit else zero)  # type: ignore[no-any-return]


@kernel
def _write(
    values: NDArray[np.int64], lengths: NDArray[np.int64], chains: NDArray[np.bool_], out: NDArray[np.uint8]
) -> int:
    at, low, extent = 0, np.int64(0), np.int64(FULL_RANGE)
    first = 0
    for k in range(len(lengths)):
        length, before = lengths[k], 0
        counts = np.zeros((_CONTEXTS, 2), np.int64)
        for i in range(first, first + length):
            if chains[k]:
                for digit in range(values[i] + 1):
                    more = np.int64(digit < values[i])
                    at, low, extent = _put_bit(out, at, low, extent, counts, _link(before, digit), more)
                before = values[i]
                continue
            number = values[i] + 1
            digits = 0
            while number >> digits + 1:
                digits += 1
            for d in range(digits):
                at, low, extent = _put_bit(out, at, low, extent, counts, d, 1)
            at, low, extent = _put_bit(out, at, low, extent, counts, digits, 0)
            for d in range(digits):
                context = _DIGITS + digits if d == 0 else -1
                at, low, extent = _put_bit(out, at, low, extent, counts, context, number >> digits - 1 - d & 1)
        first += length
    return finish(out, at, low, extent)  # type: ignore[no-any-return]


def write_number_lists(lists: Sequence[Numbers]) -> bytes:
    """Code lists of numbers: what `NumberReader` reads."""
    values = np.concatenate([numbers.values for numbers in lists])
    lengths = np.array([len(numbers.values) for numbers in lists])
    chains = np.array([numbers.chain for numbers in lists])
    out = np.empty(2 * WORD_BYTES * _DIGITS * len(values) + STATE_BYTES, np.uint8)
    return out[: int(_write(values, lengths, chains, out))].tobytes()


@kernel
def _read(data: NDArray[np.uint8], state: NDArray[np.int64], chain: bool, limit: int, out: NDArray[np.int64]) -> bool:
    """Fill `out` with numbers up to a limit; False where one is greater. `state` is place, range and code."""
    at, extent, code = state[0], state[1], state[2]
    last = len(data) - WORD_BYTES
    counts = np.zeros((_CONTEXTS, 2), np.int64)
    before = np.int64(0)
    for i in range(len(out)):
        number, digits, known = np.int64(1), 0, -1
        while known < digits:
            context = -1
            if chain:
                context = _link(before, digits)
            elif known <= 0:
                context = digits if known < 0 else _DIGITS + digits
            zero = _frequency(counts, context) if context >= 0 else TOTAL >> 1
            unit = extent >> PRECISION
            bound = unit * zero
            bit = np.int64(code >= bound)
            code -= bound * bit
            extent = unit * (TOTAL - zero) if bit else bound
            at, extent, code = settle(data, at, extent, code, last)
            if context >= 0:
                _count(counts, context, bit)
            if known >= 0:
                number = number << 1 | bit
                known += 1
            elif bit:
                digits += 1
                if digits == _DIGITS:
                    return False
            elif chain:
                number = np.int64(digits + 1)
                break
            else:
                known = 0
        before = number - 1
        out[i] = before
        if before > limit:
            return False
    state[0], state[1], state[2] = at, extent, code
    return True


@kernel
def add_up(steps: NDArray[np.int64], shift: int, least: int, most: int) -> bool:
    """Zigzag-coded differences become their sums, each times ``2**shift``; False where one is out of range."""
    total, fits = np.int64(0), True
    for i in range(len(steps)):
        total += steps[i] >> 1 ^ -(steps[i] & 1)
        steps[i] = total << shift
        fits = fits and least <= steps[i] <= most
    return fits


class NumberReader:
    """Reads lists of numbers that `write_number_lists` wrote.

    Parameters
    ----------
    data : bytes-like
    offset : int
        Where the stream begins.
    nbytes : int
        Its bytes, which are there.
    what : str
        What is read, for messages.
    """

    def __init__(self, data: Bytes, offset: int, nbytes: int, what: str) -> None:
        if nbytes < 1 or offset + nbytes > len(data):
            raise TruncatedError(f"{what}: data ends too early", expected=f"{max(nbytes, 1)} bytes")
        self._data = np.zeros(nbytes + STATE_BYTES, np.uint8)
        self._data[:nbytes] = np.frombuffer(data, np.uint8, nbytes, offset)
        self._nbytes = nbytes
        self._state = np.array([STATE_BYTES, FULL_RANGE, int.from_bytes(self._data[:STATE_BYTES], "big")], np.int64)
        self._what = what

    def read(self, count: int, limit: int, name: str, chain: bool = False) -> NDArray[np.int64]:
        """Read a list of `count` numbers, which the caller has bounded, none greater than `limit`: ndarray of int64.

        Raises
        ------
        FormatError
        """
        out = np.zeros(count, np.int64)
        if count and not _read(self._data, self._state, chain, limit, out):
            if int(out.max()) > limit:
                raise FormatError(
                    f"{self._what}: {name} is out of range", expected=f"at most {limit}", found=int(out.max())
                )
            raise FormatError(f"{self._what}: {name} is too long")
        return out

    def close(self) -> None:
        """Check that all has been read, and no more.

        Raises
        ------
        FormatError
        """
        if not ends_well(0, self._nbytes, int(self._state[0])):
            raise FormatError(f"{self._what} does not end where it should")
