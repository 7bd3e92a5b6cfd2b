"""Stamps: on what machine code depends, besides the function and the types of its arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..sources import source_digest

Stamp = Callable[[], tuple[object, ...]]
"""Computed when it is needed first: it takes Numba's version, and Numba is imported late."""


def stamp(folder: Path) -> Stamp:
    """The stamp of a package: versions, settings, and a digest of every source file in its folder and below."""

    def made() -> tuple[object, ...]:
        from llvmlite import __version__ as llvm
        from numba import __version__ as numba
        from numba import config
        from numpy import __version__ as numpy

        return numba, llvm, numpy, config.BOUNDSCHECK, source_digest(str(folder))

    return made
