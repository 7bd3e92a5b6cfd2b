"""Arithmetic of values and layers that are held as integers: section 8 of the format page, in NumPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from .quantization import F32, LEVELS, WEIGHT_LEVELS, Range

U8: TypeAlias = NDArray[np.uint8]
F64: TypeAlias = NDArray[np.float64]

LEAST_FACTOR = 2.0**-100
"""Least magnitude of a layer's scale of a channel; what is less counts as this much."""
LARGEST_SUM = (1 << 31) - 1


def quantize(x: NDArray[np.floating], found: Range) -> U8:
    """Numbers as integers of a range; NaN becomes 0."""
    with np.errstate(over="ignore", invalid="ignore"):
        steps = np.rint(np.asarray(x, np.float32) * (np.float32(1) / np.float32(found.scale)))
        return to_bytes(steps + np.float32(found.zero_point))


def to_bytes(numbers: NDArray[np.floating], low: float = 0, high: float = LEVELS) -> U8:
    """Whole numbers as bytes within limits; NaN becomes the lower one."""
    limited: U8 = np.fmin(np.fmax(numbers, low), high).astype(np.uint8)
    return limited


def dequantize(q: U8, found: Range) -> F32:
    """The numbers that integers of a range stand for."""
    return (q.astype(np.float32) - np.float32(found.zero_point)) * np.float32(found.scale)


def ratio(given: Range, made: Range) -> np.float32:
    """How many steps of one range a step of another is."""
    return np.float32(np.float64(given.scale) / np.float64(made.scale))


def requantize(q: U8, given: Range, made: Range) -> U8:
    """Integers of one range as those of another."""
    if given == made:
        return q
    steps = (q.astype(np.float32) - np.float32(given.zero_point)) * ratio(given, made)
    return to_bytes(np.rint(steps) + np.float32(made.zero_point))


def integer_weights(weight: F32, scales: F32) -> NDArray[np.int8]:
    """A weight on its grid.

    Parameters
    ----------
    weight : ndarray of float32, shape (channels, ...)
        Finite.
    scales : ndarray of float32, shape (channels,)
    """
    steps = weight / scales.reshape(-1, *(1,) * (weight.ndim - 1))
    np.clip(np.rint(steps, out=steps), -WEIGHT_LEVELS, WEIGHT_LEVELS, out=steps)
    limited: NDArray[np.int8] = steps.astype(np.int8)
    return limited


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """A convolution or linear layer in integers: ``float32(sum of q * weights + offset) * factor``.

    Attributes
    ----------
    weights : ndarray of int8, shape (channels, ...)
    offset : ndarray of int32, shape (channels,)
    factor : ndarray of float32, shape (channels,)
        To steps of the output's range, or to numbers where it has none.
    """

    weights: NDArray[np.int8]
    offset: NDArray[np.int32]
    factor: F32

    @staticmethod
    def of(
        weight: F32,
        scales: F32,
        epilogue: tuple[F32 | None, F32 | None],
        correction: F32 | None,
        given: Range,
        made: Range | None,
    ) -> IntegerLayer | None:
        """Make a layer.

        Parameters
        ----------
        weight : ndarray of float32, shape (channels, ...)
        scales : ndarray of float32, shape (channels,)
            Of the weight.
        epilogue : tuple of (ndarray of float32, shape (channels,), or None)
            Scale and shift of each channel, after the products; None for ones and for zeros.
        correction : ndarray of float32, shape (channels,), or None
            Is added to the shift.
        given : Range
            Of the input.
        made : Range or None
            Of the output.

        Returns
        -------
        IntegerLayer or None
            None for one that has to be computed in float32: a weight or a factor is not finite, or sums may exceed 32
            bits.
        """
        if not np.isfinite(weight).all():
            return None
        weights = integer_weights(weight, scales)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            grid = np.float64(given.scale) * scales.astype(np.float64) * _factors(epilogue[0], len(scales))
            shift = np.rint(_shifts(epilogue[1], correction, len(scales)) / grid)
            factor = (grid if made is None else grid / np.float64(made.scale)).astype(np.float32)
        rows = weights.reshape(len(weights), -1)
        offset = shift - given.zero_point * rows.sum(axis=1, dtype=np.int64)
        most = LEVELS * np.abs(rows).sum(axis=1, dtype=np.int64) + np.abs(shift) + np.abs(offset)
        if not (np.isfinite(factor).all() and (most <= LARGEST_SUM).all()):
            return None
        return IntegerLayer(weights, offset.astype(np.int32), factor)


def _factors(scale: F32 | None, channels: int) -> F64:
    wide = np.ones(channels) if scale is None else scale.astype(np.float64)
    return np.where(np.abs(wide) < LEAST_FACTOR, LEAST_FACTOR, wide)


def _shifts(shift: F32 | None, correction: F32 | None, channels: int) -> F64:
    zeros = np.zeros(channels, np.float32)
    return np.add(zeros if shift is None else shift, zeros if correction is None else correction).astype(np.float64)
