"""Elementary functions and activations of vectors, for kernels. NaN passes through; errors are a few units in the last
place of the answer, unless a function says otherwise.

Sources of the polynomials: ``expf``, ``logf`` and ``sinf`` of the Cephes library (S. Moshier, 1989); the rational
``erf`` of Eigen (``generic_fast_erf_float``); erfc is a fit of our own, minimax in the relative error (5e-9) for
0 <= x <= 14.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import simd
from ..jit import inlined

ONE = (0,)
_ZERO, _HALF, _1, _2, _3, _6 = (np.float32(n) for n in (0, 0.5, 1, 2, 3, 6))
_LOG2_E = np.float32(1.44269504088896341)
_MINUS_LN_2 = np.float32(-0.693359375), np.float32(2.12194440e-4)
"""-ln 2 in two parts, of which the first times an exponent is exact."""
_EXP = tuple(
    np.float32(c)
    for c in (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
)
_LOG = tuple(
    np.float32(c)
    for c in (
        7.0376836292e-2,
        -1.1514610310e-1,
        1.1676998740e-1,
        -1.2420140846e-1,
        1.4249322787e-1,
        -1.6668057665e-1,
        2.0000714765e-1,
        -2.4999993993e-1,
        3.3333331174e-1,
    )
)
_ERF_OVER = tuple(
    np.float32(c)
    for c in (
        -2.72614225801306e-10,
        2.77068142495902e-08,
        -2.10102402082508e-06,
        -5.69250639462346e-05,
        -7.34990630326855e-04,
        -2.95459980854025e-03,
        -1.60960333262415e-02,
    )
)
_ERF_UNDER = tuple(
    np.float32(c)
    for c in (
        -1.45660718464996e-05,
        -2.13374055278905e-04,
        -1.68282697438203e-03,
        -7.37332916720468e-03,
        -1.42647390514189e-02,
    )
)
_ERFC = tuple(
    np.float32(c)
    for c in (
        -0.0404236447,
        0.2196274,
        -0.442135878,
        0.363508411,
        -0.144254189,
        0.184868838,
        0.159055789,
        0.220365664,
        0.239600858,
        0.239786757,
    )
)
"""``exp(x * x) * erfc(x) / t`` as a polynomial in ``t = 1 / (1 + .425 x)``, for x >= 0."""
_ERFC_STEP = np.float32(0.425)
_ROOT_HALF = np.float32(0.707106781186547524)
_LEAST_NORMAL, _LEAST, _GREATEST = np.float32(1.17549435e-38), np.float32(1e-45), np.float32(3.4028234664e38)
_NAN, _INFINITY = np.float32(np.nan), np.float32(np.inf)
_EXP_LIMITS = np.float32(-104), np.float32(89)
"""Where exp is zero, and where infinity."""
_EXPM1_LIMITS = np.float32(-87), np.float32(88)
_MISH_LIMIT = np.float32(40)
"""From where on tanh(softplus(x)) is one."""
_2_TO_23, _23 = np.float32(1 << 23), np.float32(23)
_QUARTERS = np.float32(2 / np.pi)
_MINUS_QUARTER = tuple(np.float32(c) for c in (-1.57079637050628662, 4.37113900018624283e-8, 1.71512449701e-15))
"""-pi/2 in three parts."""
_NEAR = np.float32(1 << 20)
"""Magnitude up to which the parts of pi/2 are exact enough."""
_SIN = tuple(np.float32(c) for c in (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1))
_COS = tuple(np.float32(c) for c in (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2))
_QUARTER, _3_HALVES, _4 = np.float32(0.25), np.float32(1.5), np.float32(4)
_GELU = np.float32(2 * 0.797884560802865356), np.float32(2 * 0.797884560802865356 * 0.044715)


@inlined
def negative(x: Any) -> Any:
    """``0 - x``."""
    return simd.subtract(simd.splat(ONE, _ZERO), x)


@inlined
def _exp_parts(x: Any) -> Any:
    """The n and q of ``exp(x) = 2 ** n * (1 + q)``, n an integer and q small."""
    n = simd.round_even(simd.multiply(x, simd.splat(ONE, _LOG2_E)))
    r = simd.fma_vectors(n, simd.splat(ONE, _MINUS_LN_2[0]), x)
    r = simd.fma_vectors(n, simd.splat(ONE, _MINUS_LN_2[1]), r)
    return n, simd.fma_vectors(simd.multiply(r, r), simd.polynomial(r, _EXP), r)


@inlined
def exp(x: Any) -> Any:
    """Exponential function."""
    n, q = _exp_parts(simd.clamp(x, _EXP_LIMITS[0], _EXP_LIMITS[1]))
    return simd.scale_by_power(simd.add(q, simd.splat(ONE, _1)), n)


@inlined
def expm1(x: Any) -> Any:
    """``exp(x) - 1``, exact near zero; x is cut off at 88."""
    n, q = _exp_parts(simd.clamp(x, _EXPM1_LIMITS[0], _EXPM1_LIMITS[1]))
    power = simd.power_of_two(n)
    return simd.fma_vectors(power, q, simd.subtract(power, simd.splat(ONE, _1)))


@inlined
def log(x: Any) -> Any:
    """Natural logarithm: minus infinity of zero, NaN below."""
    tiny = simd.splat(ONE, _LEAST_NORMAL)
    normal = simd.select_less(x, tiny, simd.multiply(x, simd.splat(ONE, _2_TO_23)), x)
    e = simd.subtract(simd.exponent(normal), simd.select_less(x, tiny, simd.splat(ONE, _23), simd.splat(ONE, _ZERO)))
    m, root, one = simd.mantissa(normal), simd.splat(ONE, _ROOT_HALF), simd.splat(ONE, _1)
    e = simd.subtract(e, simd.select_less(m, root, one, simd.splat(ONE, _ZERO)))
    f = simd.subtract(simd.select_less(m, root, simd.add(m, m), m), one)
    square = simd.multiply(f, f)
    y = simd.multiply(simd.multiply(f, square), simd.polynomial(f, _LOG))
    y = simd.fma_vectors(e, simd.splat(ONE, -_MINUS_LN_2[1]), y)
    y = simd.fma_vectors(square, simd.splat(ONE, -_HALF), y)
    y = simd.fma_vectors(e, simd.splat(ONE, -_MINUS_LN_2[0]), simd.add(f, y))
    y = simd.add(y, simd.subtract(x, x))  # NaN stays
    y = simd.select_less(simd.splat(ONE, _GREATEST), x, x, y)
    y = simd.select_less(x, simd.splat(ONE, _LEAST), simd.splat(ONE, -_INFINITY), y)
    return simd.select_less(x, simd.splat(ONE, _ZERO), simd.splat(ONE, _NAN), y)


@inlined
def log1p_of_fraction(u: Any) -> Any:
    """``log(1 + u)`` for 0 <= u <= 1, exact near zero (W. Kahan): the rounding of 1 + u is divided out."""
    one = simd.splat(ONE, _1)
    w = simd.add(u, one)
    rounded = simd.subtract(w, one)
    corrected = simd.divide(simd.multiply(log(w), u), rounded)
    return simd.select_less(simd.splat(ONE, _ZERO), rounded, corrected, u)


@inlined
def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    magnitude = simd.absolute(x)
    t = expm1(simd.add(magnitude, magnitude))
    return simd.copy_sign(simd.divide(t, simd.add(t, simd.splat(ONE, _2))), x)


@inlined
def erfc_of_positive(x: Any) -> Any:
    """``1 - erf(x)`` for x >= 0."""
    one = simd.splat(ONE, _1)
    t = simd.divide(one, simd.scale_shift(x, _ERFC_STEP, _1))
    return simd.multiply(simd.multiply(t, simd.polynomial(t, _ERFC)), exp(negative(simd.multiply(x, x))))


@inlined
def erf(x: Any) -> Any:
    """Error function."""
    magnitude, one = simd.absolute(x), simd.splat(ONE, _1)
    square = simd.multiply(x, x)
    under = simd.polynomial(square, _ERF_UNDER)
    near = simd.multiply(magnitude, simd.divide(simd.polynomial(square, _ERF_OVER), under))
    far = simd.subtract(one, erfc_of_positive(magnitude))
    return simd.copy_sign(simd.select_less(magnitude, one, near, far), x)


@inlined
def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``."""
    one = simd.splat(ONE, _1)
    return simd.divide(one, simd.add(one, exp(negative(x))))


