"""How kernels are compiled: without the GIL, and with a disk cache that starts fast and never gives stale code.

Numba's own cache looks at the source file of a kernel alone. A kernel inlines what it calls, so an edit of an imported
file would leave stale machine code behind; here a stamp covers every source of a package, and whether bounds are
checked. And what Numba does before a cached kernel runs takes longer than to read a large model: it readies its
compiler, looks for extensions, learns the types of the arguments, unpickles what its compiler knew of the kernel, and
parses the LLVM module beside the machine code. Here a kernel that is on disk is its machine code, which is linked and
called; Numba comes in when one has to be compiled.
"""

from __future__ import annotations

import logging
import os
import pickle
import sys
import uuid
from collections.abc import Callable
from functools import cache, update_wrapper
from hashlib import sha256
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import numpy as np
from numba import __version__, _dynfunc, config, njit
from numba.core import types
from numba.core.caching import CompileResultCacheImpl
from numba.core.compiler_lock import global_compiler_lock
from numba.core.environment import _rebuild_env
from numba.core.registry import cpu_target
from numba.core.runtime import _nrt_python
from numba.core.serialize import dumps
from numba.extending import typeof_impl

Stamp = tuple[object, ...]
_OPTIONS = {"nogil": True, "no_cfunc_wrapper": True}
_DIGEST_BYTES = sha256().digest_size
_C_LAYOUT, _F_LAYOUT, _ALIGNED, _WRITEABLE = 1, 2, 0x100, 0x400
"""Flags of arrays that make a difference to Numba; the first hides the second."""


def stamp(folder: Path, *patterns: str) -> Stamp:
    """What the cached machine code of a package depends on: its source files that match any of some patterns."""
    files = sorted(path for pattern in patterns for path in folder.glob(pattern))
    stats = ((path.relative_to(folder).as_posix(), path.stat()) for path in files)
    versions = __version__, llvmlite.__version__, np.__version__
    return (
        *versions,
        config.BOUNDSCHECK,
        *((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats),
    )


_OWN_STAMP = stamp(Path(__file__).parent, Path(__file__).name)


class Kernel:
    """A function that is compiled for each set of argument types: on its first call, unless the cache has it.

    Other compiled functions call it as they call those of `numba.njit`.

    Parameters
    ----------
    function : callable
    valid : Stamp
        The cache holds as long as it does not change.
    **options
        Of `numba.njit`.
    """

    def __init__(self, function: Callable[..., Any], valid: Stamp, **options: Any) -> None:
        update_wrapper(self, function)
        self.dispatcher = njit(**options)(function)
        self._function, self._valid = function, valid
        # Another function may have the same name, and the same function may be compiled in another way.
        self._identity = function.__qualname__, function.__code__.co_firstlineno, sorted(options.items())
        self._codes: dict[tuple[Any, ...], Callable[..., Any]] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Call the machine code for arguments of these types."""
        return self.code(*arguments)(*arguments)

    def code(self, *arguments: Any) -> Callable[..., Any]:
        """The machine code for arguments of these types, as a function; to call it saves a look at them."""
        kinds = tuple(map(_kind, arguments))
        if kinds not in self._codes:
            with global_compiler_lock:
                if kinds not in self._codes:
                    self._codes[kinds] = self._load(kinds) or self._compile(kinds, arguments)
        return self._codes[kinds]

    def _compile(self, kinds: tuple[Any, ...], arguments: tuple[Any, ...]) -> Callable[..., Any]:
        code: Callable[..., Any] = self.dispatcher._compile_for_args(*arguments)
        result = next(made for made in self.dispatcher.overloads.values() if made.entry_point is code)
        path = self._path(kinds)
        if path is not None and not result.reload_init:  # nothing of a library that has to be started
            inner = [each for each in result._find_referenced_environments() if each.consts]
            environments = [result.environment, *inner]
            listed = [(each.globals["__name__"], list(each.consts), each.env_name) for each in environments]
            name = result.fndesc.llvm_cpython_wrapper_name
            _save(path, dumps((self._key(kinds), name, listed, result.library._get_compiled_object())))
        return code

    def _load(self, kinds: tuple[Any, ...]) -> Callable[..., Any] | None:
        path = self._path(kinds)
        if path is None:
            return None
        data = _read(path)
        if data is None:
            return None
        key, name, listed, code = pickle.loads(data)
        if key != self._key(kinds):
            return None
        _link_runtime()
        codegen = cpu_target.target_context.codegen()
        codegen._engine._ee.add_object_file(llvm.ObjectFileRef.from_data(code))
        codegen._engine.finalize_object()
        environments = [_rebuild_env(*each) for each in listed]
        for each in environments:
            codegen.set_env(each.env_name, each)
        address = codegen._engine.get_function_address(name)
        what = sys.modules[self._function.__module__], self._function.__name__, self._function.__doc__ or ""
        made: Callable[..., Any] = _dynfunc.make_function(*what, address, environments[0], tuple(environments))
        return made

    def _key(self, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
        return _OWN_STAMP, self._valid, self._identity, _machine(), kinds

    def _path(self, kinds: tuple[Any, ...]) -> Path | None:
        """Where the machine code is kept, if it is. Code that is stale is written over."""
        folder = None if self._function.__closure__ else _folder(self._function)  # the key does not tell its values
        module, name = Path(self._function.__code__.co_filename).stem, self._function.__qualname__
        name = name.replace("<", "").replace(">", "")  # of local functions
        digest = sha256(repr((self._identity, _machine(), kinds)).encode()).hexdigest()[:16]
        return folder and folder / f"{module}.{name}.{digest}.code"


@typeof_impl.register(Kernel)  # type: ignore[untyped-decorator]
def _typeof_kernel(value: Kernel, context: Any) -> Any:
    """A kernel that another one calls is what Numba knows it as."""
    return types.Dispatcher(value.dispatcher)


def _kind(value: Any) -> Any:
    """What tells Numba's types of arguments apart."""
    if isinstance(value, np.ndarray):
        flags: int = value.flags.num
        layout = flags & _C_LAYOUT or flags & _F_LAYOUT
        return value.dtype.str, value.ndim, layout | flags & (_ALIGNED | _WRITEABLE)
    return tuple(map(_kind, value)) if isinstance(value, tuple) else type(value).__name__


@cache
def _machine() -> tuple[str, ...]:
    """The processor and the Python that machine code is for."""
    return *map(str, cpu_target.target_context.codegen().magic_tuple()), sys.version, getattr(sys, "abiflags", "")


@cache
def _link_runtime() -> None:
    """Tell the linker where Numba's runtime is, all that cached machine code asks for."""
    for name, address in _nrt_python.c_helpers.items():
        llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)


