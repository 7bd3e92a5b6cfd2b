"""Vectors of decisions: in machine code as in NumPy, and the coder that is made of them."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import pytest

from dcz.core.numba_settings import jit_is_off
from dcz.dcformat.coding import lanes
from dcz.dcformat.coding.lanes import COUNTER_LANES, FIRST_SHARE, INPUT_LANES, MAX_WEIGHT, MOST_SEEN, SEEN_BITS
from dcz.dcformat.coding.mixed_ranks import Form, decode_ranks, encode_ranks

ROUNDS = 4000


def everything(
    counters: Any, logits: Any, weights: Any, bits: Any, steps: Any, sums: Any, out: Any, first: Any, inputs: Any
) -> None:
    """Each operation, on each row of the arrays."""
    for i in range(len(counters)):
        c, n = counters[i], logits[i]
        found = lanes.pack_counters(c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7])
        row = lanes.inputs_of(found, np.int64(n[8]), np.int64(n[9]), n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7])
        begun = lanes.begun_counters(found, first)
        moved = lanes.counted(begun, bits[i])
        learned = lanes.load_weights(weights, i)
        sums[i, 0] = lanes.weighted_sum(learned, row, False)
        sums[i, 1] = lanes.weighted_sum(learned, row, True)
        lanes.store_weights(inputs, i, row)
        lanes.store_weights(weights, i, lanes.learned_weights(learned, row, steps[i]))
        for number in range(8):
            out[i, 0, number], out[i, 1, number] = lanes.lane(begun, number), lanes.lane(moved, number)


@pytest.mark.skipif(jit_is_off(), reason="compares with machine code")
def test_machine_code_as_in_numpy() -> None:
    from numba import njit

    import dcz.dcformat.coding.lane_code  # noqa: F401

    rng = np.random.default_rng(1)
    seen = rng.choice([0, 1, 7, 500, MOST_SEEN - 1, MOST_SEEN], (ROUNDS, COUNTER_LANES))
    # Quotients next to an integer are where a division of floats could be wrong.
    near = rng.integers(0, 1 << 22, seen.shape) // (seen + FIRST_SHARE) * (seen + FIRST_SHARE)
    near = near + rng.integers(-2, 3, seen.shape) + rng.choice([0, 1], seen.shape) * (seen + FIRST_SHARE - 1)
    probability = np.where(rng.random(seen.shape) < 0.1, (1 << 22) - 1, np.clip(near, 0, (1 << 22) - 1))
    counters = (probability << SEEN_BITS | seen).astype(np.uint32)
    logits = rng.integers(-2047, 2048, (ROUNDS, 10)).astype(np.int16)
    weights = rng.integers(-MAX_WEIGHT, MAX_WEIGHT + 1, (ROUNDS, INPUT_LANES)).astype(np.int32)
    bits, steps = rng.integers(0, 2, ROUNDS), rng.integers(-40960, 40961, ROUNDS)
    results = []
    for function in (everything, njit(error_model="numpy")(everything)):
        learned, inputs = weights.copy(), np.zeros_like(weights)
        sums, out = np.zeros((ROUNDS, 2), np.int64), np.zeros((ROUNDS, 2, COUNTER_LANES), np.uint32)
        function(counters, logits, learned, bits, steps, sums, out, np.uint32(1234567 << SEEN_BITS | 9), inputs)
        results.append((learned, inputs, sums, out))
    for plain, compiled in zip(*results, strict=True):
        np.testing.assert_array_equal(plain, compiled)


@pytest.mark.parametrize(
    ("kernel_size", "line", "check"), [(9, 3, 2359420325), (1, 1, 3793583455), (10, 5, 3776406884)]
)
def test_kernel_gives_the_same_bytes(kernel_size: int, line: int, check: int) -> None:
    rng = np.random.default_rng(kernel_size)
    ranks = (
        (rng.integers(-5, 7, (7, 8, kernel_size)) * (rng.random((7, 8, kernel_size)) < 0.4)).astype(np.int16).ravel()
    )
    form = Form(7, 8, kernel_size, line, int((ranks != 0).sum()), 6, 5)
    stream = encode_ranks(ranks, form)
    assert zlib.crc32(stream) == check
    assert (decode_ranks(stream, form) == ranks).all()
