"""What the NumPy side is written in: a `Vectors` value is an ndarray of float32, shape (count, 16)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Tag = tuple[object, ...]

LANES = 16


def span(array: NDArray[Any], first: int, count: int) -> NDArray[Any]:
    """Elements of a flat array, as a view; every access is checked against its bounds."""
    if not 0 <= first <= first + count <= len(array):
        raise IndexError(f"elements {first} to {first + count} of an array of {len(array)}")
    return array[first : first + count]
