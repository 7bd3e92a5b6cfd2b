"""Stamps: on what machine code depends, besides the function and the types of its arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np

from ..compilers import compilers
from ..numba_settings import checks_bounds
from ..sources import source_digest

Stamp = Callable[[], tuple[object, ...]]
"""Computed when it is needed first: it reads files."""


def stamp(folder: Path) -> Stamp:
    """The stamp of a package: versions, settings, and a digest of every source file in its folder and below."""

    @cache
    def made() -> tuple[object, ...]:
        return compilers(), np.__version__, checks_bounds(), source_digest(str(folder))

    return made
