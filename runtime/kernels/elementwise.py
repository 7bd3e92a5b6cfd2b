"""Kernels that work along channels, and softmax. Arrays are C-contiguous float32; NaN passes through.

Outputs are clamped to `low` and `high`: (0, inf) is ReLU, (0, 6) ReLU6, (-inf, inf) nothing. An output may be an input.
"""

from __future__ import annotations

import math

import numpy as np

from ..jit import kernel
from .contract import F32
from .epilogue import clamp_number


@kernel
def affine(x: F32, out: F32, scale: F32, shift: F32, low: float, high: float) -> None:
    """``out[n, c] = clamp(scale[c] * x[n, c] + shift[c])``.

    Parameters
    ----------
    x, out : ndarray of float32, shape (batch, channels, inner)
    scale, shift : ndarray of float32, shape (channels,)
    low, high : float
    """
    lo, hi = np.float32(low), np.float32(high)
    batch, channels, inner = x.shape
    for n in range(batch):
        for c in range(channels):
            s, t = scale[c], shift[c]
            for i in range(inner):
                out[n, c, i] = clamp_number(s * x[n, c, i] + t, lo, hi)


@kernel
def softmax(x: F32, out: F32, log: bool) -> None:
    """Softmax, or its logarithm, over the middle axis, computed in float64.

    Parameters
    ----------
    x, out : ndarray of float32, shape (outer, n, inner)
    log : bool
    """
    outer, n, inner = x.shape
    for o in range(outer):
        for i in range(inner):
            top = float(x[o, 0, i])
            for k in range(1, n):
                v = float(x[o, k, i])
                top = v if v > top or v != v else top
            total = 0.0
            for k in range(n):
                total += math.exp(float(x[o, k, i]) - top)
            shift = top + math.log(total) if log else top
            for k in range(n):
                v = float(x[o, k, i]) - shift
                out[o, k, i] = v if log else math.exp(v) / total
