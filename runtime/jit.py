"""The decorator of every compiled kernel: no GIL, no fastmath, and a disk cache that never gives stale code.

Numba's cache looks at the source file of a kernel alone. A kernel inlines what it calls, so an edit of an imported file
would leave stale machine code behind; here the stamp covers every source of the runtime.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import config, njit
from numba.core.caching import FunctionCache, IndexDataCacheFile


def _stamp() -> tuple[tuple[str, int, int], ...]:
    folder = Path(__file__).parent
    stats = ((path, path.stat()) for path in sorted((*folder.glob("*.py"), *folder.glob("kernels/*.py"))))
    return tuple((path.name, stat.st_mtime_ns, stat.st_size) for path, stat in stats)


_STAMP = _stamp()


class _Cache(FunctionCache):  # type: ignore[misc]
    """Numba's cache, valid as long as no source of the runtime changes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = IndexDataCacheFile(
            cache_path=self._cache_path, filename_base=self._impl.filename_base, source_stamp=_STAMP
        )


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel on its first call for each set of argument types, or load it from the cache.

    With ``NUMBA_DISABLE_JIT=1`` the function stays as it is and runs on NumPy alone.
    """
    return _cached(njit(nogil=True, error_model="numpy")(function), function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a part of kernels that is always inlined: a call passes arrays by some 30 words and costs 100 cycles."""
    return _cached(njit(nogil=True, error_model="numpy", forceinline=True)(function), function)


def _cached(compiled: Any, function: Callable[..., Any]) -> Any:
    if not config.DISABLE_JIT:
        compiled._cache = _Cache(function)
    return compiled
