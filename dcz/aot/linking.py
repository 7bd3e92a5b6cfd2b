"""From an object file to a library: static ones by LLVM's archive format, shared ones by a linker."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ..core.errors import InputError
from .targets import Target

ENDINGS, WASM_ENDINGS = (".o", ".a", ".so"), (".o", ".a", ".wasm")
_MAGIC, _ALIGNMENT = b"!<arch>\n", 2


def archive(name: str, content: bytes, symbols: list[str]) -> bytes:
    """A static library of one object file, in the format of System V: no times and no owners, so equal bytes.

    Parameters
    ----------
    name : str
        Of the object file, at most 15 characters.
    content : bytes
    symbols : list of str
        The functions that it shows: the index by which linkers find it.
    """
    names = b"".join(symbol.encode() + b"\0" for symbol in symbols)
    index_bytes = 4 + 4 * len(symbols) + len(names)
    first = len(_MAGIC) + _HEADER_BYTES + index_bytes + index_bytes % _ALIGNMENT
    index = len(symbols).to_bytes(4, "big") + first.to_bytes(4, "big") * len(symbols) + names
    return _MAGIC + _member("/", index) + _member(f"{name}/", content)


_HEADER_BYTES = 60


def _member(name: str, content: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(content):<10}`\n".encode()
    assert len(header) == _HEADER_BYTES
    return header + content + b"\n" * (len(content) % _ALIGNMENT)


def link(content: bytes, target: Target, symbols: list[str]) -> bytes:
    """Link an object file into a shared library, or into a module of WebAssembly.

    Parameters
    ----------
    content : bytes
        The object file.
    target : Target
    symbols : list of str
        The functions that the library shows.

    Raises
    ------
    InputError
        There is no linker, or it failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "model.o"), Path(folder, "model.so")
        source.write_bytes(content)
        command = [*linker(target), *_options(target, symbols), "-o", str(made), str(source)]
        command += [] if target.wasm else ["-lm"]
        run = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
        if run.returncode or not made.exists():
            said = " ".join(run.stderr.split())[-300:] or f"exit code {run.returncode}"
            hint = "write an object file (-o model.o) and link it yourself"
            raise InputError("linking failed", where=shlex.join(command[:1]), found=said, hint=hint)
        return made.read_bytes()


def linker(target: Target) -> list[str]:
    """The command that links for a target: ``$CC``, the system's compiler for its own machine, or Zig's for any.

    Raises
    ------
    InputError
        There is none.
    """
    if given := os.environ.get("CC"):
        return shlex.split(given)
    if target.linked_here and (system := shutil.which("cc")):
        return [system]
    if importlib.util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc", *([] if target.native else ["-target", target.zig])]
    needs = "a C compiler (cc) or " if target.linked_here else ""
    hint = "pip install 'dcz[compile]', or set CC to a compiler for it, or write an object file: -o model.o"
    raise InputError("no linker was found", where=target.name, expected=f"{needs}the package ziglang", hint=hint)


def _options(target: Target, symbols: list[str]) -> list[str]:
    if target.wasm:
        exports = [f"-Wl,--export={symbol}" for symbol in (*symbols, "__heap_base")]
        return ["-mexec-model=reactor", "-Wl,--strip-all", *exports]
    return ["-shared", "-Wl,--build-id=none", "-Wl,-s"]
