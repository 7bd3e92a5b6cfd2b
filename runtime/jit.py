"""The decorators of the runtime's compiled functions: no fastmath, division as the processor does it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..dcformat.jit import compiled, stamp

_STAMP = stamp(Path(__file__).parent, "*.py", "kernels/*.py")


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel on its first call for each set of argument types, or load it from the cache.

    With ``NUMBA_DISABLE_JIT=1`` the function stays as it is and runs on NumPy alone.
    """
    return compiled(function, _STAMP, error_model="numpy")


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a part of kernels that is always inlined: a call passes arrays by some 30 words and costs 100 cycles."""
    return compiled(function, _STAMP, error_model="numpy", forceinline=True, no_cpython_wrapper=True)
