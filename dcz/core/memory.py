"""Memory for what is large: on large pages, where the system has them.

The first touch of a page costs some microseconds, .8 ms a MiB on small pages; and weights that a kernel reads from end
to end come from large ones up to twice as fast.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

CACHE_LINE, LARGE_PAGE, FROM_NUMPY = 64, 1 << 21, 1 << 22


def room(count: int, dtype: DTypeLike, zeroed: bool = False) -> NDArray[Any]:
    """Array, uninitialised if not `zeroed`, from the start of a cache line on, or, from a MiB on, of a large page.

    NumPy asks the system for large pages from 4 MiB on; what is never touched takes no memory.
    """
    nbytes = count * np.dtype(dtype).itemsize
    large = nbytes >= LARGE_PAGE // 2
    boundary = LARGE_PAGE if large else CACHE_LINE
    raw = (np.zeros if zeroed else np.empty)(max(nbytes + boundary, FROM_NUMPY if large else 0), np.uint8)
    start = -raw.ctypes.data % boundary
    return raw[start : start + nbytes].view(dtype)
