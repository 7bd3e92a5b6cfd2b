"""Decorators of the runtime's compiled functions: no fastmath, division by zero gives inf or NaN."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.jit import NO_REFERENCE_COUNTS, Kernel, compiled, inner, stamp
from .kernels.contract import Call

_STAMP = stamp(Path(__file__).parent)


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel on its first call for each set of argument types, or load it from the cache.

    Kernels allocate nothing, so reference counting is off. With it, Numba would call its runtime around inlined
    functions that take arrays; the calls would spill all vector registers, up to a third of a convolution's time.

    With ``NUMBA_DISABLE_JIT=1`` the function stays as it is and runs on NumPy alone.
    """
    return compiled(function, _STAMP, error_model="numpy", **NO_REFERENCE_COUNTS)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function that is always inlined into kernels: a call with arrays would cost some 100 cycles."""
    return inner(function, error_model="numpy", forceinline=True, no_cpython_wrapper=True, **NO_REFERENCE_COUNTS)


def ready(call: Call) -> Call:
    """Bind a kernel's machine code to its arguments: a look-up by argument types would take longer than a small layer.

    The kernel is compiled for them, or loaded, now. A plain function is returned as it is.
    """
    function, arguments = call
    return (function.code(*arguments), arguments) if isinstance(function, Kernel) else call
