"""Where compiled programs are kept, and what they depend on."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import NamedTuple

import numpy as np

from ... import core, dcformat
from ...core import kept
from ...core.host import host, level
from ...core.numba_settings import checks_bounds, jit_is_off
from ...core.sources import source_digest
from ..settings import programs_are_off, winograd

ENDING = ".program"
MIXED = "mixed"
"""The name of ``auto``'s programs, where the container has ranges."""
_PROCESSOR = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES")
_HERE = os.path.dirname(__file__)


class Key(NamedTuple):
    """What tells the compiled programs of one version of dcz and one machine apart.

    Attributes
    ----------
    file_bytes : int
        Of the container.
    model : str
        SHA-256 of the container, in hexadecimal digits.
    precision : str
        ``fp32``, ``s16``, ``u8`` or ``mixed``: `Arithmetic.program`.
    size : int
        Samples a run.
    machine : str or tuple of str
        As `machine` gives it.
    """

    file_bytes: int
    model: str
    precision: str
    size: int
    machine: object

    @property
    def whole(self) -> tuple[object, ...]:
        """The key together with this version of dcz and the settings."""
        settings = winograd(), *map(os.environ.get, _PROCESSOR)
        return *self, settings, np.__version__, *map(source_digest, _sources())

    @property
    def paths(self) -> list[str]:
        """Candidate paths, the best first. A path belongs to one whole key."""
        model = f"{_prefix(self.file_bytes)}{self.model[:16]}"
        name = f"{model}-{self.size}-{sha256(repr(self.whole).encode()).hexdigest()[:16]}{ENDING}"
        return [os.path.join(folder, name) for folder in folders()]


def folders() -> list[str]:
    """Folders in which programs are looked for: in ``NUMBA_CACHE_DIR``, beside the source, the user's."""
    return kept.folders("programs", os.path.join(_HERE, "__pycache__"))


def machine() -> object:
    """What tells machines apart: a level of x86-64, so that programs serve all processors of it; elsewhere all facts.

    A program of a lower level would answer with other rounding, so none is looked for.
    """
    return level() or host()


def may_be_kept(file_bytes: int) -> bool:
    """Whether there is a program of a container of this size: without one, the container need not be read at once."""
    return any(name.startswith(_prefix(file_bytes)) for folder in folders() for name in _names(folder))


def usable() -> bool:
    """Whether programs may run here: not where kernels shall be plain Python, or check their indices."""
    return not (programs_are_off() or jit_is_off() or checks_bounds() or host() is None)


def _prefix(file_bytes: int) -> str:
    return f"{file_bytes}-"


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # there is no such folder
        return []


def _sources() -> list[str]:
    """Folders of all code that plans, packs and compiles."""
    base = os.path.dirname(core.__path__[0])
    return [core.__path__[0], dcformat.__path__[0], os.path.dirname(_HERE), os.path.join(base, "aot")]
