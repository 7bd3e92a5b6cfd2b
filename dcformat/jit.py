"""The decorators of the format's compiled functions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..core.jit import NO_REFERENCE_COUNTS, compiled, inner, stamp

_STAMP = stamp(Path(__file__).parent)
_LANE_CODE = f"{__package__}.coding.lane_code"


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel on its first call for each set of argument types, or load it from the cache."""
    return compiled(function, _STAMP)


def lean_kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel that allocates nothing, and calls functions that are `called`: it counts no references."""
    return compiled(function, _STAMP, error_model="numpy", **NO_REFERENCE_COUNTS)


def lane_kernel(function: Callable[..., Any]) -> Any:
    """Compile a lean kernel whose functions use `coding.lanes`."""
    return compiled(function, _STAMP, extension=_LANE_CODE, error_model="numpy", **NO_REFERENCE_COUNTS)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a part of kernels that is always inlined."""
    return inner(function, inline="always")


def called(function: Callable[..., Any]) -> Any:
    """Compile a long part of a lean kernel: LLVM inlines it, which takes less time than to inline it before types."""
    return inner(function, error_model="numpy", forceinline=True, **NO_REFERENCE_COUNTS)
