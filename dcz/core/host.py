"""The processor of this machine, as the system names it: machine code of another one is never run.

LLVM knows it better, but takes 30 ms to import.
"""

from __future__ import annotations

import os
from functools import cache

from .levels import FUSING, LEVELS

_NAMES = {
    *("vendor_id", "cpu family", "model", "model name", "flags"),  # x86
    *("CPU implementer", "CPU architecture", "CPU variant", "CPU part", "Features"),  # ARM
    *("isa", "uarch", "mvendorid", "marchid", "mimpid"),  # RISC-V
}
_INFO = "/proc/cpuinfo"


@cache
def host() -> tuple[str, ...] | None:
    """What tells processors of different instructions apart; None where the system does not say.

    It is the first core's: kernels are compiled for that which LLVM finds, too.
    """
    try:
        with open(_INFO, encoding="utf-8", errors="replace") as file:
            first = file.read(1 << 14).partition("\n\n")[0]
    except OSError:
        return None
    fields = (line.partition(":") for line in first.splitlines())
    known = [f"{name.strip()}: {value.strip()}" for name, _, value in fields if name.strip() in _NAMES]
    return (os.uname().machine, *known) if known else None


@cache
def level() -> str | None:
    """The highest of the levels `FUSING` that this machine has; None without one, and where the system does not say."""
    flags = {flag for line in host() or () if line.startswith("flags: ") for flag in line.split()}
    met = [name for name in FUSING if all(feature.linux in flags for feature in LEVELS[name])]
    return met[-1] if met else None


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
