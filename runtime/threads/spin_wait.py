"""Spin-waiting: for some microseconds, as waking a sleeping thread takes 50 to 100.

Python's global lock costs more: a thread that finds the lock taken sleeps, too. So a thread waits here without the
lock. When the flag is set, it waits a little longer, until the thread that set the flag has released the lock.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numpy.typing import NDArray

from ...core.numba_settings import jit_is_off
from ..jit import kernel, ready
from ..simd.llvm.types import build_address, build_call, intrinsic

ROUNDS = 20_000
"""Polls of the flag: some 300 us."""
LINGER = 150
"""Polls after the flag is set: 4 us. After half of them, the setter often still holds the lock; more is a waste."""
_X86 = platform.machine() in ("x86_64", "AMD64")


@intrinsic
def _peek(typingctx: Any, flags: Any, place: Any) -> Any:
    """Load ``flags[place]`` from memory on each call (an atomic load, acquire order)."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        address = build_address(context, builder, flags, args[0], args[1], ir.IntType(64))
        return builder.load_atomic(address, "acquire", 8)

    return types.int64(flags, types.int64), codegen


@intrinsic
def _pause(typingctx: Any) -> Any:
    """Pause for a moment in favour of the core's other hardware thread, on processors with such an instruction."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        if _X86:
            build_call(builder, "llvm.x86.sse2.pause", ir.VoidType(), [])
        return context.get_dummy_value()

    return types.void(), codegen


@kernel
def watch_kernel(flags: NDArray[np.int64], place: int, value: int) -> None:
    """As `watch`."""
    for _ in range(ROUNDS):
        if _peek(flags, place) >= value:
            for _ in range(LINGER):
                _pause()
            return
        _pause()


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
