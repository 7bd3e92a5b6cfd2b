"""How kernels are compiled: without the GIL, and with a disk cache that starts fast and never gives stale code.

Numba's own cache looks at the source file of a kernel alone. A kernel inlines what it calls, so an edit of an imported
file would leave stale machine code behind; here a stamp covers every source of a package, and whether bounds are
checked. And Numba readies its whole compiler (and imports SciPy) before it looks into its cache, which takes .4 s of
CPU time and 20 MiB; here it does so when a kernel has to be compiled. Nor is the LLVM module parsed that lies beside
the machine code: it takes longer than all the rest, and only other kernels that are compiled later need it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
from numba import config, njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache, IndexDataCacheFile
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import compile_result
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


class _Library(JITCodeLibrary):  # type: ignore[misc]
    """Machine code from the cache, whose LLVM module is parsed when something is linked with it."""

    _shared_module: Any

    def __init__(self, codegen: Any, name: str, machine_code: bytes, bitcode: bytes) -> None:
        super().__init__(codegen, name)
        self._bitcode = bitcode
        self.enable_object_caching()
        self._set_compiled_object(machine_code)
        self._finalize_final_module()

    def _get_module_for_linking(self) -> Any:
        if self._shared_module is None:
            self._shared_module = llvm.parse_bitcode(self._bitcode)
        return self._shared_module


class _Loader(CompileResultCacheImpl):  # type: ignore[misc]
    """Numba's own, but for the library."""

    def rebuild(self, target_context: Any, payload: Any) -> Any:
        """Make a compiled function of what lies in the cache."""
        (name, _, code), descriptor, environment, signature, *modes, inits, environments = payload
        for init in inits:
            init()
        codegen = target_context.codegen()
        library = _Library(codegen, name, *code)
        codegen._engine._defined_symbols |= {descriptor.llvm_func_name, descriptor.llvm_cpython_wrapper_name}
        for referenced in environments:
            codegen.set_env(referenced.env_name, referenced)
        return compile_result(
            target_context=target_context,
            typing_context=target_context.typing_context,
            library=library,
            environment=environment,
            entry_point=target_context.get_executable(library, descriptor, environment),
            fndesc=descriptor,
            signature=signature,
            **dict(zip(("objectmode", "lifted", "type_annotation"), modes, strict=True)),
            reload_init=inits,
            referenced_envs=environments,
        )


class _Cache(FunctionCache):  # type: ignore[misc]
    """Numba's cache, valid as long as a stamp stays the same."""

    _impl_class = _Loader

    def __init__(self, function: Callable[..., Any], valid: Stamp) -> None:
        super().__init__(function)
        self._cache_file = IndexDataCacheFile(
            cache_path=self._cache_path, filename_base=self._impl.filename_base, source_stamp=valid
        )

    def _index_key(self, sig: Any, codegen: Any) -> tuple[str, ...]:
        """Texts: the stamp covers what Numba would hash, and its types take a while to unpickle."""
        return str(sig), *map(str, codegen.magic_tuple())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Load machine code; where there is none, Numba's compiler readies itself."""
        _link_runtime()
        with self._guard_against_spurious_io_errors():
            return self._load_overload(sig, target_context)

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep machine code; where that fails (a full disk), the next process compiles again."""
        try:
            super().save_overload(sig, data)
        except OSError:
            _tell_uncached()


def compiled(function: Callable[..., Any], valid: Stamp, **options: Any) -> Any:
    """Compile a function on its first call for each set of argument types, or load it from the cache.

    With ``NUMBA_DISABLE_JIT=1`` the function stays as it is and runs on NumPy alone. Where no cache can be written
    (``NUMBA_CACHE_DIR``, else beside the source, else the user's cache folder), it is compiled in each process.

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
        try:
            dispatcher._cache = _Cache(function, valid)
        except RuntimeError:  # Numba has found no folder that it may write to
            _tell_uncached()
    return dispatcher


@cache
def _tell_uncached() -> None:
    """Say it once a process."""
    logging.getLogger("dcz.dcformat").warning(
        "compiled kernels cannot be kept: each process compiles them; set NUMBA_CACHE_DIR to a folder with room"
    )


_STAMP = stamp(Path(__file__).parent, "*.py")


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel of this package."""
    return compiled(function, _STAMP)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a part of kernels that is always inlined."""
    return compiled(function, _STAMP, inline="always")
