"""Decisions: bits whose probability is mixed from several contexts that adapt, and that a range coder codes.

After M. Mahoney, "Adaptive weighing of context models for lossless data compression" (2005). Each context has a
counter: a probability that moves to each bit seen. Probabilities are added up as logits, with weights that learn from
each bit what contexts to trust. All arithmetic is on integers, so that every machine gives the same bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..jit import called
from .range_coder import PRECISION, TOTAL, WORD_BYTES, put, settle

Ints = NDArray[np.int64]

COUNTER_BITS = 22
"""Precision of a counter's probability, which is that of a one."""
WEIGHT_BITS = 16
"""Fraction of a weight."""
MOST_CONTEXTS = 10
"""Most contexts of a decision."""

SEEN_BITS = 10
"""Lower bits of a counter: how many bits it has seen. The others are its probability."""
_MOST_SEEN = (1 << SEEN_BITS) - 1
"""Bits after which a counter moves by the same share from then on."""
_FIRST_SHARE = 3
"""A counter that has seen n bits moves by the share ``1 / (n + _FIRST_SHARE)``."""
_MAX_WEIGHT = 1 << WEIGHT_BITS + 4
_LEARN_BITS = 14
_SHARE_BITS = 40
_U64 = np.uint64  # unsigned indices: numba then adds no test for negative ones
_SEEN, _SEEN_BITS = np.uint32(_MOST_SEEN), np.uint32(SEEN_BITS)
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


_SQUASH = _probabilities().astype(np.int16)
_STRETCH = (np.minimum(np.searchsorted(_SQUASH, np.arange(TOTAL)), 2 * _MAX_LOGIT) - _MAX_LOGIT).astype(np.int16)
"""The least logit whose probability is as large, or the greatest."""

_SHARES = (1 << _SHARE_BITS) // np.arange(_FIRST_SHARE, _FIRST_SHARE + _MOST_SEEN + 1) + 1
"""``x * _SHARES[n] >> _SHARE_BITS`` is ``x // (n + _FIRST_SHARE)`` for each x below ``1 << COUNTER_BITS + 1``."""


@called
def logit_of(counter: np.uint32) -> int:
    """Logit of a counter's probability, in 256ths."""
    return np.int64(_STRETCH[_U64(counter >> _TO_STRETCH)])  # type: ignore[return-value]


@called
def begun(counter: np.uint32, first: np.uint32) -> np.uint32:
    """A counter; one that has seen nothing has the probability of a decision's first one."""
    return counter if counter & _SEEN else first & ~_SEEN


@called
def _counted(counter: np.uint32, bit: int) -> np.uint32:
    """A counter after one more bit."""
    seen, probability = np.int64(counter & _SEEN), np.int64(counter >> _SEEN_BITS)
    # No branch, as bits are a matter of chance. Rounded down, so that a step down is rounded up.
    one, zero = -bit, bit - 1
    away = (probability ^ _GREATEST & one) + (seen + _FIRST_SHARE - 1 & zero)
    moved = away * _SHARES[_U64(seen)] >> _SHARE_BITS
    probability += (moved ^ zero) - zero
    return np.uint32(probability) << _SEEN_BITS | np.uint32(min(seen + np.int64(1), np.int64(_MOST_SEEN)))


@called
def decide(
    bit: int,
    writing: bool,
    stream: NDArray[np.uint8],
    state: Ints,
    counters: NDArray[np.uint32],
    contexts: Ints,
    count: int,
    weights: Ints,
    inputs: Ints,
    rate: int,
) -> int:
    """Code a bit, or decode one, and learn from it.

    Parameters
    ----------
    bit : int
        The bit, if it is coded.
    writing : bool
    stream : ndarray of uint8
        What is written, or what is read, with `STATE_BYTES` zeros behind it.
    state : ndarray of int64, shape (3,)
        Place in the stream, range, and low end of it (writing) or code (reading).
    counters : ndarray of uint32
    contexts : ndarray of int64
        Counters of the decision; the first is the one that others begin with.
    count : int
        Their number.
    weights, inputs : ndarray of int64
        A weight for each; room.
    rate : int
        How fast weights learn.

    Returns
    -------
    int
        The bit.
    """
    first = counters[_U64(contexts[0])]
    base = logit_of(first)
    inputs[0], total = base, weights[0] * base
    for i in range(1, count):
        inputs[i] = logit_of(begun(counters[_U64(contexts[i])], first)) - base
        total += weights[i] * inputs[i]
    one = np.int64(_SQUASH[_U64(min(max(total >> WEIGHT_BITS, -_MAX_LOGIT), _MAX_LOGIT) + _MAX_LOGIT)])
    zero = TOTAL - one
    at, extent = state[0], state[1]
    if writing:
        at, low, extent = put(stream, at, state[2], extent, zero * bit, one if bit else zero)
        state[2] = low
    else:
        unit, code = extent >> PRECISION, state[2]
        bit = np.int64(code >= unit * zero)  # type: ignore[assignment]
        extent, code, last = unit * (zero + (one - zero) * bit), code - unit * zero * bit, len(stream) - WORD_BYTES
        at, extent, code = settle(stream, at, extent, code, last)
        state[2] = code
    state[0], state[1] = at, extent
    step = (bit * TOTAL - one) * rate
    for i in range(count):
        learned = weights[i] + (inputs[i] * step + (1 << _LEARN_BITS - 1) >> _LEARN_BITS)
        weights[i] = min(max(learned, -_MAX_WEIGHT), _MAX_WEIGHT)
    for i in range(count):
        context = _U64(contexts[i])
        counters[context] = _counted(begun(counters[context], first), bit)
    return bit
