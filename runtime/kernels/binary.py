"""Kernels of two numbers in, one number out, with NumPy's broadcasting. NaN passes through arithmetic.

A kernel has the name of its operator. Outputs are clamped to `low` and `high`: (0, inf) is ReLU, (0, 6) ReLU6,
(-inf, inf) nothing.

Parameters of all kernels
-------------------------
a, b : ndarray of float32, flat
out : ndarray of float32, flat, C-contiguous
    May be `a` or `b`, where that has as many elements.
sizes : ndarray of int64, shape (3, axes)
    The output's shape; the distances from an element to the next along each axis, in `a` and in `b`: 0 where an operand
    is broadcast, and 0 or 1 along the last axis.
low, high : float
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import simd
from ..jit import inlined, kernel
from ..simd import LANES
from .contract import F32, I64, Call
from .copy import merged_axes
from .functions import ONE

_ZERO, _ONE = np.float32(0), np.float32(1)


@inlined
def _operand(x: F32, at: int, step: int) -> Any:
    """A vector from an element on, or of that one element."""
    return simd.load(ONE, x, at) if step > 0 else simd.splat(ONE, simd.get(x, at))


@inlined
def _last_operand(x: F32, at: int, step: int, width: int) -> Any:
    """As `_operand`, for fewer elements than a vector has."""
    return simd.load_masked(x, at, 0, width) if step > 0 else simd.splat(ONE, simd.get(x, at))


@inlined
def each_pair(function: Any, a: F32, b: F32, out: F32, sizes: I64, low: float, high: float) -> None:
    """``out = clamp(function(a, b))``, row by row and vector by vector."""
    lo, hi = np.float32(low), np.float32(high)
    last = sizes.shape[1] - 1
    width, step_a, step_b = sizes[0, last], sizes[1, last], sizes[2, last]
    rest = width % LANES
    rows = 1
    for axis in range(last):
        rows *= sizes[0, axis]
    for row in range(rows):
        left, i, j = row, 0, 0
        for axis in range(last - 1, -1, -1):
            i += left % sizes[0, axis] * sizes[1, axis]
            j += left % sizes[0, axis] * sizes[2, axis]
            left //= sizes[0, axis]
        target = row * width
        for k in range(0, width - rest, LANES):
            made = function(_operand(a, i + k * step_a, step_a), _operand(b, j + k * step_b, step_b))
            simd.store(out, target + k, simd.clamp(made, lo, hi))
        if rest > 0:
            k = width - rest
            x = _last_operand(a, i + k * step_a, step_a, rest)
            y = _last_operand(b, j + k * step_b, step_b, rest)
            simd.store_masked(out, target + k, 0, rest, simd.clamp(function(x, y), lo, hi))


@kernel
def add(a: F32, b: F32, out: F32, sizes: I64, low: float, high: float) -> None:
    """``a + b``."""
    each_pair(simd.add, a, b, out, sizes, low, high)


@kernel
def sub(a: F32, b: F32, out: F32, sizes: I64, low: float, high: float) -> None:
    """``a - b``."""
    each_pair(simd.subtract, a, b, out, sizes, low, high)


@kernel
def mul(a: F32, b: F32, out: F32, sizes: I64, low: float, high: float) -> None:
    """``a * b``."""
    each_pair(simd.multiply, a, b, out, sizes, low, high)


@kernel
def div(a: F32, b: F32, out: F32, sizes: I64, low: float, high: float) -> None:
    """``a / b``."""
    each_pair(simd.divide, a, b, out, sizes, low, high)


@kernel
def maximum(a: F32, b: F32, out: F32, sizes: I64, low: float, high: float) -> None:
    """The greater of two numbers; NaN wins."""
    each_pair(simd.maximum, a, b, out, sizes, low, high)


@kernel
def minimum(a: F32, b: F32, out: F32, sizes: I64, low: float, high: float) -> None:
    """The lesser of two numbers; NaN wins."""
    each_pair(simd.minimum, a, b, out, sizes, low, high)


@kernel
def pow(a: F32, b: F32, out: F32, sizes: I64, low: float, high: float) -> None:
    """``a ** b``, computed in float64."""
    each_pair(simd.power, a, b, out, sizes, low, high)


@inlined
def _equal(a: Any, b: Any) -> Any:
    return simd.select_equal(a, b, simd.splat(ONE, _ONE), simd.splat(ONE, _ZERO))


@inlined
def _less(a: Any, b: Any) -> Any:
    return simd.select_less(a, b, simd.splat(ONE, _ONE), simd.splat(ONE, _ZERO))


@inlined
def _mask(a: Any, b: Any) -> Any:
    zero = simd.splat(ONE, _ZERO)
    return simd.select_equal(b, zero, zero, a)


@kernel
def equal(a: F32, b: F32, out: F32, sizes: I64, low: float, high: float) -> None:
    """1 where ``a == b``, else 0."""
    each_pair(_equal, a, b, out, sizes, low, high)


@kernel
def less(a: F32, b: F32, out: F32, sizes: I64, low: float, high: float) -> None:
    """1 where ``a < b``, else 0."""
    each_pair(_less, a, b, out, sizes, low, high)


@kernel
def mask(a: F32, b: F32, out: F32, sizes: I64, low: float, high: float) -> None:
    """``a`` where ``b`` is not 0, else 0."""
    each_pair(_mask, a, b, out, sizes, low, high)


def pair(function: Any, a: F32, b: F32, out: F32, low: float, high: float) -> Call:
    """A call of one of these kernels on arrays that broadcast to the output's shape, each C-contiguous."""
    steps = [[n // out.itemsize for n in np.broadcast_to(x, out.shape).strides] for x in (a, b)]
    axes = merged_axes(out.shape, *steps)
    return function, (a.reshape(-1), b.reshape(-1), out.reshape(-1), np.array(axes).T.copy(), low, high)
