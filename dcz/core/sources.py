"""Digests of source files, on which machine code depends.

A digest covers names and contents, not times: container images and archives round or drop times, so what came with one
would be compiled again. But reading some hundred files takes 10 ms. So the digest of a folder is kept, and is valid as
long as the system gives each file the same size, times and number as before.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from hashlib import sha256

from . import kept


@cache
def source_digest(folder: str) -> str:
    """Digest of every Python file in a folder and below, as 64 hexadecimal digits."""
    files = sorted(_sources(folder, ""))
    key = os.path.abspath(folder), files
    name = f"sources.{sha256(key[0].encode()).hexdigest()[:16]}"
    paths = [os.path.join(place, name) for place in kept.folders("sources", os.path.join(folder, "__pycache__"))]
    for path in paths:
        if (known := kept.read(path, key)) is not None:
            return known.decode()
    digest = _digest(folder, [file for file, *_ in files])
    for path in paths:
        with suppress(OSError):  # no right to write there, a full disk
            kept.write(path, key, digest.encode())
            break
    return digest


def _sources(folder: str, within: str) -> Iterator[tuple[str, int, int, int, int]]:
    """Name, size, time of the content's and of the entry's last change, and number of each file."""
    if not os.path.isdir(folder):  # modules that are not files, as in an archive
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _sources(entry.path, f"{within}{entry.name}/")
            elif entry.name.endswith(".py"):
                status = entry.stat()
                times = status.st_mtime_ns, status.st_ctime_ns
                yield f"{within}{entry.name}", status.st_size, *times, status.st_ino


def _digest(folder: str, files: list[str]) -> str:
    digest = sha256()
    for file in files:
        with open(os.path.join(folder, file), "rb", buffering=0) as content:
            source = content.read()
        digest.update(f"{file}\0{len(source)}\0".encode() + source)
    return digest.hexdigest()