_folders: dict[str, Path | None] = {}


def _folder(function: Callable[..., Any]) -> Path | None:
    """Where Numba would keep a function's machine code; None if it finds no folder that it may write to."""
    source = os.path.dirname(function.__code__.co_filename)
    if source not in _folders:
        try:
            _folders[source] = Path(CompileResultCacheImpl(function).locator.get_cache_path())
        except RuntimeError:
            _folders[source] = None
            _tell_uncached()
    return _folders[source]


def _read(path: Path) -> bytes | None:
    """What `_save` wrote; None if it is not there, or not whole any more: machine code is run unseen."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, data = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    return data if sha256(data).digest() == digest else None


def _save(path: Path, data: bytes) -> None:
    """Keep machine code; where that fails (a full disk), the next process compiles again."""
    written = path.with_name(f"{path.name}.{uuid.uuid4().hex[:16]}")
    try:
        written.write_bytes(sha256(data).digest() + data)
        written.replace(path)
    except OSError:
        written.unlink(missing_ok=True)
        _tell_uncached()


def compiled(function: Callable[..., Any], valid: Stamp, **options: Any) -> Any:
    """Compile a function on its first call for each set of argument types, or load it from the cache.

    With ``NUMBA_DISABLE_JIT=1`` the function stays as it is and runs on NumPy alone. Where no cache can be written
    (``NUMBA_CACHE_DIR``, else beside the source, else the user's cache folder), it is compiled in each process.

    Parameters
    ----------
    function, valid, **options
        As `Kernel` takes them.
    """
    return function if config.DISABLE_JIT else Kernel(function, valid, **_OPTIONS, **options)


def inner(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function that only compiled ones call, with them."""
    return njit(**_OPTIONS, **options)(function)


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
    return inner(function, inline="always")
