"""Facts about the machine and the software, recorded with every measurement."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from . import __version__
from .core.host import cores

PACKAGES = ("numpy", "numba", "bitarray", "torch")


def facts() -> dict[str, Any]:
    """Processor, cores available to this process, load average, and versions."""
    return {
        "cpu": _cpu_name(),
        "cores": cores(),
        "load_average": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": sys.version.split()[0],
        "packages": {"dcz": __version__} | {name: _version(name) for name in PACKAGES},
    }


def _cpu_name() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
