"""Spin-waiting: for some microseconds, as waking a sleeping thread takes 50 to 100.

Python's global lock costs more: a thread that finds the lock taken sleeps, too. So a thread waits here without the
lock. When the flag is set, it waits a little longer, until the thread that set the flag has released the lock.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ...core.numba_settings import jit_is_off
from .. import simd
from ..jit import kernel, ready

ROUNDS = 20_000
"""Polls of the flag: some 300 us."""
LINGER = 150
"""Polls after the flag is set: 4 us. After half of them, the setter often still holds the lock; more is a waste."""


@kernel
def watch_kernel(flags: NDArray[np.int64], place: int, value: int) -> None:
    """As `watch`."""
    for _ in range(ROUNDS):
        if simd.peek(flags, place) >= value:
            for _ in range(LINGER):
                simd.pause()
            return
        simd.pause()


def watch(flags: NDArray[np.int64], place: int, value: int) -> None:
    """Wait until ``flags[place] >= value``, but some 300 us at most: the caller must check again.

    Parameters
    ----------
    flags : ndarray of int64
    place, value : int
    """
    if not jit_is_off():
        _machine_code()(flags, place, value)


@cache
def _machine_code() -> Callable[..., None]:
    return ready((watch_kernel, (np.zeros(1, np.int64), 0, 0)))[0]
