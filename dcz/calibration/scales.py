"""Scales of weights, one for each output channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..dcformat.graph.integer import integer_weights
from ..dcformat.graph.quantization import F32, WEIGHT_LEVELS, WEIGHT_SCALES

DIGITS = 3
"""Significant digits of a scale: a manifest holds a text for each."""
SHRINKINGS = np.linspace(0.8, 1.0, 21)
"""Parts of the greatest weight that are tried as the largest on the grid."""
MOST_STEPS = float(1 << 24)
"""Most steps of the grid of sums that a channel's shift may take: float32 holds each."""


def weight_scales(weight: F32, least: NDArray[np.float64]) -> F32:
    """Scales whose grids are nearest to the weights, by the sum of squares.

    Parameters
    ----------
    weight : ndarray of float32, shape (channels, ...)
    least : ndarray of float64, shape (channels,)
        Least scales: with a smaller one a channel's shift would take more than `MOST_STEPS`.

    Returns
    -------
    ndarray of float32, shape (channels,)
    """
    rows = weight.reshape(len(weight), -1)
    whole = np.abs(rows).max(axis=1, initial=0) / np.float64(WEIGHT_LEVELS)
    best, errors = np.zeros(len(rows), np.float32), np.full(len(rows), np.inf)
    for part in SHRINKINGS:
        scales = _rounded_up(np.maximum(part * whole, least))
        error = np.square(rows - integer_weights(rows, scales) * scales[:, None]).sum(axis=1, dtype=np.float64)
        better = error < errors
        best[better], errors[better] = scales[better], error[better]
    return best


def _rounded_up(scales: NDArray[np.float64]) -> F32:
    """Scales of few digits, not below the given ones."""
    wanted = np.clip(scales, *WEIGHT_SCALES)
    unit = 10.0 ** (np.floor(np.log10(wanted)) - DIGITS + 1)
    return np.clip(np.ceil(wanted / unit - 1e-9) * unit, *WEIGHT_SCALES).astype(np.float32)
