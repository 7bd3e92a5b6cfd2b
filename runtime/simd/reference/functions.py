"""Steps of elementary functions, lane by lane: their meaning, in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .types import F32, LANES, Tag

__all__ = [
    "absolute",
    "copy_sign",
    "cosine",
    "divide",
    "exponent",
    "floor",
    "mantissa",
    "minimum",
    "multiply",
    "polynomial",
    "power",
    "power_of_two",
    "round_even",
    "scale_by_power",
    "select_equal",
    "select_less",
    "sine",
    "splat",
    "square_root",
    "subtract",
]

_ROUNDER = np.float32(3 << 22)
"""1.5 * 2^23: added to an integer below 2^22 in magnitude, the sum's low bits are that integer."""


def splat(tag: Tag, value: Any) -> F32:
    """As many vectors as `tag` is long, of one number."""
    return np.full((len(tag), LANES), value, np.float32)


def subtract(a: F32, b: F32) -> F32:
    """``a - b``, lane by lane."""
    return a - b


def multiply(a: F32, b: F32) -> F32:
    """``a * b``, lane by lane."""
    return a * b


def divide(a: F32, b: F32) -> F32:
    """``a / b``, lane by lane; by zero it gives infinity or NaN."""
    result: F32 = a / b
    return result


def minimum(a: F32, b: F32) -> F32:
    """The lesser of two vectors, lane by lane; NaN wins."""
    return np.where((a < b) | np.isnan(a), a, b)


def square_root(a: F32) -> F32:
    """Square root, lane by lane; NaN below zero."""
    return np.sqrt(a)


def power(a: F32, b: F32) -> F32:
    """``a ** b``, lane by lane, computed in float64."""
    with np.errstate(over="ignore"):
        result: F32 = (a.astype(np.float64) ** b).astype(np.float32)
    return result


def sine(a: F32) -> F32:
    """Sine, lane by lane, computed in float64: slow, and exact for large numbers too."""
    with np.errstate(invalid="ignore"):
        result: F32 = np.sin(a.astype(np.float64)).astype(np.float32)
    return result


def cosine(a: F32) -> F32:
    """Cosine, lane by lane, as `sine`."""
    with np.errstate(invalid="ignore"):
        result: F32 = np.cos(a.astype(np.float64)).astype(np.float32)
    return result


def absolute(a: F32) -> F32:
    """Magnitude, lane by lane."""
    return np.abs(a)


def copy_sign(a: F32, sign: F32) -> F32:
    """The magnitude of `a` with the sign of `sign`, lane by lane."""
    return np.copysign(a, sign)


def round_even(a: F32) -> F32:
    """The nearest integer, lane by lane; of two, the even one."""
    return np.rint(a)


def floor(a: F32) -> F32:
    """The greatest integer that is not above, lane by lane."""
    return np.floor(a)


def select_equal(a: F32, b: F32, yes: F32, no: F32) -> F32:
    """``yes if a == b else no``, lane by lane; NaN is not equal to anything."""
    return np.where(a == b, yes, no)


def select_less(a: F32, b: F32, yes: F32, no: F32) -> F32:
    """``yes if a < b else no``, lane by lane; NaN is not less than anything."""
    return np.where(a < b, yes, no)


def polynomial(x: F32, coefficients: tuple[Any, ...]) -> F32:
    """Value of a polynomial, lane by lane, by Horner's rule; the coefficient of the highest power comes first.

    Each step is rounded once.
    """
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = (total.astype(np.float64) * x + coefficient).astype(np.float32)
    return total


def power_of_two(n: F32) -> F32:
    """``2 ** n``, lane by lane, for integers -127 < n < 128; any number for others."""
    return ((n + (_ROUNDER + np.float32(127))).view(np.uint32) << np.uint32(23)).view(np.float32)


def scale_by_power(x: F32, n: F32) -> F32:
    """``x * 2 ** n``, lane by lane, rounded once, for integers -200 < n < 200 and normal x from 1 / 4 to 4, or NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.ldexp(x, n.astype(np.int32))


def exponent(a: F32) -> F32:
    """The n of ``a = m * 2 ** n`` with 0.5 <= m < 1, lane by lane; `a` is normal and positive, or any n is given."""
    return ((a.view(np.int32) >> 23) - 126).astype(np.float32)


def mantissa(a: F32) -> F32:
    """The m of ``a = m * 2 ** n`` with 0.5 <= m < 1, lane by lane; `a` is normal and positive, or any m is given."""
    return ((a.view(np.int32) & 0x007FFFFF) | 0x3F000000).view(np.float32)
