"""Machine code on disk: one file for each function and set of argument types, valid until a source file changes.

Code is read from any of the cache folders, and written to the first that permits it. So a container image or an
installer can bring it along for users without write access.
"""

from __future__ import annotations

import logging
import os
import pickle
import sys
import uuid
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import numpy as np
from numba import __version__, config

from .numba_adapter import serialized, target

Stamp = tuple[object, ...]
_DIGEST_BYTES = sha256().digest_size


class Key(NamedTuple):
    """Key of a piece of machine code.

    Attributes
    ----------
    identity : tuple
        Distinguishes functions of one file, and compilation options of one function.
    kinds : tuple
        Types of the arguments.
    valid : Stamp
        Code of another stamp is stale.
    """

    identity: tuple[Any, ...]
    kinds: tuple[Any, ...]
    valid: Stamp


def stamp(folder: Path) -> Stamp:
    """The stamp of a package: a digest of every source file in its folder and below, on which its machine code depends.

    It covers names and contents, not times: container images and archives round or drop times, so kernels that came
    with one would be compiled again.
    """
    digest = sha256()
    for path in sorted(folder.rglob("*.py")):
        source = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(source)}\0".encode() + source)
    return __version__, llvmlite.__version__, np.__version__, config.BOUNDSCHECK, digest.hexdigest()


_STAMP = stamp(Path(__file__).parent)
_used: set[Path] = set()


def load(function: Callable[..., Any], key: Key) -> tuple[Any, ...] | None:
    """Read what `save` kept; None if it is missing, stale or damaged, which a digest shows."""
    for path in _paths(function, key):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if digest == _digest(key, data):
            _used.add(path.parent)
            kept: tuple[Any, ...] = pickle.loads(data)
            return kept
    return None


def save(function: Callable[..., Any], key: Key, code: tuple[Any, ...]) -> bool:
    """Keep code, replacing a stale file. False if no folder is writable: the next process compiles again."""
    paths = _paths(function, key)
    if not paths:
        return False
    data = serialized(tuple(code))
    for path in paths:
        try:
            _write(path, _digest(key, data) + data)
        except OSError:  # no right to write there, a full disk
            continue
        _used.add(path.parent)
        return True
    _tell_uncached()
    return False


def folder_in_use() -> Path | None:
    """The common parent folder of all machine code that this process read or wrote; None if there is none."""
    with suppress(ValueError):  # no machine code, or files on two drives
        return Path(os.path.commonpath(_used))
    return None


def _digest(key: Key, data: bytes) -> bytes:
    """Digest of machine code together with its key, the stamp of this module and the machine."""
    return sha256(repr((_STAMP, _machine(), *key)).encode() + data).digest()


def _write(path: Path, content: bytes) -> None:
    written = path.with_name(f"{path.name}.{uuid.uuid4().hex[:16]}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        written.write_bytes(content)
        written.replace(path)
    except OSError:
        with suppress(OSError):
            written.unlink(missing_ok=True)
        raise


def _paths(function: Callable[..., Any], key: Key) -> list[Path]:
    """Candidate paths for the machine code of a function. None for a closure: the key does not cover its values."""
    if function.__closure__:
        return []
    module, name = Path(function.__code__.co_filename).stem, function.__qualname__
    name = name.replace("<", "").replace(">", "")  # of local functions
    digest = sha256(repr((key.identity, _machine(), key.kinds)).encode()).hexdigest()[:16]
    return [folder / f"{module}.{name}.{digest}.code" for folder in _folders(function.__code__.co_filename)]


@cache
def _machine() -> tuple[str, ...]:
    """The processor and the Python version that machine code is for."""
    return *target(), sys.version, getattr(sys, "abiflags", "")


@cache
def _folders(source: str) -> list[Path]:
    """Cache folders for a source file: in ``NUMBA_CACHE_DIR``, beside the file, in the user's cache folder."""
    if not os.path.isfile(source):  # typed into a console
        return []
    package = os.path.dirname(os.path.abspath(source))
    name = f"{os.path.basename(package)}_{sha256(package.encode()).hexdigest()[:16]}"
    given, own = ([Path(root, name).absolute()] if root else [] for root in (config.CACHE_DIR, _user_cache()))
    return [*given, Path(package, "__pycache__"), *own]


def _user_cache() -> str | None:
    """The user's cache folder by the convention of the system; None for a user without a home."""
    if sys.platform == "win32":
        folder = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        folder = "~/Library/Caches"
    else:
        folder = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = os.path.expanduser(folder)
    return os.path.join(folder, "dcz") if os.path.isabs(folder) else None


@cache
def _tell_uncached() -> None:
    """Warn once in a process that code cannot be kept."""
    logging.getLogger("dcz.core").warning(
        "compiled kernels cannot be kept: each process compiles them; set NUMBA_CACHE_DIR to a folder with room"
    )