@inlined
def silu(x: Any) -> Any:
    """``x * sigmoid(x)``."""
    return simd.divide(x, simd.add(simd.splat(ONE, _1), exp(negative(x))))


@inlined
def gelu(x: Any) -> Any:
    """``x / 2 * (1 + erf(x / sqrt(2)))``, by erfc of the magnitude: small answers below zero are exact too."""
    half = simd.clamp(simd.multiply(x, simd.splat(ONE, _HALF)), -_INFINITY, _GREATEST)  # infinity times 0 is NaN
    tail = simd.multiply(half, erfc_of_positive(simd.absolute(simd.multiply(x, simd.splat(ONE, _ROOT_HALF)))))
    return simd.select_less(simd.splat(ONE, _ZERO), x, simd.subtract(x, tail), tail)


@inlined
def gelu_tanh(x: Any) -> Any:
    """``x / 2 * (1 + tanh(sqrt(2 / pi) * (x + .044715 x^3)))``, which is x times a sigmoid."""
    inner = simd.scale_shift(simd.multiply(x, x), _GELU[1], _GELU[0])
    return simd.divide(x, simd.add(simd.splat(ONE, _1), exp(negative(simd.multiply(x, inner)))))


@inlined
def mish(x: Any) -> Any:
    """``x * tanh(log(1 + exp(x)))``, where tanh(log y) = (y^2 - 1) / (y^2 + 1)."""
    e = exp(simd.clamp(x, _EXP_LIMITS[0], _MISH_LIMIT))
    two = simd.splat(ONE, _2)
    over = simd.multiply(e, simd.add(e, two))
    return simd.multiply(x, simd.divide(over, simd.add(over, two)))


