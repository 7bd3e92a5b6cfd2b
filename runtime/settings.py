"""Settings of the runtime: environment variables, and what is taken where the user says nothing."""

from __future__ import annotations

import os

from ..core.host import cores
from ..dcformat import InputError


def winograd() -> bool:
    """Whether plans may use Winograd's algorithm: yes unless ``DCZ_WINOGRAD=0``.

    Its rounding errors are some 1e-6 of the greatest output, against 2e-7 of direct sums, and a NaN or an infinity
    spreads to the whole tile.
    """
    return os.environ.get("DCZ_WINOGRAD", "1") != "0"


def programs_are_off() -> bool:
    """Whether compiled programs are left alone: ``DCZ_PROGRAMS=0``."""
    return os.environ.get("DCZ_PROGRAMS", "1") == "0"


def thread_count(threads: int | None) -> int:
    """Threads of a model: all cores that the process may use, unless the user says another number.

    Raises
    ------
    InputError
        The number is below 1.
    """
    if threads is None:
        return cores()
    if threads < 1:
        raise InputError("threads must be positive", found=threads)
    return threads
