"""The decorators of the format's compiled functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.jit import compiled, inner, stamp

_STAMP = stamp(Path(__file__).parent)


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel on its first call for each set of argument types, or load it from the cache."""
    return compiled(function, _STAMP)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a part of kernels that is always inlined."""
    return inner(function, inline="always")


def called(function: Callable[..., Any]) -> Any:
    """Compile a long part of kernels that stands in several places of one: once, and called."""
    return inner(function)
