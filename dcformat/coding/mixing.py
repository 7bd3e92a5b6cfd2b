"""Decisions: bits whose probability is mixed from several contexts that adapt, and that a range coder codes.

After M. Mahoney, "Adaptive weighing of context models for lossless data compression" (2005). Each context has a
counter: a probability that moves to each bit seen. Probabilities are added up as logits, with weights that learn from
each bit what contexts to trust. All arithmetic is on integers, so that every machine gives the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..jit import called
from .lanes import (
    COUNTER_BITS,
    FIRST_SHARE,
    MOST_SEEN,
    SEEN_BITS,
    WEIGHT_BITS,
    Ints,
    begun_counters,
    counted,
    inputs_of,
    lane,
    learned_weights,
    pack_counters,
    weighted_sum,
)
from .range_coder import PRECISION, TOTAL, WORD_BYTES, put, settle

Bytes = NDArray[np.uint8]
Counters = NDArray[np.uint32]
Logits = NDArray[np.int16]
Cells = tuple[int, int, int, int, int, int, int, int]
"""Places of counters, one for each lane."""
Coder = tuple[int, int, int]
"""Place in the stream, range, and low end of it (writing) or code (reading)."""
Writing = tuple[bool, ...]
"""A tuple that is empty when reading. So each way has machine code of its own."""
Model = tuple[Writing, Bytes, Counters, Logits]
"""The way, the stream, the counters and their logits."""

_SHARE_BITS = 40
_U64 = np.uint64  # unsigned indices: numba then adds no test for negative ones
_SEEN, _SEEN_BITS = np.uint32(MOST_SEEN), np.uint32(SEEN_BITS)
_TO_STRETCH = np.uint32(SEEN_BITS + COUNTER_BITS - PRECISION)
_GREATEST = (1 << COUNTER_BITS) - 1
_MAX_LOGIT = 2047
"""In 256ths."""
_POINT_BITS = 7
_LOWER = (1, 2, 4, 6, 10, 17, 27, 45, 74, 120, 194, 311, 488, 747, 1102, 1546, 2048)
_UPPER = (2550, 2994, 3349, 3608, 3785, 3902, 3976, 4022, 4051, 4069, 4079, 4086, 4090, 4092, 4094, 4095)
_POINTS = np.array([*_LOWER, *_UPPER])
"""``TOTAL / (1 + exp(8 - i / 2))``, rounded: the probability at the logit ``128 i - 2048``."""


def _probabilities() -> Ints:
    """Probability in `TOTAL`-ths of each logit from -`_MAX_LOGIT` on, by straight lines between the points."""
    point, part = np.divmod(
        np.arange(-_MAX_LOGIT, _MAX_LOGIT + 1) + (len(_POINTS) // 2 << _POINT_BITS), 1 << _POINT_BITS
    )
    width = 1 << _POINT_BITS
    found: Ints = _POINTS[point] * (width - part) + _POINTS[point + 1] * part + width // 2 >> _POINT_BITS
    return found


SQUASH = _probabilities().astype(np.int16)
"""Probability of a one, in `TOTAL`-ths, by the place of its logit: 0 for -`_MAX_LOGIT`."""
RATE = 10
"""How fast weights learn."""
_STEPS = -RATE * SQUASH.astype(np.int32)
"""The step of the weights after a zero; after a one it is ``TOTAL * RATE`` more.

It is looked up beside the probability, as the next decision waits for it.
"""
_STRETCH = (np.minimum(np.searchsorted(SQUASH, np.arange(TOTAL)), 2 * _MAX_LOGIT) - _MAX_LOGIT).astype(np.int16)
"""The least logit whose probability is as large, or the greatest."""
EVEN_LOGIT = _STRETCH[TOTAL // 2]
"""Logit of a counter that has seen nothing."""

_SHARES = (1 << _SHARE_BITS) // np.arange(FIRST_SHARE, FIRST_SHARE + MOST_SEEN + 1) + 1
"""``x * _SHARES[n] >> _SHARE_BITS`` is ``x // (n + FIRST_SHARE)`` for each x below ``1 << COUNTER_BITS + 1``."""


@called
def logit_of(counter: np.uint32) -> np.int16:
    """Logit of a counter's probability, in 256ths."""
    return _STRETCH[_U64(counter >> _TO_STRETCH)]  # type: ignore[no-any-return]


@called
def has_seen(counter: np.uint32) -> bool:
    """Whether a counter has seen a bit."""
    return counter & _SEEN != 0  # type: ignore[no-any-return]


@called
def begun(counter: np.uint32, first: np.uint32) -> np.uint32:
    """A counter; one that has seen nothing has the probability of a decision's first one."""
    return counter if has_seen(counter) else first & ~_SEEN


