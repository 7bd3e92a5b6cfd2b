"""Reductions of an axis to one element: of arrays (outer, n, inner) to (outer, inner), C-contiguous float32.

Rows of vectors are combined lane by lane; where there is one element beside the axis, a row's lanes are combined at its
end. In maxima and minima NaN wins, as in PyTorch.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import simd
from ...jit import inlined, kernel
from ...simd import LANES
from ..contract import F32

ONE = (0,)
LANES_LOG2 = 4
BLOCK = 128
"""Elements that are combined before what they make is merged with others: a longer chain of sums rounds more."""
_0, _1, _INFINITY = np.float32(0), np.float32(1), np.float32(np.inf)


@inlined
def _reduce(
    combine: Any, merge: Any, join: Any, finish: Any, start: Any, factor: Any, x: F32, out: F32, n: int, inner: int
) -> None:  # fmt: skip
    """``out[o, i] = finish(total, factor)``.

    Totals begin at `start`; ``combine(total, value, factor)`` takes an element in, lane by lane; ``merge(a, b)`` makes
    one total of two; ``join(total)`` makes all lanes what they are together. An element of ``start * factor`` changes
    nothing.
    """
    outer = len(out) // inner
    empty, nothing = simd.splat(ONE, start), simd.splat(ONE, start * factor)
    tail = n % LANES
    for o in range(outer):
        if inner == 1:
            total, end = empty, (o + 1) * n - tail
            for block in range(o * n, end, BLOCK * LANES):
                part = empty
                for k in range(block, min(block + BLOCK * LANES, end), LANES):
                    part = combine(part, simd.load(ONE, x, k), factor)
                total = merge(total, part)
            total = combine(total, simd.load_masked_or(x, end, (1 << tail) - 1, nothing), factor)
            simd.store_masked(out, o, 0, 1, finish(join(total), factor))
        else:
            for i in range(0, inner, LANES):
                total, end = empty, (o + 1) * n * inner
                for block in range(o * n * inner, end, BLOCK * inner):
                    part = empty
                    for k in range(block + i, min(block + BLOCK * inner, end), inner):
                        part = combine(part, simd.load_masked(x, k, 0, inner - i), factor)
                    total = merge(total, part)
                simd.store_masked(out, o * inner + i, 0, inner - i, finish(total, factor))


@inlined
def _add(total: Any, value: Any, factor: Any) -> Any:
    return simd.add(total, value)


@inlined
def _plus(a: Any, b: Any) -> Any:
    return simd.add(a, b)


@inlined
def _add_square(total: Any, value: Any, factor: Any) -> Any:
    return simd.fma_vectors(value, value, total)


@inlined
def _sum_of_lanes(total: Any) -> Any:
    return simd.splat(ONE, simd.reduce_sum(total))


@inlined
def _times(total: Any, factor: Any) -> Any:
    return simd.scale_shift(total, factor, _0)


@inlined
def _root(total: Any, factor: Any) -> Any:
    return simd.square_root(total)


@inlined
def _greater(total: Any, value: Any, factor: Any) -> Any:
    return simd.maximum(_times(value, factor), total)


@inlined
def _maximum(a: Any, b: Any) -> Any:
    return simd.maximum(b, a)


@inlined
def _greatest_lane(total: Any) -> Any:
    for _ in range(LANES_LOG2):
        total = simd.maximum_pairs(ONE, total, total)
    return total


@kernel
def reduce_sum(x: F32, out: F32, n: int, inner: int, factor: float) -> None:
    """Sum times a factor.

    Parameters
    ----------
    x, out : ndarray of float32, flat
        Of shapes (outer, n, inner) and (outer, inner).
    n, inner : int
    factor : float
    """
    _reduce(_add, _plus, _sum_of_lanes, _times, _0, np.float32(factor), x, out, n, inner)


@kernel
def reduce_extreme(x: F32, out: F32, n: int, inner: int, sign: float) -> None:
    """Maximum, or, with a sign of -1, minimum; parameters as in `reduce_sum`."""
    _reduce(_greater, _maximum, _greatest_lane, _times, -_INFINITY, np.float32(sign), x, out, n, inner)


@kernel
def reduce_l2(x: F32, out: F32, n: int, inner: int) -> None:
    """Root of the sum of squares; parameters as in `reduce_sum`."""
    _reduce(_add_square, _plus, _sum_of_lanes, _root, _0, _1, x, out, n, inner)
