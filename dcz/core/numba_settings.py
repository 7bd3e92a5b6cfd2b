"""Settings of Numba that matter before it is imported: its environment variables."""

from __future__ import annotations

import os

_CODE = ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "NUMBA_ENABLE_AVX")
_FILE = ".numba_config.yaml"
"""Numba's file of settings in the folder where a process starts."""


def jit_is_off() -> bool:
    """Whether functions stay as they are: ``NUMBA_DISABLE_JIT`` is set to a number other than 0."""
    return _is_on("NUMBA_DISABLE_JIT")


def checks_bounds() -> bool:
    """Whether kernels check indices: ``NUMBA_BOUNDSCHECK`` is set to a number other than 0."""
    return _is_on("NUMBA_BOUNDSCHECK")


def cpu_name() -> str | None:
    """LLVM's name of the processor to compile for; None for this machine's."""
    return os.environ.get("NUMBA_CPU_NAME")


def cpu_features() -> str | None:
    """LLVM's list of the features to compile for; None for those of this machine."""
    return os.environ.get("NUMBA_CPU_FEATURES", "" if (cpu_name() or "").lower() == "generic" else None)


def code_settings() -> tuple[str, ...]:
    """All settings that change machine code, among them those in Numba's file."""
    try:
        with open(_FILE, encoding="utf-8", errors="replace") as file:
            listed = file.read()
    except OSError:  # there is none
        listed = ""
    return *(f"{name}={os.environ.get(name)}" for name in _CODE), listed


def _is_on(name: str) -> bool:
    text = os.environ.get(name, "").strip()
    return text.lstrip("-").isdecimal() and int(text) != 0
