"""Memory for large arrays: on large pages, where the system has them; and memory given back to the system.

The first access to a page costs some microseconds: .8 ms a MiB on small pages. A kernel that reads weights from end to
end does so up to twice as fast from large pages.
"""

from __future__ import annotations

import ctypes
import os
import sys
from threading import Lock
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
    start = -raw.__array_interface__["data"][0] % boundary
    return raw[start : start + nbytes].view(dtype)


class _Pool:
    """Blocks of memory on large pages, of which parts are taken one behind the other."""

    def __init__(self) -> None:
        self._block, self._taken = np.empty(0, np.uint8), 0
        self.renew()

    def renew(self) -> None:
        """Make the lock anew: in a forked process, no thread is left that could release it."""
        self._lock = Lock()

    def take(self, nbytes: int) -> NDArray[np.uint8]:
        """Take bytes, from a cache line on. A block is freed with the last array in it."""
        with self._lock:
            if self._taken + nbytes > len(self._block):
                self._block, self._taken = room(FROM_NUMPY, np.uint8), 0
            first = self._taken
            self._taken += -(-nbytes // CACHE_LINE) * CACHE_LINE
            return self._block[first : first + nbytes]


_POOL = _Pool()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_POOL.renew)
SMALL = 1 << 14
"""Bytes of an array whose place does not matter: it takes a few small pages."""


def on_large_pages(array: NDArray[Any]) -> NDArray[Any]:
    """Copy an array that is read again and again, such as packed weights, to large pages, which it shares with others.

    The translations of some megabytes of small pages do not fit the processor's tables. The weights of all layers of a
    network are read in each call.

    Returns
    -------
    ndarray of the array's shape and dtype, C-contiguous
        The array itself, where it is small.
    """
    if array.nbytes < SMALL:
        return array
    large = array.nbytes >= LARGE_PAGE // 2
    memory = room(array.nbytes, np.uint8) if large else _POOL.take(array.nbytes)
    copy = memory.view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def give_back() -> None:
    """Give freed memory back to the system, where its C library can: glibc keeps some 100 MiB in pieces otherwise."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
