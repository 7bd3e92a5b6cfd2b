"""Machine code on disk: a file for each function and set of types, good for as long as its sources do not change."""

from __future__ import annotations

import logging
import os
import pickle
import sys
import uuid
from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import numpy as np
from numba import __version__, config

from .numba_adapter import MachineCode, cache_folder, serialized, target

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


def load(function: Callable[..., Any], key: Key) -> MachineCode | None:
    """Read what `save` kept; None if it is not there, stale, or not whole any more: machine code is run unseen."""
    path = _path(function, key)
    if path is None:
        return None
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, data = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if sha256(data).digest() != digest:
        return None
    entry, *code = pickle.loads(data)
    return MachineCode(*code) if entry == _entry(key) else None


def save(function: Callable[..., Any], key: Key, code: MachineCode) -> None:
    """Keep machine code, over what is stale; where that fails (a full disk), the next process compiles again."""
    path = _path(function, key)
    if path is None:
        return
    data = serialized((_entry(key), *code))
    written = path.with_name(f"{path.name}.{uuid.uuid4().hex[:16]}")
    try:
        written.write_bytes(sha256(data).digest() + data)
        written.replace(path)
    except OSError:
        written.unlink(missing_ok=True)
        _tell_uncached()


def _entry(key: Key) -> tuple[Any, ...]:
    return _STAMP, _machine(), tuple(key)


def _path(function: Callable[..., Any], key: Key) -> Path | None:
    folder = None if function.__closure__ else folder_of(function)  # the key does not tell a closure's values
    module, name = Path(function.__code__.co_filename).stem, function.__qualname__
    name = name.replace("<", "").replace(">", "")  # of local functions
    digest = sha256(repr((key.identity, _machine(), key.kinds)).encode()).hexdigest()[:16]
    return folder and folder / f"{module}.{name}.{digest}.code"


@cache
def _machine() -> tuple[str, ...]:
    """The processor and the Python that machine code is for."""
    return *target(), sys.version, getattr(sys, "abiflags", "")


_folders: dict[str, Path | None] = {}


def folder_of(function: Callable[..., Any]) -> Path | None:
    """Where the machine code of a function is kept; None if no folder can be written to.

    ``NUMBA_CACHE_DIR``, else beside the source, else in the user's cache folder: the first that can be written to.
    """
    source = os.path.dirname(function.__code__.co_filename)
    if source not in _folders:
        _folders[source] = cache_folder(function)
        if _folders[source] is None:
            _tell_uncached()
    return _folders[source]


@cache
def _tell_uncached() -> None:
    """Say it once a process."""
    logging.getLogger("dcz.core").warning(
        "compiled kernels cannot be kept: each process compiles them; set NUMBA_CACHE_DIR to a folder with room"
    )
