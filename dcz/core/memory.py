"""Memory for large arrays: on large pages, where the system has them; and memory given back to the system.

The first access to a page costs some microseconds: .8 ms a MiB on small pages. A kernel that reads weights from end to
end does so up to twice as fast from large pages.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

CACHE_LINE, LARGE_PAGE, FROM_NUMPY = 64, 1 << 21, 1 << 22


def room(count: int, dtype: DTypeLike, zeroed: bool = False) -> NDArray[Any]:
    """Allocate an array aligned to a cache line, or, from 1 MiB on, to a large page; uninitialised unless `zeroed`.

    NumPy asks the system for large pages from 4 MiB on. Memory that is never accessed is never allocated.
    """
    nbytes = count * np.dtype(dtype).itemsize
    large = nbytes >= LARGE_PAGE // 2
    boundary = LARGE_PAGE if large else CACHE_LINE
    raw = (np.zeros if zeroed else np.empty)(max(nbytes + boundary, FROM_NUMPY if large else 0), np.uint8)
    start = -raw.ctypes.data % boundary
    return raw[start : start + nbytes].view(dtype)


def give_back() -> None:
    """Give freed memory back to the system, where its C library can: glibc keeps some 100 MiB in pieces otherwise."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
