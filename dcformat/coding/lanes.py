"""Vectors of the counters, inputs and weights of one decision: their meaning, in NumPy.

Compiled, they are in registers: `lane_code` tells Numba how. A vector of counters has `COUNTER_LANES` lanes, one of
inputs or weights `INPUT_LANES`. Here they are ndarrays of int64.
"""

from __future__ import annotations

from functools import partial
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from ...core.jit import before_compiling
from ...core.numba_settings import jit_is_off

Ints = NDArray[np.int64]

COUNTER_LANES, INPUT_LANES = 8, 16
FIRST_LANE, OTHER_LANE = COUNTER_LANES, COUNTER_LANES + 1
"""Lanes of inputs that have no lane of counters: the first context's logit, and an input that is given."""
TWICE = 0, OTHER_LANE
"""Lanes of inputs that may count twice."""

COUNTER_BITS = 22
"""Precision of a counter's probability, which is that of a one."""
SEEN_BITS = 10
"""Lower bits of a counter: how many bits it has seen. The others are its probability."""
MOST_SEEN = (1 << SEEN_BITS) - 1
"""Bits after which a counter moves by the same share from then on."""
FIRST_SHARE = 3
"""A counter that has seen n bits moves by the share ``1 / (n + FIRST_SHARE)``."""
WEIGHT_BITS = 16
"""Fraction of a weight."""
MAX_WEIGHT = 1 << WEIGHT_BITS + 4
LEARN_BITS = 14


def pack_counters(a: int, b: int, c: int, d: int, e: int, f: int, g: int, h: int) -> Ints:
    """Counters to one vector."""
    return np.array([a, b, c, d, e, f, g, h], np.int64)


def lane(counters: Ints, number: int) -> np.uint32:
    """One of the counters."""
    return np.uint32(counters[number])


def begun_counters(counters: Ints, first: np.uint32) -> Ints:
    """Counters, of which those that have seen nothing have the probability of `first`."""
    return np.where(counters & MOST_SEEN, counters, int(first) & ~MOST_SEEN)


def inputs_of(
    counters: Ints, base: int, other: int, a: int, b: int, c: int, d: int, e: int, f: int, g: int, h: int
) -> Ints:
    """Inputs: each counter's logit less `base`, or 0 if it has seen nothing; then `base`, `other` and zeros."""
    inputs = np.zeros(INPUT_LANES, np.int64)
    logits = np.array([a, b, c, d, e, f, g, h], np.int64)
    inputs[:COUNTER_LANES] = np.where(counters & MOST_SEEN, logits - int(base), 0)
    inputs[FIRST_LANE], inputs[OTHER_LANE] = base, other
    return inputs


def weighted_sum(weights: Ints, inputs: Ints, twice: bool) -> int:
    """Sum of the inputs times their weights; if `twice`, the lanes `TWICE` count twice.

    Inputs are zero in the lanes behind `OTHER_LANE`, as `inputs_of` makes them.
    """
    products = weights * inputs
    return int(products.sum() + twice * products[list(TWICE)].sum())


def learned_weights(weights: Ints, inputs: Ints, step: int) -> Ints:
    """Weights after a step along the inputs."""
    moved = weights + (inputs * int(step) + (1 << LEARN_BITS - 1) >> LEARN_BITS)
    return np.clip(moved, -MAX_WEIGHT, MAX_WEIGHT)


def counted(counters: Ints, bit: int) -> Ints:
    """Counters after one more bit."""
    seen, probability = counters & MOST_SEEN, counters >> SEEN_BITS
    # Rounded down, so that a step down is rounded up.
    away = (1 << COUNTER_BITS) - 1 - probability if bit else probability + seen + (FIRST_SHARE - 1)
    moved = away // (seen + FIRST_SHARE)
    probability += moved if bit else -moved
    result: Ints = probability << SEEN_BITS | np.minimum(seen + 1, MOST_SEEN)
    return result


def rarely(condition: bool) -> bool:
    """A condition that seldom holds: registers are given to the code where it does not."""
    return condition


def load_weights(array: NDArray[np.int32], row: int) -> Ints:
    """A row of weights."""
    weights: Ints = array[row].astype(np.int64)
    return weights


def store_weights(array: NDArray[np.int32], row: int, weights: Ints) -> None:
    """Write a row of weights."""
    array[row] = weights


if not jit_is_off():
    before_compiling(partial(import_module, ".lane_code", __package__))
