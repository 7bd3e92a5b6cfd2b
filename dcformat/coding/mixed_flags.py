"""Whether a weight is stored: the decision that most weights have, made short.

The counters of the tensor and of the row serve many decisions one after another. They are passed on as numbers, so that
the next decision waits for no vector. In a kernel of one weight, whose place tells no more than its row and column, the
contexts of these are there twice, and three are those of the tensor, whose input is 0.
"""

from __future__ import annotations

import numpy as np

from ..jit import called
from .lanes import Ints, begun_counters, counted, learned_weights, rarely
from .mixed_contexts import NOTHING_SEEN
from .mixing import (
    SQUASH,
    Cells,
    Coder,
    Counters,
    Logits,
    Model,
    begun,
    code_bit,
    counted_alone,
    find_counters,
    find_inputs,
    has_seen,
    keep_all,
    keep_three,
    logit_of,
    place_of_logit,
)
from .range_coder import TOTAL

_RATE = 6
_STEPS = -_RATE * SQUASH.astype(np.int32)
"""The step of the weights after a zero; after a one it is ``TOTAL * _RATE`` more."""
_U64 = np.uint64


@called
def density_of(counter: np.uint32) -> int:
    """Logit of a counter, or `NOTHING_SEEN`."""
    return np.int64(logit_of(counter)) if has_seen(counter) else np.int64(NOTHING_SEEN)  # type: ignore[return-value]


@called
def _learn(
    flag: int,
    step: int,
    counters: Counters,
    logits: Logits,
    at: Cells,
    alone: bool,
    found: Ints,
    weights: Ints,
    inputs: Ints,
    tensor: np.uint32,
    of_row: np.uint32,
) -> tuple[Ints, np.uint32, np.uint32]:
    found = counted(found, flag)
    if alone:
        keep_three(counters, logits, at, found)
    else:
        keep_all(counters, logits, at, found)
    weights = learned_weights(weights, inputs, step)
    return weights, counted_alone(tensor, flag), counted_alone(of_row, flag)


@called
def decide_flag(
    flag: int,
    coder: Coder,
    model: Model,
    at: Cells,
    alone: bool,
    weights: Ints,
    tensor: np.uint32,
    of_row: np.uint32,
) -> tuple[int, Coder, Ints, np.uint32, np.uint32]:
    """Code a flag, or decode one, and learn from it.

    Parameters
    ----------
    flag : int
        Whether the weight is stored, if it is coded.
    coder, model, weights
        As for `mixing.decide`.
    at : tuple of int
        The other counters; the column's is the first.
    alone : bool
        Whether kernels have one weight: only the first three counters are its own, and the others see nothing.
    tensor, of_row : uint32
        Counters.

    Returns
    -------
    flag : int
    coder : tuple of int
    weights : ndarray of int64
    tensor, of_row : uint32
    """
    writing, stream, counters, logits = model
    base = np.int64(logit_of(tensor))
    found = find_counters(counters, at)
    other = np.int64(logit_of(of_row)) - base if has_seen(of_row) else np.int64(0)
    inputs = find_inputs(found, logits, at, base, other)
    place = place_of_logit(weights, inputs, alone)
    flag, coder = code_bit(flag, writing, stream, coder, np.int64(SQUASH[_U64(place)]))
    step = np.int64(_STEPS[_U64(place)])
    found, of_row = begun_counters(found, tensor), begun(of_row, tensor)
    # A branch, as the processor foresees most flags, and goes on before they are known.
    if rarely(flag != 0):
        weights, tensor, of_row = _learn(
            1, step + TOTAL * _RATE, counters, logits, at, alone, found, weights, inputs, tensor, of_row
        )
    else:
        weights, tensor, of_row = _learn(0, step, counters, logits, at, alone, found, weights, inputs, tensor, of_row)
    return flag, coder, weights, tensor, of_row
