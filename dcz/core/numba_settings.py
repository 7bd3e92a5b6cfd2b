"""Settings of Numba that matter before it is imported: its environment variables."""

from __future__ import annotations

import os


def jit_is_off() -> bool:
    """Whether functions stay as they are: ``NUMBA_DISABLE_JIT`` is set to a number other than 0."""
    return _is_on("NUMBA_DISABLE_JIT")


def checks_bounds() -> bool:
    """Whether kernels check indices: ``NUMBA_BOUNDSCHECK`` is set to a number other than 0."""
    return _is_on("NUMBA_BOUNDSCHECK")


def _is_on(name: str) -> bool:
    text = os.environ.get(name, "").strip()
    return text.lstrip("-").isdecimal() and int(text) != 0
