"""Reads lists of numbers that adapt: the other direction of `adaptive_numbers`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError, TruncatedError
from ..jit import inlined, kernel
from .adaptive_numbers import CONTEXTS, DIGITS, EVEN, OF_ZERO, count, forget, link
from .bits import Bytes
from .range_coder import FULL_RANGE, PRECISION, STATE_BYTES, TOTAL, WORD_BYTES, ends_well, settle

_NUMBERS, _CHAIN, _STEPS = range(3)
_U64 = np.uint64  # unsigned indices: numba then adds no test for negative ones


class Listed(NamedTuple):
    """A list to read: `numbers`, `chain` or `steps` make it.

    Attributes
    ----------
    name : str
        For messages.
    size : int
        Numbers in it, which the caller has bounded.
    kind : int
    limit : int
        Greatest number as it is coded.
    shift, least, most : int
        Of steps.
    """

    name: str
    size: int
    kind: int
    limit: int
    shift: int = 0
    least: int = 0
    most: int = 0


def numbers(name: str, size: int, limit: int) -> Listed:
    """Numbers from 0 to a limit."""
    return Listed(name, size, _NUMBERS, limit)


def chain(name: str, size: int, limit: int) -> Listed:
    """Zigzag-coded numbers, from minus a limit to it, that are alike."""
    return Listed(name, size, _CHAIN, 2 * limit)


def steps(name: str, size: int, limit: int, shift: int, least: int, most: int) -> Listed:
    """Numbers from `least` to `most`: sums of zigzag-coded differences up to a limit, each times ``2**shift``."""
    return Listed(name, size, _STEPS, limit, shift, least, most)


@inlined
def _take_bit(
    data: NDArray[np.uint8], at: int, extent: int, code: int, last: int, contexts: NDArray[np.int64], context: int
) -> tuple[bool, int, int, int]:
    unit = extent >> PRECISION
    of_zero = contexts[_U64(context), _U64(OF_ZERO)]
    bound = unit * of_zero
    bit = code >= bound
    if bit:
        code, extent = code - bound, unit * (TOTAL - of_zero)
    else:
        extent = bound
    count(contexts, context, np.int64(bit))
    at, extent, code = settle(data, at, extent, code, last)
    return bit, at, extent, code


@inlined
def _read_list(
    data: NDArray[np.uint8],
    state: NDArray[np.int64],
    chained: bool,
    limit: int,
    contexts: NDArray[np.int64],
    out: NDArray[np.int64],
) -> bool:
    """Fill `out` with numbers up to a limit; False where one is greater. `state` is place, range and code."""
    at, extent, code = state[0], state[1], state[2]
    last = len(data) - WORD_BYTES
    before = np.int64(0)
    for i in range(len(out)):
        digits, more = np.int64(0), True
        while more:
            context = link(before, digits) if chained else digits
            more, at, extent, code = _take_bit(data, at, extent, code, last, contexts, context)
            digits += np.int64(more)
            if digits == DIGITS:
                return False
        number = digits + 1
        if not chained and digits > 0:
            more, at, extent, code = _take_bit(data, at, extent, code, last, contexts, DIGITS + digits)
            number = np.int64(2) + np.int64(more)
            for _ in range(digits - 1):
                bound = (extent >> PRECISION) * EVEN
                bit = np.int64(code >= bound)
                code, extent = code - bound * bit, bound  # an even digit: either half has this range
                at, extent, code = settle(data, at, extent, code, last)
                number = number << 1 | bit
        before = number - 1
        out[i] = before
        if before > limit:
            return False
    state[0], state[1], state[2] = at, extent, code
    return True


@inlined
def _add_up(steps: NDArray[np.int64], shift: int, least: int, most: int) -> bool:
    """Differences become their sums, each times ``2**shift``; False where one is out of range."""
    total, fits = np.int64(0), True
    for i in range(len(steps)):
        total += steps[i]
        steps[i] = total << shift
        fits = fits and least <= steps[i] <= most
    return fits


@kernel
def _read(data: NDArray[np.uint8], state: NDArray[np.int64], lists: NDArray[np.int64], out: NDArray[np.int64]) -> int:
    """Fill `out` with lists, one behind the other: -1, or twice the number of the first that does not fit.

    One more if its sums do not. `lists` has rows of `Listed` without the name.
    """
    contexts, first = np.empty((CONTEXTS, 3), np.int64), np.int64(0)
    for k in range(len(lists)):
        size, kind, limit, shift, least, most = lists[k]
        part = out[first : first + size]
        first += size
        forget(contexts)
        if not _read_list(data, state, kind == _CHAIN, limit, contexts, part):
            return 2 * k
        if kind != _NUMBERS:
            for i in range(size):
                part[i] = part[i] >> 1 ^ -(part[i] & 1)
        if kind == _STEPS and not _add_up(part, shift, least, most):
            return 2 * k + 1
    return -1


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
        padded = bytes(memoryview(data)[offset : offset + nbytes]) + bytes(STATE_BYTES)
        self._data, self._nbytes = np.frombuffer(padded, np.uint8), nbytes
        self._state = np.array([STATE_BYTES, FULL_RANGE, int.from_bytes(padded[:STATE_BYTES], "big")], np.int64)
        self._what = what

    def read(self, *lists: Listed) -> list[NDArray[np.int64]]:
        """Read the next lists: an ndarray of int64 of each.

        Raises
        ------
        FormatError
        """
        out = np.zeros(sum([one.size for one in lists]), np.int64)
        bad = int(_read(self._data, self._state, np.array([one[1:] for one in lists]), out))
        found, begin = [], 0
        for one in lists:
            found.append(out[begin : begin + one.size])
            begin += one.size
        if bad >= 0:
            raise self._refused(lists[bad // 2], found[bad // 2], bad % 2 == 1)
        return found

    def _refused(self, one: Listed, found: NDArray[np.int64], of_sums: bool) -> FormatError:
        if of_sums:
            return FormatError(
                f"{self._what}: {one.name} is out of range",
                expected=f"{one.least} to {one.most}",
                found=found.tolist(),
            )
        if int(found.max()) > one.limit:
            return FormatError(
                f"{self._what}: {one.name} is out of range", expected=f"at most {one.limit}", found=int(found.max())
            )
        return FormatError(f"{self._what}: {one.name} is too long")

    def close(self) -> None:
        """Check that all has been read, and no more.

        Raises
        ------
        FormatError
        """
        if not ends_well(0, self._nbytes, int(self._state[0])):
            raise FormatError(f"{self._what} does not end where it should")
