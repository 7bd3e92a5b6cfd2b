"""Machine code on disk: one file for each function and set of argument types, valid until a source file changes."""

from __future__ import annotations

import logging
import os
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from .. import kept
from ..cpu import target
from .stamps import stamp


class Key(NamedTuple):
    """Key of a piece of machine code.

    Attributes
    ----------
    identity : tuple
        Distinguishes functions of one file, and compilation options of one function.
    kinds : tuple
        Types of the arguments.
    valid : tuple
        Code of another stamp is stale.
    """

    identity: tuple[Any, ...]
    kinds: tuple[Any, ...]
    valid: tuple[object, ...]


_stamp = cache(stamp(Path(__file__).parent))
_used: set[str] = set()


def load(function: Callable[..., Any], key: Key) -> tuple[Any, ...] | None:
    """Read what `save` kept; None if it is missing, stale or damaged."""
    for path in _paths(function, key):
        if (data := kept.read(path, _whole(key))) is not None:
            _used.add(os.path.dirname(path))
            code: tuple[Any, ...] = pickle.loads(data)
            return code
    return None


def save(function: Callable[..., Any], key: Key, code: tuple[Any, ...]) -> bool:
    """Keep code, replacing a stale file. False if no folder is writable: the next process compiles again."""
    paths = _paths(function, key)
    if not paths:
        return False
    from .numba_adapter import serialized

    data = serialized(tuple(code))
    for path in paths:
        try:
            kept.write(path, _whole(key), data)
        except OSError:  # no right to write there, a full disk
            continue
        _used.add(os.path.dirname(path))
        return True
    _tell_uncached()
    return False


def folder_in_use() -> Path | None:
    """The common parent folder of all machine code that this process read or wrote; None if there is none."""
    with suppress(ValueError):  # no machine code, or files on two drives
        return Path(os.path.commonpath(_used))
    return None


def _whole(key: Key) -> tuple[object, ...]:
    """The key together with the stamp of this folder and the machine."""
    return _stamp(), _machine(), *key


def _paths(function: Callable[..., Any], key: Key) -> list[str]:
    """Candidate paths for the machine code of a function. None for a closure: the key does not cover its values."""
    if function.__closure__:
        return []
    module, name = Path(function.__code__.co_filename).stem, function.__qualname__
    name = name.replace("<", "").replace(">", "")  # of local functions
    digest = sha256(repr((key.identity, _machine(), key.kinds)).encode()).hexdigest()[:16]
    file = f"{module}.{name}.{digest}.code"
    return [os.path.join(folder, file) for folder in _folders(function.__code__.co_filename)]


@cache
def _machine() -> tuple[str, ...]:
    """The processor and the Python version that machine code is for."""
    return *target(), sys.version, getattr(sys, "abiflags", "")


@cache
def _folders(source: str) -> list[str]:
    """Folders for the machine code of a source file."""
    if not os.path.isfile(source):  # typed into a console
        return []
    package = os.path.dirname(os.path.abspath(source))
    name = f"{os.path.basename(package)}_{sha256(package.encode()).hexdigest()[:16]}"
    return kept.folders(name, os.path.join(package, "__pycache__"))


@cache
def _tell_uncached() -> None:
    """Warn once in a process that code cannot be kept."""
    logging.getLogger("dcz.core").warning(
        "compiled kernels cannot be kept: each process compiles them; set NUMBA_CACHE_DIR to a folder with room"
    )
