"""The decorators of the runtime's compiled functions: no fastmath, division as the processor does it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..dcformat.jit import Kernel, compiled, inner, stamp
from .kernels.contract import Call

_STAMP = stamp(Path(__file__).parent, "**/*.py")


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel on its first call for each set of argument types, or load it from the cache.

    Kernels allocate nothing and so count no references: around inlined parts that take arrays, Numba would call its
    runtime and so spill all vectors, which cost up to a third of a convolution's time.

    With ``NUMBA_DISABLE_JIT=1`` the function stays as it is and runs on NumPy alone.
    """
    return compiled(function, _STAMP, error_model="numpy", _nrt=False)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a part of kernels that is always inlined: a call passes arrays by some 30 words and costs 100 cycles."""
    return inner(function, error_model="numpy", _nrt=False, forceinline=True, no_cpython_wrapper=True)


def ready(call: Call) -> Call:
    """A call of the machine code itself: Numba's look at the types of arguments takes longer than a small layer.

    The kernel is compiled for them, or loaded, now. What is no kernel stays as it is.
    """
    function, arguments = call
    return (function.code(*arguments), arguments) if isinstance(function, Kernel) else call