@called
def counted_alone(counter: np.uint32, bit: int) -> np.uint32:
    """A counter after one more bit: `lanes.counted` of one."""
    seen, probability = np.int64(counter & _SEEN), np.int64(counter >> _SEEN_BITS)
    one, zero = -bit, bit - 1
    away = (probability ^ _GREATEST & one) + (seen + FIRST_SHARE - 1 & zero)
    moved = away * _SHARES[_U64(seen)] >> _SHARE_BITS
    probability += (moved ^ zero) - zero
    return np.uint32(probability) << _SEEN_BITS | np.uint32(min(seen + np.int64(1), np.int64(MOST_SEEN)))


@called
def find_counters(counters: Counters, at: Cells) -> Ints:
    """The counters of a decision."""
    return pack_counters(
        counters[_U64(at[0])],
        counters[_U64(at[1])],
        counters[_U64(at[2])],
        counters[_U64(at[3])],
        counters[_U64(at[4])],
        counters[_U64(at[5])],
        counters[_U64(at[6])],
        counters[_U64(at[7])],
    )


@called
def find_inputs(found: Ints, logits: Logits, at: Cells, base: int, other: int) -> Ints:
    """The inputs of a decision whose counters are found."""
    return inputs_of(
        found,
        base,
        other,
        logits[_U64(at[0])],
        logits[_U64(at[1])],
        logits[_U64(at[2])],
        logits[_U64(at[3])],
        logits[_U64(at[4])],
        logits[_U64(at[5])],
        logits[_U64(at[6])],
        logits[_U64(at[7])],
    )


@called
def keep(counters: Counters, logits: Logits, at: int, counter: np.uint32) -> None:
    """Write a counter, and its logit."""
    counters[_U64(at)], logits[_U64(at)] = counter, logit_of(counter)


@called
def keep_three(counters: Counters, logits: Logits, at: Cells, found: Ints) -> None:
    """Write the first three counters of a decision."""
    keep(counters, logits, at[0], lane(found, 0))
    keep(counters, logits, at[1], lane(found, 1))
    keep(counters, logits, at[2], lane(found, 2))


@called
def keep_all(counters: Counters, logits: Logits, at: Cells, found: Ints) -> None:
    """Write the counters of a decision."""
    keep_three(counters, logits, at, found)
    keep(counters, logits, at[3], lane(found, 3))
    keep(counters, logits, at[4], lane(found, 4))
    keep(counters, logits, at[5], lane(found, 5))
    keep(counters, logits, at[6], lane(found, 6))
    keep(counters, logits, at[7], lane(found, 7))


@called
def place_of_logit(weights: Ints, inputs: Ints, twice: bool) -> int:
    """Place in `SQUASH` of the logit that is mixed for a one."""
    logit = weighted_sum(weights, inputs, twice) >> WEIGHT_BITS
    return min(max(logit, -_MAX_LOGIT), _MAX_LOGIT) + _MAX_LOGIT


@called
def code_bit(bit: int, writing: Writing, stream: Bytes, coder: Coder, one: int) -> tuple[int, Coder]:
    """Code a bit, or decode one, that has a probability of being one.

    Parameters
    ----------
    bit : int
        The bit, if it is coded.
    writing : tuple
        Empty, if a bit is decoded.
    stream : ndarray of uint8
        What is written, or what is read, with `STATE_BYTES` zeros behind it.
    coder : tuple of int
    one : int
        The probability, in `TOTAL`-ths.

    Returns
    -------
    bit : int
    coder : tuple of int
    """
    at, extent, code = coder
    zero = TOTAL - one
    if len(writing):
        at, code, extent = put(stream, at, code, extent, zero * bit, one if bit else zero)
    else:
        unit = extent >> PRECISION
        bit = np.int64(code >= unit * zero)  # type: ignore[assignment]
        extent, code = unit * one if bit else unit * zero, code - unit * zero * bit
        at, extent, code = settle(stream, at, extent, code, len(stream) - WORD_BYTES)
    return bit, (at, extent, code)


@called
def decide(bit: int, coder: Coder, model: Model, at: Cells, weights: Ints) -> tuple[int, Coder, Ints]:
    """Code a bit, or decode one, and learn from it.

    Parameters
    ----------
    bit : int
        The bit, if it is coded.
    coder : tuple of int
    model : tuple
    at : tuple of int
        The decision's counters. The first is the one that others begin with; it may stand there more than once.
    weights : ndarray of int64, shape (INPUT_LANES,)
        A lane of inputs has a weight.

    Returns
    -------
    bit : int
    coder : tuple of int
    weights : ndarray of int64
    """
    writing, stream, counters, logits = model
    first = counters[_U64(at[0])]
    found = find_counters(counters, at)
    inputs = find_inputs(found, logits, at, np.int64(logits[_U64(at[0])]), 0)
    place = place_of_logit(weights, inputs, False)
    bit, coder = code_bit(bit, writing, stream, coder, np.int64(SQUASH[_U64(place)]))
    keep_all(counters, logits, at, counted(begun_counters(found, first), bit))
    return bit, coder, learned_weights(weights, inputs, bit * (TOTAL * RATE) + _STEPS[_U64(place)])