@inlined
def _sine_of_turned(x: Any, quarters: Any) -> Any:
    """``sin(x + quarters * pi / 2)`` for magnitudes up to `_NEAR`: off by 1.2e-7 at most.

    x is n quarter turns and r, of at most some pi/4. The first part of pi/2 is subtracted without rounding.
    """
    n = simd.round_even(simd.multiply(x, simd.splat(ONE, _QUARTERS)))
    r = simd.fma_vectors(n, simd.splat(ONE, _MINUS_QUARTER[0]), x)
    r = simd.fma_vectors(n, simd.splat(ONE, _MINUS_QUARTER[1]), r)
    r = simd.fma_vectors(n, simd.splat(ONE, _MINUS_QUARTER[2]), r)
    square = simd.multiply(r, r)
    sine = simd.fma_vectors(simd.multiply(square, r), simd.polynomial(square, _SIN), r)
    cosine = simd.scale_shift(square, -_HALF, _1)
    cosine = simd.fma_vectors(simd.multiply(square, square), simd.polynomial(square, _COS), cosine)
    turn = simd.add(n, simd.splat(ONE, quarters))
    whole = simd.round_even(simd.scale_shift(turn, _QUARTER, -_QUARTER * _3_HALVES))
    turn = simd.fma_vectors(whole, simd.splat(ONE, -_4), turn)  # 0 to 3
    from_odd = simd.absolute(
        simd.subtract(simd.absolute(simd.subtract(turn, simd.splat(ONE, _2))), simd.splat(ONE, _1))
    )
    y = simd.select_less(from_odd, simd.splat(ONE, _HALF), cosine, sine)
    return simd.select_less(simd.splat(ONE, _3_HALVES), turn, negative(y), y)


@inlined
def _is_near(x: Any) -> Any:
    """Whether no lane is beyond `_NEAR`."""
    one, zero = simd.splat(ONE, _1), simd.splat(ONE, _ZERO)
    return simd.reduce_sum(simd.select_less(simd.splat(ONE, _NEAR), simd.absolute(x), one, zero)) == _ZERO


@inlined
def sin(x: Any) -> Any:
    """Sine; NaN of infinity."""
    return _sine_of_turned(x, _ZERO) if _is_near(x) else simd.sine(x)


@inlined
def cos(x: Any) -> Any:
    """Cosine; NaN of infinity."""
    return _sine_of_turned(x, _1) if _is_near(x) else simd.cosine(x)


@inlined
def hardswish(x: Any) -> Any:
    """``x * clamp(x + 3, 0, 6) / 6``."""
    gate = simd.clamp(simd.add(x, simd.splat(ONE, _3)), _ZERO, _6)
    return simd.divide(simd.multiply(x, gate), simd.splat(ONE, _6))
