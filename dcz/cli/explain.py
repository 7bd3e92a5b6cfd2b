"""Error messages: one line for the person at the terminal."""

from __future__ import annotations

import os
import re
import shlex
from importlib import metadata

PACKAGES = {"prometheus_client": "prometheus-client", "scipy": "scikit-learn", "sklearn": "scikit-learn"} | {
    name: name for name in ("distributed", "onnx", "pyarrow", "safetensors", "starlette", "torch", "uvicorn")
}
"""Modules that a plain installation of dcz leaves out, and the packages that they come with."""


def explain(error: Exception) -> str:
    """Say what is wrong, and the way out where there is one."""
    from ..core.errors import DczError

    if isinstance(error, DczError):
        return str(error)
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in PACKAGES:
        return f"this command needs a package: {missing(error.name or '')}"
    if isinstance(error, OSError) and error.strerror:
        return f"{os.fspath(error.filename)}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, MemoryError):
        return "not enough memory"
    return f"unexpected {type(error).__name__}: {error}; this is a bug in dcz, --debug shows where"


def missing(module: str) -> str:
    """Say that a module of `PACKAGES` is not installed, and the command that brings it.

    The command lists the missing packages of the extra that the module belongs to, with the versions that dcz accepts.
    It does not name dcz, which the user's package index may lack.
    """
    package = PACKAGES[module.partition(".")[0]]
    wanted = [text for name, text in _extra_with(package).items() if name == package or not _installed(name)]
    return f"{package} is not installed; install with: pip install {' '.join(map(shlex.quote, wanted))}"


def _extra_with(package: str) -> dict[str, str]:
    """Requirements of the extra that holds a package, by name; the package alone where dcz runs from its sources."""
    try:
        declared = metadata.requires("dcz") or []
    except metadata.PackageNotFoundError:
        return {package: package}
    extras: dict[str, dict[str, str]] = {}
    for line in declared:
        if found := re.fullmatch(r"""(([\w.-]+)[^;]*?) *; *extra == ["']([\w-]+)["']""", line):
            requirement, name, extra = found.groups()
            extras.setdefault(extra, {})[name] = requirement
    return next((extra for extra in extras.values() if package in extra), {package: package})


def _installed(package: str) -> bool:
    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True
