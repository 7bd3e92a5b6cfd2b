"""What an error is, in one line for the person at the terminal."""

from __future__ import annotations

import os
import re
import shlex

PACKAGES = {"scipy": "scikit-learn", "sklearn": "scikit-learn"} | {
    name: name for name in ("distributed", "onnx", "safetensors", "torch")
}
"""Modules that a plain installation of dcz leaves out, and the packages that they come with."""


def explain(error: Exception) -> str:
    """Say what is wrong, and the way out where there is one."""
    from ..dcformat.errors import DczError

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

    The command names what is missing of the extra of dcz that the module belongs to, with the versions that dcz
    accepts: no package index needs to have dcz.
    """
    package = PACKAGES[module.partition(".")[0]]
    wanted = " ".join(shlex.quote(requirement) for requirement in _not_installed(package))
    return f"{package} is not installed; install with: pip install {wanted}"


def _not_installed(package: str) -> list[str]:
    """The requirements of the extra with `package` that nothing installed meets the name of; first `package` itself."""
    from importlib.metadata import PackageNotFoundError, distribution, requires  # here: they cost every command time

    try:
        declared = requires("dcz") or []
    except PackageNotFoundError:  # dcz runs from its sources
        declared = []
    extras: dict[str, dict[str, str]] = {}
    for line in declared:
        if found := re.fullmatch(r"""(([\w.-]+)[^;]*?) *; *extra == ["']([\w-]+)["']""", line):
            extras.setdefault(found[3], {})[found[2]] = found[1]
    extra = next((extra for extra in extras.values() if package in extra), {package: package})

    def absent(name: str) -> bool:
        try:
            distribution(name)
        except PackageNotFoundError:
            return True
        return name == package

    return [requirement for name, requirement in extra.items() if absent(name)]
