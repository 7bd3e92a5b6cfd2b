"""The installed compilers: where they are and what versions they have, without importing them."""

from __future__ import annotations

import os
from hashlib import sha256
from importlib.util import find_spec

_COMPILERS = ("numba", "llvmlite")


def compilers() -> list[str] | None:
    """Digests that tell the versions of Numba and llvmlite apart; None where one is missing."""
    specs = [find_spec(name) for name in _COMPILERS]
    origins = [spec.origin for spec in specs if spec is not None and spec.origin is not None]
    return [_version_of(origin) for origin in origins] if len(origins) == len(_COMPILERS) else None


def _version_of(origin: str) -> str:
    try:
        with open(os.path.join(os.path.dirname(origin), "_version.py"), "rb") as file:
            return sha256(file.read()).hexdigest()
    except OSError:
        return origin
