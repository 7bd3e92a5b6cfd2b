"""Ranks of weights, as decisions: whether a weight is stored, its sign, and its size digit by digit.

One kernel both codes and decodes, so that the two can't differ. Whatever the bytes are, nothing outside the arrays is
read or written.

Most decisions say that a weight is not stored, so these are made short. The counters of tensor and row are in
registers. In kernels of one weight, five of the ten contexts are those of others, or of the tensor, whose input is 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError
from ..constants import MAX_MIXED_EXPANSION
from ..jit import called, kernel, lean_kernel
from .bits import Bytes
from .lanes import (
    COUNTER_BITS,
    FIRST_LANE,
    INPUT_LANES,
    OTHER_LANE,
    SEEN_BITS,
    WEIGHT_BITS,
    Ints,
    load_weights,
    rarely,
    store_weights,
)
from .mixed_contexts import (
    COLUMNS,
    LISTS,
    MIDDLE,
    NOTHING_SEEN,
    ROW_POSITIONS,
    Marks,
    Ranks,
    alone_cells,
    counter_starts,
    digit_cells,
    first_digit_cells,
    flag_cells,
    known_cells,
    level_of,
    look_around,
    mean_size,
    set_marks,
    sign_cells,
    size_cell,
)
from .mixed_flags import decide_flag, density_of
from .mixing import EVEN_LOGIT, Cells, Coder, Counters, Logits, Model, Writing, decide, logit_of
from .mixing import Bytes as Stream
from .range_coder import FULL_RANGE, PRECISION, STATE_BYTES, ends_well, finish

_FIRST_WEIGHT, _OTHER_WEIGHTS = 1 << WEIGHT_BITS, 10240
_EVEN = 1 << COUNTER_BITS - 1
_U64 = np.uint64
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
    ranks, found = _run(False, stream, state, np.zeros(1, np.int16), form)
    if found != form.stored:
        raise FormatError("stream has another number of stored weights", expected=form.stored, found=found)
    if not ends_well(0, len(data), int(state[0])):
        raise FormatError("stream does not end where it should")
    return ranks


def _run(writing: bool, stream: Stream, state: Ints, wanted: Ranks, form: Form) -> tuple[Ranks, int]:
    """Code the ranks, or decode them; these, and the number of those that are stored."""
    start = form.counters
    counters = np.full(start[LISTS], _EVEN << SEEN_BITS, np.uint32)
    counters[0] = (2 * form.stored + 1 << COUNTER_BITS) // (2 * form.size + 2) << SEEN_BITS
    logits = np.full(start[LISTS], EVEN_LOGIT, np.int16)
    for densities in (ROW_POSITIONS, COLUMNS):
        logits[start[densities] : start[densities + 1]] = NOTHING_SEEN
    weights = np.zeros((2 + form.digits, INPUT_LANES), np.int32)
    weights[:, : OTHER_LANE + 1] = _OTHER_WEIGHTS
    weights[:, FIRST_LANE] = _FIRST_WEIGHT
    ranks, marks = np.zeros(form.size, np.int16), np.zeros(form.size, np.uint8)
    given = np.array(form), form.digits, start, counters, logits, weights
    alone = (True,) * (form.kernel_size == 1)
    return ranks, int(_code((True,) * writing, alone, stream, state, wanted, ranks, marks, *given))


@kernel
def _finish(stream: Stream, state: Ints) -> int:
    return finish(stream, state[0], state[2], state[1])  # type: ignore[no-any-return]


@lean_kernel
def _code(
    writing: Writing,
    alone: tuple[bool, ...],
    stream: Stream,
    state: Ints,
    wanted: Ranks,
    ranks: Ranks,
    marks: Marks,
    form: Ints,
    digits: int,
    start: Ints,
    counters: Counters,
    logits: Logits,
    weights: NDArray[np.int32],
) -> int:
    """Code the ranks, or decode them; the number of those that are stored.

    Parameters
    ----------
    writing, stream, counters, logits
        A `Model`. Logits are `NOTHING_SEEN` in the lists that tell densities.
    alone : tuple
        Empty, if kernels have more than one weight. So these and others have machine code of their own.
    state : ndarray of int64, shape (3,)
        The coder's.
    wanted : ndarray of int16, shape (weights,)
        The ranks, if they are coded; else anything.
    ranks : ndarray of int16, shape (weights,)
        Zeros, which become the ranks.
    marks : ndarray of uint8, shape (weights,)
        Zeros.
    form : ndarray of int64
        A `Form`.
    digits : int
    start : ndarray of int64, shape (LISTS + 1,)
        `counter_starts`.
    weights : ndarray of int32, shape (2 + digits, INPUT_LANES)
        Of the contexts of flags, of signs, and of each digit.
    """
    rows, channels, size, line, stored, positive, negative = form
    if len(alone):
        size, line = np.int64(1), np.int64(1)
    coder, columns, nodes, found = (state[0], state[1], state[2]), channels * size, 1 << digits, 0
    flag_weights, tensor = load_weights(weights, 0), counters[0]
    model, at, wanted_rank = (writing, stream, counters, logits), -1, np.int64(0)
    for row in range(rows):
        of_row = np.uint32(0)
        before_row, second_row, next_row = columns * (row > 0), 2 * columns * (row > 1), columns * (row + 1 < rows)
        for channel in range(channels):
            before, second = size * (channel > 0), 2 * size * (channel > 1)
            steps = next_row, size * (channel + 1 < channels), 2 * size * (channel + 2 < channels)
            count, size_sum, sign_sum = np.int64(0), np.int64(0), np.int64(0)
            of_kernel = known_cells(start, digits, size, count, size_sum)
            for k in range(size):
                at += 1
                if len(writing):
                    wanted_rank = np.int64(wanted[_U64(at)])
                row_position, column = row * size + k, channel * size + k
                levels = np.int64(MIDDLE), np.int64(MIDDLE)
                if stored < len(ranks):
                    mark, base, flag = np.int64(marks[_U64(at)]), np.int64(logit_of(tensor)), np.int64(wanted_rank != 0)
                    column_level = level_of(np.int64(logits[_U64(start[COLUMNS] + column)]), base)
                    if len(alone):
                        levels = level_of(density_of(of_row), base), column_level
                        cells = alone_cells(start, column, mark, levels)
                        flag, coder, flag_weights, tensor, of_row = decide_flag(
                            flag, coder, model, cells, True, flag_weights, tensor, of_row
                        )
                    else:
                        row_logit = np.int64(logits[_U64(start[ROW_POSITIONS] + row_position)])
                        levels = level_of(row_logit, base), column_level
                        sizes = size_cell(of_kernel[1], digits, mark, ranks, at, k, line)
                        cells = flag_cells(
                            start, size, row_position, channel, column, k, mark, of_kernel[0], sizes, levels
                        )
                        flag, coder, flag_weights, tensor, of_row = decide_flag(
                            flag, coder, model, cells, False, flag_weights, tensor, of_row
                        )
                    if not rarely(flag != 0):
                        continue
                near, minus = look_around(ranks, at, k, line), np.int64(wanted_rank < 0)
                if positive == 0 or negative == 0:
                    minus = np.int64(positive == 0)
                else:
                    others = (
                        np.int64(ranks[_U64(at - before_row)]),
                        np.int64(ranks[_U64(at - second_row)]),
                        np.int64(ranks[_U64(at - before)]),
                        np.int64(ranks[_U64(at - second)]),
                    )
                    cells = sign_cells(start, row_position, channel, column, near, others, sign_sum)
                    learned = load_weights(weights, 1)
                    minus, coder, learned = decide(minus, coder, model, cells, learned)
                    store_weights(weights, 1, learned)
                most = negative if minus else positive
                level = (levels[0] + levels[1]) // 2
                first = first_digit_cells(start, nodes, minus, k, mean_size(nodes, near), level, row, channel)
                number, coder = _code_size(abs(wanted_rank) - 1, most, digits, coder, model, first, weights)
                ranks[at] = -number - 1 if minus else number + 1
                if stored < len(ranks):
                    set_marks(marks, at, steps, k, line, size)
                found += 1
                count += 1
                size_sum += number + 1
                sign_sum += 1 - 2 * minus
                of_kernel = known_cells(start, digits, size, count, size_sum)
    state[0], state[1], state[2] = coder
    return found


@called
def _code_size(
    wanted: int, most: int, digits: int, coder: Coder, model: Model, first: Cells, weights: NDArray[np.int32]
) -> tuple[int, Coder]:
    """Code or decode a size less one, which is below `most`."""
    size, node = np.int64(0), np.int64(1)
    for digit in range(digits):
        half, bit = np.int64(1) << digits - 1 - digit, np.int64(0)
        if size + half < most:
            bit, learned = np.int64(wanted >= size + half), load_weights(weights, 2 + digit)
            bit, coder, learned = decide(bit, coder, model, digit_cells(first, node), learned)
            store_weights(weights, 2 + digit, learned)
        size, node = size + half * bit, 2 * node + bit
    return size, coder  # type: ignore[return-value]
