"""Sums, products and bounds, lane by lane: their meaning, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .memory import get, load
from .types import F32, LANES, Tag, span

__all__ = [
    "add",
    "clamp",
    "fma",
    "fma_dots",
    "fma_rows",
    "fma_vectors",
    "maximum",
    "reduce_sum",
    "scale_shift",
    "scale_shift_rows",
    "weight",
]


def add(a: F32, b: F32) -> F32:
    """``a + b``, lane by lane."""
    return a + b


def fma(acc: F32, factor: F32 | float, array: F32, index: int) -> F32:
    """``acc + factor * load(array, index)``, rounded once; a `factor` of one vector."""
    columns = span(array, index, acc.size).reshape(acc.shape).astype(np.float64)
    result: F32 = (acc + np.asarray(factor, np.float64) * columns).astype(np.float32)
    return result


def fma_vectors(a: F32, b: F32, c: F32) -> F32:
    """``a * b + c``, lane by lane, rounded once."""
    result: F32 = (a.astype(np.float64) * b + c).astype(np.float32)
    return result


def fma_rows(acc: F32, rows: Tag, codebook: F32, symbols: NDArray[Any], first: int, array: F32, index: int) -> F32:
    """Outer product: row r of `acc`, a run of vectors, gains ``weight(first + r) * load(array, index)``.

    `acc` holds ``len(rows)`` runs of equal length.
    """
    runs = acc.reshape(len(rows), -1, LANES)
    return np.concatenate([fma(run, weight(codebook, symbols, first + r), array, index) for r, run in enumerate(runs)])


def fma_dots(acc: F32, rows: Tag, a: F32, i: int, a_step: int, x: F32, j: int, x_step: int) -> F32:
    """Partial dot products of ``len(rows)`` rows of `a` and some rows of `x`, the steps apart.

    Vector ``s * len(rows) + r`` of `acc` gains the product of those at ``a[i + r * a_step]`` and ``x[j + s * x_step]``.
    """
    columns = np.concatenate([load((0,), a, i + r * a_step) for r in range(len(rows))]).astype(np.float64)
    samples = [load((0,), x, j + s * x_step) for s in range(len(acc) // len(rows))]
    result: F32 = (acc + np.concatenate([columns * s for s in samples])).astype(np.float32)
    return result


def weight(codebook: F32, symbols: NDArray[Any], index: int) -> Any:
    """Weight number `index`: ``codebook[symbols[index]]``, or ``symbols[index]`` where those are float32 weights."""
    found = get(symbols, index)
    return found if symbols.dtype == np.float32 else get(codebook, found)


def scale_shift(value: F32, scale: Any, shift: Any) -> F32:
    """``value * scale + shift``, rounded once."""
    result: F32 = (value.astype(np.float64) * scale + shift).astype(np.float32)
    return result


def scale_shift_rows(value: F32, rows: Tag, array: F32, scale: int, shift: int) -> F32:
    """``array[scale + r] * value + array[shift + r]``, rounded once, for row r of `value`, a run of vectors."""
    runs = value.reshape(len(rows), -1, LANES)
    return np.concatenate(
        [scale_shift(run, get(array, scale + r), get(array, shift + r)) for r, run in enumerate(runs)]
    )


def clamp(value: F32, low: Any, high: Any) -> F32:
    """Each lane kept between `low` and `high`; NaN stays."""
    value = np.where(value < np.float32(low), np.float32(low), value)
    return np.where(value > np.float32(high), np.float32(high), value)


def maximum(a: F32, b: F32) -> F32:
    """The greater of two vectors, lane by lane; NaN wins."""
    return np.where((a > b) | np.isnan(a), a, b)


def reduce_sum(value: F32) -> Any:
    """Sum of all lanes of all vectors, by halves."""
    vectors = list(value)
    while len(vectors) > 1:
        half = (len(vectors) + 1) // 2
        pairs = [a + b for a, b in zip(vectors, vectors[half:], strict=False)]
        vectors = pairs + vectors[len(pairs) : half]
    lanes = vectors[0]
    while len(lanes) > 1:
        lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
    return lanes[0]
