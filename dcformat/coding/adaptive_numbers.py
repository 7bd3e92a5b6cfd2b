"""Lists of small numbers, range-coded with probabilities that adapt: side information of a few bits a number.

A number n is written as m = n + 1: the number of binary digits after its first one in unary, then these digits. Each
unary digit and the digit after the first has a probability of its own, which follows the counts of its zeros and ones
(the estimator of Krichevsky and Trofimov); the other digits are even. A *chain*, whose neighbouring numbers are alike,
has n in unary instead, with probabilities for each number before it. Each list begins anew.

`number_reader` has the other direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import inlined, kernel
from .range_coder import FULL_RANGE, STATE_BYTES, TOTAL, WORD_BYTES, finish, put

DIGITS = 32
"""Most binary digits after the first one."""
EVEN = TOTAL >> 1
"""Frequency of a zero of an even digit, and of one of which nothing is known."""
ZERO, ONE, OF_ZERO = range(3)
"""Columns of a table of contexts: how many zeros and ones there were, and what frequency of a zero follows."""
LIMIT = 255
_LINKS = 4
"""Greatest number before that has probabilities of its own, in a chain."""
_UNITS = 15
"""Last unary digit that has."""
CONTEXTS = max(2 * DIGITS, (_LINKS + 1) * (_UNITS + 1))
SHARE_BITS = 32
SHARES = (1 << SHARE_BITS) // (2 * np.arange(1, 2 * LIMIT)) + 1
"""``x * SHARES[n] >> SHARE_BITS`` is ``x // (2 * (n + 1))`` for each x below ``2 * LIMIT * TOTAL``."""
_U64 = np.uint64  # unsigned indices: numba then adds no test for negative ones


@dataclass(frozen=True, eq=False)
class Numbers:
    """A list to write.

    Attributes
    ----------
    values : ndarray of int64, shape (n,)
        0 to 2**31; of a chain, less than `DIGITS`.
    chain : bool
    """

    values: NDArray[np.int64]
    chain: bool = False


@inlined
def forget(contexts: NDArray[np.int64]) -> None:
    """Begin a list."""
    contexts[:] = 0
    contexts[:, OF_ZERO] = EVEN


@inlined
def link(before: Any, digit: int) -> int:
    """Context of a unary digit in a chain."""
    return min(before, _LINKS) * (_UNITS + 1) + min(digit, _UNITS)  # type: ignore[no-any-return]


@inlined
def count(contexts: NDArray[np.int64], context: int, bit: int) -> None:
    """Learn from a digit: its frequencies follow from the counts."""
    row = _U64(context)
    zeros, ones = contexts[row, _U64(ZERO)] + 1 - bit, contexts[row, _U64(ONE)] + bit
    if max(zeros, ones) == LIMIT:
        zeros, ones = zeros >> 1, ones >> 1
    contexts[row, _U64(ZERO)], contexts[row, _U64(ONE)] = zeros, ones
    frequency = (2 * zeros + 1) * TOTAL * SHARES[_U64(zeros + ones)] >> SHARE_BITS
    contexts[row, _U64(OF_ZERO)] = min(max(frequency, 1), TOTAL - 1)


@inlined
def _put_bit(
    out: NDArray[np.uint8], at: int, low: int, extent: int, contexts: NDArray[np.int64], context: int, bit: int
) -> tuple[int, int, int]:
    zero = np.int64(EVEN)
    if context >= 0:
        zero = contexts[context, OF_ZERO]
        count(contexts, context, bit)
    return put(out, at, low, extent, zero * bit, TOTAL - zero if bit else zero)  # type: ignore[no-any-return]


@kernel
def _write(
    values: NDArray[np.int64], lengths: NDArray[np.int64], chains: NDArray[np.bool_], out: NDArray[np.uint8]
) -> int:
    at, low, extent = 0, np.int64(0), np.int64(FULL_RANGE)
    first, contexts = 0, np.empty((CONTEXTS, 3), np.int64)
    for k in range(len(lengths)):
        length, before = lengths[k], 0
        forget(contexts)
        for i in range(first, first + length):
            if chains[k]:
                for digit in range(values[i] + 1):
                    more = np.int64(digit < values[i])
                    at, low, extent = _put_bit(out, at, low, extent, contexts, link(before, digit), more)
                before = values[i]
                continue
            number = values[i] + 1
            digits = 0
            while number >> digits + 1:
                digits += 1
            for d in range(digits):
                at, low, extent = _put_bit(out, at, low, extent, contexts, d, 1)
            at, low, extent = _put_bit(out, at, low, extent, contexts, digits, 0)
            for d in range(digits):
                context = DIGITS + digits if d == 0 else -1
                at, low, extent = _put_bit(out, at, low, extent, contexts, context, number >> digits - 1 - d & 1)
        first += length
    return finish(out, at, low, extent)  # type: ignore[no-any-return]


def write_number_lists(lists: Sequence[Numbers]) -> bytes:
    """Code lists of numbers: what `NumberReader` reads."""
    values = np.concatenate([numbers.values for numbers in lists])
    lengths = np.array([len(numbers.values) for numbers in lists])
    chains = np.array([numbers.chain for numbers in lists])
    out = np.empty(2 * WORD_BYTES * DIGITS * len(values) + STATE_BYTES, np.uint8)
    return out[: int(_write(values, lengths, chains, out))].tobytes()
