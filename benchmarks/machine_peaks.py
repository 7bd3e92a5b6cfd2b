"""Peak rates of one thread of this machine: multiply-adds, and bytes read from memory."""

from __future__ import annotations

import time

import numpy as np

from dcz.runtime import simd
from dcz.runtime.jit import kernel

READ_FLOATS = 64 << 20
"""More than any cache can hold."""
ROUNDS = 10_000


def peaks() -> dict[str, float]:
    """Measure the peaks: float32 multiply-adds in 10^9 a second, and memory reads in 10^9 bytes a second."""
    small, large = np.zeros(1024, np.float32), np.ones(READ_FLOATS, np.float32)
    _multiply(small, 10), _read(large)
    multiply, read = [], []
    for _ in range(7):
        start = time.perf_counter()
        _multiply(small, ROUNDS)
        multiply.append(time.perf_counter() - start)
        start = time.perf_counter()
        _read(large)
        read.append(time.perf_counter() - start)
    return {"gmacs": 16 * 12 * 16 * ROUNDS / min(multiply) / 1e9, "gbytes": large.nbytes / min(read) / 1e9}


@kernel
def _multiply(data: np.ndarray, rounds: int) -> None:
    sums = simd.zeros((0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    for _ in range(rounds):
        for k in range(16):
            sums = simd.fma(sums, simd.load((0,), data, 16 * k), data, 16)
    simd.store(data, 16 * 20, sums)


@kernel
def _read(data: np.ndarray) -> float:
    sums, one = simd.zeros((0, 0, 0, 0, 0, 0, 0, 0)), simd.scale_shift(simd.zeros((0,)), 1.0, 1.0)
    for k in range(0, len(data), 128):
        sums = simd.fma(sums, one, data, k)
    return float(simd.reduce_sum(sums))
