"""Weights on a grid of their own in each row, as quantization by output channel leaves them: levels and scales.

A row's weights are fp32(level x scale) with small integer levels. There may be thousands of distinct weights in a
tensor of 256 levels, so the levels are coded and the scales stand beside them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..tensors import Array

SIGN = 1 << 15
"""Bit of a level's pattern that holds its sign; the bits below hold its magnitude. So minus zero is a pattern too."""
MAX_LEVEL = 255
"""Largest level that is looked for: 8 bits and a sign."""
_SAMPLE = 64


def split_rows(array: Array) -> tuple[NDArray[np.float32], NDArray[np.uint16]] | None:
    """Split a tensor into scales and levels.

    Parameters
    ----------
    array : ndarray of float32
        A row is what shares an index along the first axis.

    Returns
    -------
    scales : ndarray of float32, shape (rows,)
        Positive; 1 for a row of zeros.
    levels : ndarray of uint16, of the array's shape
        Patterns. ``level_values(levels) * scales``, row by row, is the array bit for bit. None where a row has no grid.
    """
    if array.ndim < 2:
        return None
    rows = array.reshape(array.shape[0], -1)
    scales = np.empty(len(rows), dtype=np.float32)
    for row, weights in enumerate(rows):
        scale = _scale_of(weights)
        if scale is None:
            return None
        scales[row] = scale
    levels = np.empty(rows.shape, dtype=np.uint16)
    for weights, scale, out in zip(rows, scales, levels, strict=True):
        signs = np.where(np.signbit(weights), np.uint16(SIGN), np.uint16(0))
        out[:] = np.abs(np.rint(weights / scale)).astype(np.uint16) | signs
    return scales, levels.reshape(array.shape)


def _scale_of(weights: NDArray[np.float32]) -> np.float32 | None:
    """The coarsest scale whose multiples the weights are, bit for bit; None if there is none of few enough levels."""
    largest = np.abs(weights).max()
    if not largest:
        return np.float32(1)
    if not np.isfinite(largest):
        return None
    # The scale is the largest weight over its level, but for rounding: try the numbers beside that too.
    near = (largest / np.arange(1, MAX_LEVEL + 1)).astype(np.float32)
    with np.errstate(over="ignore", under="ignore"):
        scales = np.stack([near, np.nextafter(near, np.float32(0)), np.nextafter(near, np.float32(np.inf))], axis=1)
    scales = scales[(scales > 0) & np.isfinite(scales)]
    stored = weights[weights != 0]
    scales = scales[_fits(stored[:_SAMPLE], scales[:, None]).all(axis=1)]  # most scales fail on a few weights
    return next((scale for scale in scales if _fits(stored, scale).all()), None)


def _fits(weights: NDArray[np.float32], scales: Array) -> NDArray[np.bool_]:
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.rint(weights / scales) * scales == weights)


def level_values(patterns: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Levels as numbers, exactly."""
    magnitudes = (patterns & (SIGN - 1)).astype(np.float32)
    return np.where(patterns & SIGN, -magnitudes, magnitudes)
