"""Machine code on disk: a file for each function and set of types, good for as long as its sources do not change.

It is read from any of the folders where it may lie, and written to the first that lets it be: so it may come with an
image or an installer, and be read by users who may not write to it.
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

from .numba_adapter import MachineCode, serialized, target

Stamp = tuple[object, ...]
_DIGEST_BYTES = sha256().digest_size


class Key(NamedTuple):
    """Tells machine code apart.

    Attributes
    ----------
    identity : tuple
        Tells functions of one file apart, and ways to compile one.
    kinds : tuple
        Types of the arguments.
    valid : Stamp
        Code of another stamp is stale.
    """

    identity: tuple[Any, ...]
    kinds: tuple[Any, ...]
    valid: Stamp


def stamp(folder: Path) -> Stamp:
    """What the machine code of a package depends on: every source file in its folder and below.

    Names and contents count, not times: a container image or an archive keeps them in whole seconds, or not at all, and
    kernels that came with it would be compiled again.
    """
    digest = sha256()
    for path in sorted(folder.rglob("*.py")):
        source = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(source)}\0".encode() + source)
    return __version__, llvmlite.__version__, np.__version__, config.BOUNDSCHECK, digest.hexdigest()


_STAMP = stamp(Path(__file__).parent)
_used: set[Path] = set()


def load(function: Callable[..., Any], key: Key) -> MachineCode | None:
    """Read what `save` kept; None if it is not there, stale, or not whole any more: machine code is run unseen."""
    for path in _paths(function, key):
        try:
            content = path.read_bytes()
        except OSError:
            continue
        digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if digest == _digest(key, data):
            _used.add(path.parent)
            return MachineCode(*pickle.loads(data))
    return None


def save(function: Callable[..., Any], key: Key, code: MachineCode) -> bool:
    """Keep machine code, over what is stale. Tells whether it could be: where not, the next process compiles again."""
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
    """The folder below which all machine code lies that this process read or kept; None if there is none."""
    with suppress(ValueError):  # there was no machine code, or some on each of two drives
        return Path(os.path.commonpath(_used))
    return None


def _digest(key: Key, data: bytes) -> bytes:
    """Of machine code and all that it is good for."""
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
    """Where the machine code of a function may lie. Nowhere for a closure, as the key does not tell its values."""
    if function.__closure__:
        return []
    module, name = Path(function.__code__.co_filename).stem, function.__qualname__
    name = name.replace("<", "").replace(">", "")  # of local functions
    digest = sha256(repr((key.identity, _machine(), key.kinds)).encode()).hexdigest()[:16]
    return [folder / f"{module}.{name}.{digest}.code" for folder in _folders(function.__code__.co_filename)]


@cache
def _machine() -> tuple[str, ...]:
    """The processor and the Python that machine code is for."""
    return *target(), sys.version, getattr(sys, "abiflags", "")


@cache
def _folders(source: str) -> list[Path]:
    """Where the machine code of a source file may lie: ``NUMBA_CACHE_DIR``, beside it, the user's cache folder."""
    if not os.path.isfile(source):  # what was typed in
        return []
    package = os.path.dirname(os.path.abspath(source))
    name = f"{os.path.basename(package)}_{sha256(package.encode()).hexdigest()[:16]}"
    given, own = ([Path(root, name).absolute()] if root else [] for root in (config.CACHE_DIR, _user_cache()))
    return [*given, Path(package, "__pycache__"), *own]


def _user_cache() -> str | None:
    """The user's cache folder, where the system has it; None for a user without a home."""
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
    """Say it once a process."""
    logging.getLogger("dcz.core").warning(
        "compiled kernels cannot be kept: each process compiles them; set NUMBA_CACHE_DIR to a folder with room"
    )
