"""Kernels of one number in, one number out. Arrays are flat float32 of one length; the output may be the input.

A kernel has the name of its operator, and takes the operator's attributes behind the arrays, in their order. They are
rounded to float32 first. NaN passes through.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import simd
from ..jit import inlined, kernel
from ..simd import LANES
from . import functions
from .contract import F32
from .functions import ONE

_ZERO, _1 = np.float32(0), np.float32(1)


@inlined
def each(function: Any, x: F32, out: F32, *numbers: Any) -> None:
    """``out = function(x, *numbers)``, vector by vector."""
    end = len(x) - len(x) % LANES
    for i in range(0, end, LANES):
        simd.store(out, i, function(simd.load(ONE, x, i), *numbers))
    rest = len(x) - end
    if rest > 0:
        simd.store_masked(out, end, 0, rest, function(simd.load_masked(x, end, 0, rest), *numbers))


@kernel
def clamp(x: F32, out: F32, low: float, high: float) -> None:
    """``min(max(x, low), high)``."""
    each(simd.clamp, x, out, np.float32(low), np.float32(high))


@inlined
def _leaky_relu(x: Any, slope: Any) -> Any:
    below = simd.multiply(x, simd.splat(ONE, slope))
    return simd.select_less(simd.splat(ONE, _ZERO), x, x, below)


@kernel
def leaky_relu(x: F32, out: F32, negative_slope: float) -> None:
    """``x if x > 0 else negative_slope * x``."""
    each(_leaky_relu, x, out, np.float32(negative_slope))


@kernel
def prelu(x: F32, out: F32, slope: F32) -> None:
    """As `leaky_relu`, by channel.

    Parameters
    ----------
    x, out : ndarray of float32, shape (batch, channels, inner)
    slope : ndarray of float32, shape (channels,)
    """
    for n in range(x.shape[0]):
        for c in range(x.shape[1]):
            each(_leaky_relu, x[n, c], out[n, c], slope[c])


@kernel
def sigmoid(x: F32, out: F32) -> None:
    """``1 / (1 + exp(-x))``."""
    each(functions.sigmoid, x, out)


@kernel
def silu(x: F32, out: F32) -> None:
    """``x * sigmoid(x)``."""
    each(functions.silu, x, out)


@kernel
def gelu(x: F32, out: F32, tanh: bool) -> None:
    """``x / 2 * (1 + erf(x / sqrt(2)))``, or the same with tanh."""
    if tanh:
        each(functions.gelu_tanh, x, out)
    else:
        each(functions.gelu, x, out)


@inlined
def _hardsigmoid(x: Any, alpha: Any, beta: Any) -> Any:
    return simd.clamp(simd.scale_shift(x, alpha, beta), _ZERO, _1)


@kernel
def hardsigmoid(x: F32, out: F32, alpha: float, beta: float) -> None:
    """``clamp(alpha * x + beta, 0, 1)``."""
    each(_hardsigmoid, x, out, np.float32(alpha), np.float32(beta))


@kernel
def hardswish(x: F32, out: F32) -> None:
    """``x * clamp(x + 3, 0, 6) / 6``."""
    each(functions.hardswish, x, out)


@kernel
def tanh(x: F32, out: F32) -> None:
    """Hyperbolic tangent."""
    each(functions.tanh, x, out)


@inlined
def _elu(x: Any, alpha: Any, scale: Any, input_scale: Any) -> Any:
    below = simd.multiply(functions.expm1(simd.multiply(x, simd.splat(ONE, input_scale))), simd.splat(ONE, alpha))
    return simd.multiply(simd.select_less(simd.splat(ONE, _ZERO), x, x, below), simd.splat(ONE, scale))


@kernel
def elu(x: F32, out: F32, alpha: float, scale: float, input_scale: float) -> None:
    """``scale * (x if x > 0 else alpha * (exp(input_scale * x) - 1))``."""
    each(_elu, x, out, np.float32(alpha), np.float32(scale), np.float32(input_scale))


@inlined
def _softplus(x: Any, beta: Any, threshold: Any) -> Any:
    y, by = simd.multiply(x, simd.splat(ONE, beta)), simd.splat(ONE, beta)
    fraction = functions.exp(functions.negative(simd.absolute(y)))
    total = simd.add(simd.maximum(y, simd.splat(ONE, _ZERO)), functions.log1p_of_fraction(fraction))
    return simd.select_less(simd.splat(ONE, threshold), y, x, simd.divide(total, by))


@kernel
def softplus(x: F32, out: F32, beta: float, threshold: float) -> None:
    """``log(1 + exp(beta * x)) / beta``, or x itself where ``beta * x > threshold``."""
    each(_softplus, x, out, np.float32(beta), np.float32(threshold))


@kernel
def mish(x: F32, out: F32) -> None:
    """``x * tanh(log(1 + exp(x)))``."""
    each(functions.mish, x, out)


@kernel
def affine(x: F32, out: F32, scale: float, shift: float) -> None:
    """``scale * x + shift``, rounded once."""
    each(simd.scale_shift, x, out, np.float32(scale), np.float32(shift))


@inlined
def _power(x: Any, exponent: Any) -> Any:
    return simd.power(x, simd.splat(ONE, exponent))


@inlined
def _square(x: Any) -> Any:
    return simd.multiply(x, x)


@kernel
def power(x: F32, out: F32, exponent: float) -> None:
    """``x ** exponent``, in float64; a square by multiplication."""
    if exponent == 2:
        each(_square, x, out)
    else:
        each(_power, x, out, np.float32(exponent))


@inlined
def _reciprocal(x: Any) -> Any:
    return simd.divide(simd.splat(ONE, _1), x)


@kernel
def reciprocal(x: F32, out: F32) -> None:
    """``1 / x``."""
    each(_reciprocal, x, out)


@kernel
def sqrt(x: F32, out: F32) -> None:
    """Square root; NaN below zero."""
    each(simd.square_root, x, out)


@kernel
def exp(x: F32, out: F32) -> None:
    """Exponential function."""
    each(functions.exp, x, out)


@kernel
def log(x: F32, out: F32) -> None:
    """Natural logarithm: minus infinity of zero, NaN below."""
    each(functions.log, x, out)


@kernel
def erf(x: F32, out: F32) -> None:
    """Error function."""
    each(functions.erf, x, out)


@kernel
def sin(x: F32, out: F32) -> None:
    """Sine, off by 1.2e-7 at most; NaN of infinity."""
    each(functions.sin, x, out)


@kernel
def cos(x: F32, out: F32) -> None:
    """Cosine, off by 1.2e-7 at most; NaN of infinity."""
    each(functions.cos, x, out)


@kernel
def floor(x: F32, out: F32) -> None:
    """The greatest integer that is not above."""
    each(simd.floor, x, out)


@inlined
def _ceil(x: Any) -> Any:
    return functions.negative(simd.floor(functions.negative(x)))


@kernel
def ceil(x: F32, out: F32) -> None:
    """The least integer that is not below."""
    each(_ceil, x, out)


@kernel
def round(x: F32, out: F32) -> None:
    """The nearest integer; of two, the even one."""
    each(simd.round_even, x, out)


@kernel
def abs(x: F32, out: F32) -> None:
    """Magnitude."""
    each(simd.absolute, x, out)
