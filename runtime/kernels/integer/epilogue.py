"""The epilogue of an integer layer: from sums to bytes, or to float32 where the value is no byte."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..contract import F32


@dataclass(frozen=True)
class IntegerEpilogue:
    """What is done to the sum of each output element before it is stored.

    ``value = float32(sum + offset[o]) * factor[o] + (residual - residual_zero) * residual_factor``, each operation
    rounded to float32. A byte is ``clamp(round(value) + zero, low, high)``; a float32 is ``clamp(value, low, high)``.

    Attributes
    ----------
    offset : ndarray of int32, shape (out_channels,)
    factor : ndarray of float32, shape (out_channels,)
    zero : int
        What stands for zero in the output; of bytes.
    low, high : float
        Limits of the output: integers for bytes.
    residual : bool
        Whether a second value, of bytes in planes of the output's form, is added.
    residual_zero : int
    residual_factor : float
    """

    offset: NDArray[np.int32]
    factor: F32
    zero: int = 0
    low: float = 0.0
    high: float = 255.0
    residual: bool = False
    residual_zero: int = 0
    residual_factor: float = 0.0

    def array(self) -> F32:
        """The numbers as `simd.store_outputs` takes them, shape (out_channels + 4,)."""
        rest = self.low, self.high, self.residual_zero, self.residual_factor
        return np.concatenate([self.factor, np.array(rest, np.float32)])

    def limits(self) -> dict[str, int]:
        """What stands for zero in bytes of the output, and their limits; of float32 they are not used."""
        low, high = (int(np.clip(limit, 0, 255)) for limit in (self.low, self.high))
        return {"zero": self.zero, "low": low, "high": high}
