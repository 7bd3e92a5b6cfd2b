"""Ranks of weights, as decisions: whether a weight is stored, its sign, and its size digit by digit.

One kernel both codes and decodes, so that the two can't differ. Whatever the bytes are, nothing outside the arrays is
read or written.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError
from ..constants import MAX_MIXED_EXPANSION
from ..jit import kernel, lean_kernel
from .bits import Bytes
from .mixed_contexts import (
    COLUMN,
    COUNT,
    DIGITS,
    FLAGS,
    KERNEL_SIZE,
    KNOWN,
    LINE,
    LISTS,
    MIDDLE,
    NEAR,
    PLACE,
    SIGN_SUM,
    SIGNS,
    SIZE_SUM,
    Counters,
    Ints,
    K,
    Ranks,
    counter_starts,
    digit_contexts,
    find_levels,
    flag_contexts,
    look_around,
    mean_size,
    next_place,
    sign_contexts,
)
from .mixing import COUNTER_BITS, MOST_CONTEXTS, SEEN_BITS, WEIGHT_BITS, decide
from .range_coder import FULL_RANGE, PRECISION, STATE_BYTES, ends_well, finish

_FIRST_WEIGHT, _OTHER_WEIGHTS = 1 << WEIGHT_BITS, 10240
_FLAG_RATE, _RATE = 6, 10
_EVEN = 1 << COUNTER_BITS - 1
_COUNTERS, _FREE_COUNTERS = 2, 1 << 16
"""Most counters for each weight, and more that a tensor may have."""


class Form(NamedTuple):
    """What is known of a tensor before its ranks.

    Attributes
    ----------
    rows, channels, kernel_size : int
        Their product is the number of weights.
    line : int
        Width of a kernel.
    stored : int
        Weights that are stored, 1 or more.
    positive, negative : int
        Centroids of each sign, together 1 or more.
    """

    rows: int
    channels: int
    kernel_size: int
    line: int
    stored: int
    positive: int
    negative: int

    @property
    def size(self) -> int:
        """Weights."""
        return self.rows * self.channels * self.kernel_size

    @property
    def digits(self) -> int:
        """Binary digits of a size."""
        return (max(self.positive, self.negative) - 1).bit_length()

    @property
    def counters(self) -> Ints:
        """Where the counters of each list of contexts begin, and their number."""
        return counter_starts(self.rows, self.channels, self.kernel_size, self.digits)

    def is_modest(self, nbytes: int) -> bool:
        """Whether a stream of some bytes takes memory and time in proportion to the weights, and these to the bytes."""
        counters = int(self.counters[-1])
        return self.size <= MAX_MIXED_EXPANSION * nbytes and counters <= _COUNTERS * self.size + _FREE_COUNTERS


def encode_ranks(ranks: Ranks, form: Form) -> bytes:
    """Code the ranks of all weights, flat."""
    decisions = form.size + form.stored * (1 + form.digits)
    stream = np.empty(decisions * PRECISION // 8 + 2 * STATE_BYTES, np.uint8)
    state = np.array([0, FULL_RANGE, 0])
    _run(True, stream, state, ranks, form)
    return stream[: int(_finish(stream, state))].tobytes()


def decode_ranks(data: Bytes, form: Form) -> Ranks:
    """Decode what `encode_ranks` gave.

    Raises
    ------
    FormatError
        Another number of stored weights, or bytes that are left over or missing.
    """
    stream = np.zeros(len(data) + STATE_BYTES, np.uint8)
    stream[: len(data)] = np.frombuffer(data, np.uint8)
    state = np.array([STATE_BYTES, FULL_RANGE, int.from_bytes(stream[:STATE_BYTES].tobytes(), "big")])
    ranks = np.zeros(form.size, np.int16)
    found = _run(False, stream, state, ranks, form)
    if found != form.stored:
        raise FormatError("stream has another number of stored weights", expected=form.stored, found=found)
    if not ends_well(0, len(data), int(state[0])):
        raise FormatError("stream does not end where it should")
    return ranks


def _run(writing: bool, stream: NDArray[np.uint8], state: Ints, ranks: Ranks, form: Form) -> int:
    """Code the ranks, or decode them; the number of those that are stored."""
    start = form.counters
    counters = np.full(start[LISTS], _EVEN << SEEN_BITS, np.uint32)
    counters[0] = (2 * form.stored + 1 << COUNTER_BITS) // (2 * form.size + 2) << SEEN_BITS
    weights = np.full((2 + form.digits, MOST_CONTEXTS), _OTHER_WEIGHTS)
    weights[:, 0] = _FIRST_WEIGHT
    sizes = MOST_CONTEXTS, MOST_CONTEXTS, PLACE, NEAR, KNOWN
    room = tuple(np.zeros(size, np.int64) for size in sizes)
    return int(_code(writing, stream, state, ranks, np.array(form), form.digits, start, counters, weights, *room))


@kernel
def _finish(stream: NDArray[np.uint8], state: Ints) -> int:
    return finish(stream, state[0], state[2], state[1])  # type: ignore[no-any-return]


@lean_kernel
def _code(
    writing: bool,
    stream: NDArray[np.uint8],
    state: Ints,
    ranks: Ranks,
    form: Ints,
    digits: int,
    start: Ints,
    counters: Counters,
    weights: Ints,
    contexts: Ints,
    inputs: Ints,
    place: Ints,
    near: Ints,
    known: Ints,
) -> int:
    """Code the ranks, or decode them; the number of those that are stored.

    Parameters
    ----------
    writing, stream, state, counters
        As for `mixing.decide`.
    ranks : ndarray of int16, shape (weights,)
    form : ndarray of int64
        A `Form`.
    digits : int
    start : ndarray of int64, shape (LISTS + 1,)
        `counter_starts`.
    weights : ndarray of int64, shape (2 + digits, MOST_CONTEXTS)
        Of the contexts of flags, of signs, and of each digit.
    contexts, inputs, place, near, known : ndarray of int64
        Room, of zeros.
    """
    _, channels, kernel_size, line, stored, positive, negative = form
    columns, nodes, found = channels * kernel_size, 1 << digits, 0
    place[KERNEL_SIZE], place[LINE] = kernel_size, line
    place[COLUMN] = place[K] = -1
    known[:] = MIDDLE
    for at in range(len(ranks)):
        next_place(place, columns)
        if place[K] == 0:
            known[COUNT], known[SIZE_SUM], known[SIGN_SUM] = 0, 0, 0
        look_around(ranks, at, columns, place, near)
        flag, minus = np.int64(ranks[at] != 0), np.int64(ranks[at] < 0)
        wanted = abs(np.int64(ranks[at])) - 1
        if stored < len(ranks):
            find_levels(counters, start, place, known)
            flag_contexts(start, digits, place, near, known, contexts)
            count = SIGNS - FLAGS
            flag = decide(flag, writing, stream, state, counters, contexts, count, weights[0], inputs, _FLAG_RATE)
            if not flag:
                continue
        if positive == 0 or negative == 0:
            minus = np.int64(positive == 0)
        else:
            sign_contexts(start, place, near, known, contexts)
            minus = decide(minus, writing, stream, state, counters, contexts, DIGITS - SIGNS, weights[1], inputs, _RATE)
        size, node, most, mean = 0, 1, negative if minus else positive, mean_size(nodes, near)
        for digit in range(digits):
            half, bit = 1 << digits - 1 - digit, 0
            if size + half < most:
                digit_contexts(start, nodes, node, minus, mean, place, known, contexts)
                one, learned = np.int64(wanted >= size + half), weights[2 + digit]
                bit = decide(one, writing, stream, state, counters, contexts, LISTS - DIGITS, learned, inputs, _RATE)
            size, node = size + half * bit, 2 * node + bit
        ranks[at] = -size - 1 if minus else size + 1
        found += 1
        known[COUNT] += 1
        known[SIZE_SUM] += size + 1
        known[SIGN_SUM] += 1 - 2 * minus
    return found
