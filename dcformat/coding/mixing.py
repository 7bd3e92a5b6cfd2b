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

_MOST_SEEN = 1023
"""Bits after which a counter moves by the same share from then on."""
_FIRST_SHARE = 3
"""A counter that has seen n bits moves by the share ``1 / (n + _FIRST_SHARE)``."""
_MAX_WEIGHT = 1 << WEIGHT_BITS + 4
_LEARN_BITS = 14
_SHIFT = COUNTER_BITS - PRECISION
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


_SQUASH = _probabilities()
_STRETCH = np.minimum(np.searchsorted(_SQUASH, np.arange(TOTAL)), 2 * _MAX_LOGIT) - _MAX_LOGIT
"""The least logit whose probability is as large, or the greatest."""


@called
def logit_of(probabilities: NDArray[np.int32], context: int) -> int:
    """Logit of a counter's probability, in 256ths."""
    return _STRETCH[probabilities[context] >> _SHIFT]  # type: ignore[no-any-return]


@called
def begin(probabilities: NDArray[np.int32], seen: NDArray[np.uint16], first: int, context: int) -> None:
    """Give a counter that has seen nothing the probability of a decision's first one."""
    if seen[context] == 0:
        probabilities[context] = probabilities[first]


@called
def decide(
    bit: int,
    writing: bool,
    stream: NDArray[np.uint8],
    state: Ints,
    probabilities: NDArray[np.int32],
    seen: NDArray[np.uint16],
    contexts: Ints,
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
    probabilities, seen : ndarray, shape (counters,)
    contexts : ndarray of int64, shape (n,)
        Counters of the decision; the first is the one that others begin with.
    weights : ndarray of int64, shape (n,)
    inputs : ndarray of int64, shape (n,)
        Room.
    rate : int
        How fast weights learn.

    Returns
    -------
    int
        The bit.
    """
    count, first = len(contexts), contexts[0]
    inputs[0] = logit_of(probabilities, first)
    total = weights[0] * inputs[0]
    for i in range(1, count):
        begin(probabilities, seen, first, contexts[i])
        inputs[i] = logit_of(probabilities, contexts[i]) - inputs[0]
        total += weights[i] * inputs[i]
    one = _SQUASH[min(max(total >> WEIGHT_BITS, -_MAX_LOGIT), _MAX_LOGIT) + _MAX_LOGIT]
    zero = TOTAL - one
    at, extent = state[0], state[1]
    if writing:
        at, low, extent = put(stream, at, state[2], extent, zero * bit, one if bit else zero)
        state[2] = low
    else:
        unit, code = extent >> PRECISION, state[2]
        bit = np.int64(code >= unit * zero)  # type: ignore[assignment]
        extent, code, last = unit * (one if bit else zero), code - unit * zero * bit, len(stream) - WORD_BYTES
        at, extent, code = settle(stream, at, extent, code, last)
        state[2] = code
    state[0], state[1] = at, extent
    miss = bit * TOTAL - one
    target = ((1 << COUNTER_BITS) - 1) * bit
    for i in range(count):
        learned = weights[i] + (inputs[i] * miss * rate + (1 << _LEARN_BITS - 1) >> _LEARN_BITS)
        weights[i] = min(max(learned, -_MAX_WEIGHT), _MAX_WEIGHT)
        context = contexts[i]
        probabilities[context] += (target - probabilities[context]) // (seen[context] + _FIRST_SHARE)
        seen[context] = min(seen[context] + 1, _MOST_SEEN)
    return bit
