"""Pooling of 16 samples side by side: a pixel of all samples is one vector. NaN wins in max pooling, as in PyTorch.

A window is a range of rows and a range of columns of the image, so one kernel serves every kind of pooling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ... import simd
from ...jit import kernel
from ...simd import LANES
from ..contract import F32, I64

BLOCK = 128
"""Pixels that are summed before their sum is added to others: a longer chain rounds more."""


@dataclass(frozen=True)
class Windows:
    """The windows along one axis, in image coordinates: window i holds ``range(first[i], last[i], step)``.

    Attributes
    ----------
    first, last : ndarray of int64, shape (out,)
        Within the image.
    step : int
    divisors : ndarray of float32, shape (out,)
        Elements of a window along this axis by which an average is divided.
    """

    first: I64
    last: I64
    step: int
    divisors: F32

    def arrays(self) -> tuple[I64, I64, int, F32]:
        """The arguments of a kernel."""
        return self.first, self.last, self.step, self.divisors

    @classmethod
    def regular(cls, size: int, kernel: int, stride: int, padding: int, dilation: int, divisors: F32) -> Windows:
        """Windows of pooling with a kernel."""
        start = np.arange(len(divisors)) * stride - padding
        first = start + (np.maximum(0, -start) + dilation - 1) // dilation * dilation
        last = np.minimum(start + (kernel - 1) * dilation + 1, size)
        return cls(first.astype(np.int64), last.astype(np.int64), dilation, divisors)

    @classmethod
    def adaptive(cls, size: int, out: int) -> Windows:
        """Window i of n goes from floor(i * size / n) to ceil((i + 1) * size / n), as in PyTorch."""
        index = np.arange(out)
        first, last = index * size // out, -(-(index + 1) * size // out)
        return cls(first.astype(np.int64), last.astype(np.int64), 1, (last - first).astype(np.float32))


@kernel
def pool_lanes(
    x: F32,
    out: F32,
    height: int,
    width: int,
    top: I64,
    bottom: I64,
    row_step: int,
    rows: F32,
    left: I64,
    right: I64,
    column_step: int,
    columns: F32,
    largest: bool,
) -> None:
    """Pool 16 samples.

    Parameters
    ----------
    x, out : ndarray of float32, flat
        Of shape (channels, height, width, 16) and (channels, out height, out width, 16).
    height, width : int
    top, bottom, row_step, rows, left, right, column_step, columns
        The `Windows` of rows and of columns.
    largest : bool
        Keep the largest element of a window (minus infinity if it is empty), or the sum divided by the divisors.
    """
    neutral, target = np.float32(-np.inf if largest else 0), 0
    for plane in range(0, len(x), height * width * LANES):
        for i in range(len(rows)):
            for j in range(len(columns)):
                value = simd.scale_shift(simd.zeros((0,)), 1.0, neutral)
                total, pixels = simd.zeros((0,)), 0
                for row in range(top[i], bottom[i], row_step):
                    for column in range(left[j], right[j], column_step):
                        pixel = simd.load((0,), x, plane + (row * width + column) * LANES)
                        value = simd.maximum(pixel, value) if largest else simd.add(value, pixel)
                    pixels += right[j] - left[j]
                    if not largest and pixels > BLOCK:
                        total, value, pixels = simd.add(total, value), simd.zeros((0,)), 0
                if not largest:
                    value = simd.scale_shift(simd.add(total, value), 1 / (rows[i] * columns[j]), 0.0)
                simd.store(out, target, value)
                target += LANES
