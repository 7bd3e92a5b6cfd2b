"""How kernels are compiled: without the GIL, and with a disk cache that starts fast and never gives stale code.

Numba's own cache looks at the source file of a kernel alone. A kernel inlines what it calls, so an edit of an imported
file would leave stale machine code behind; here a stamp covers every source of a package, and whether bounds are
checked. And Numba readies its whole compiler (and imports SciPy) before it looks into its cache, which takes .4 s of
CPU time and 20 MiB; here it does so when a kernel has to be compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
from numba import config, njit
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.runtime import _nrt_python

Stamp = tuple[object, ...]


def stamp(folder: Path, *patterns: str) -> Stamp:
    """What the cached machine code of a package depends on: its source files that match any of some patterns."""
    files = sorted(path for pattern in patterns for path in folder.glob(pattern))
    stats = ((path, path.stat()) for path in files)
    return config.BOUNDSCHECK, *((path.name, stat.st_mtime_ns, stat.st_size) for path, stat in stats)


@cache
def _link_runtime() -> None:
    """Tell the linker where Numba's runtime is, all that cached machine code asks for."""
    for name, address in _nrt_python.c_helpers.items():
        llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


class _Cache(FunctionCache):  # type: ignore[misc]
    """Numba's cache, valid as long as a stamp stays the same."""

    def __init__(self, function: Callable[..., Any], valid: Stamp) -> None:
        super().__init__(function)
        self._cache_file = IndexDataCacheFile(
            cache_path=self._cache_path, filename_base=self._impl.filename_base, source_stamp=valid
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load machine code; where there is none, Numba's compiler readies itself."""
        _link_runtime()
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)


def compiled(function: Callable[..., Any], valid: Stamp, **options: Any) -> Any:
    """Compile a function on its first call for each set of argument types, or load it from the cache.

    With ``NUMBA_DISABLE_JIT=1`` the function stays as it is and runs on NumPy alone.

    Parameters
    ----------
    function : callable
    valid : Stamp
        The cache holds as long as it does not change.
    **options
        Of `numba.njit`.
    """
    dispatcher = njit(nogil=True, no_cfunc_wrapper=True, **options)(function)
    if not config.DISABLE_JIT:
        dispatcher._cache = _Cache(function, valid)
    return dispatcher


_STAMP = stamp(Path(__file__).parent, "*.py")


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel of this package."""
    return compiled(function, _STAMP)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a part of kernels that is always inlined."""
    return compiled(function, _STAMP, inline="always")
