"""Search for image files in folders."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from ...core.errors import listed
from ...dcformat import InputError
from .images import SUFFIXES

KINDS = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"

_log = logging.getLogger("dcz.runtime")


def find(paths: Iterable[str | os.PathLike[str]]) -> list[str]:
    """Replace folders by the images in them. A log message of ``dcz.runtime`` names the files passed over.

    Parameters
    ----------
    paths : iterable of path
        Files are taken as they are. Of folders, the files with a suffix in `SUFFIXES` are taken, sorted by name, those
        of a folder before those of its subfolders. Hidden files and folders are skipped; links to folders are followed.

    Returns
    -------
    list of str

    Raises
    ------
    InputError
        A path does not exist, or a folder holds no images.
    OSError
        A folder cannot be read.
    """
    found: list[str] = []
    others: list[str] = []
    for path in map(Path, paths):
        if path.is_dir():
            images, rest = _split(path)
            if not images:
                raise InputError("no image in this folder", path=path, expected=KINDS, found=listed(rest) or None)
            found += images
            others += rest
        elif path.exists():
            found.append(str(path))
        else:
            raise InputError("no such file or folder", path=path)
    if others:
        files = f"{len(others)} file{'s' * (len(others) > 1)}"
        _log.info("passed over %s, not %s: %s", files, KINDS, listed(others))
    return found


def _split(folder: Path) -> tuple[list[str], list[str]]:
    """The files under a folder: images, and others."""
    images: list[str] = []
    others: list[str] = []
    for file in _files(folder):
        is_image = file.suffix.lower() in SUFFIXES and file.is_file()
        (images if is_image else others).append(str(file))
    return images, others


def _files(folder: Path) -> Iterator[Path]:
    for name, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        here = Path(name)
        folders[:] = sorted(sub for sub in folders if not _hidden(sub) and not _leads_back(here, sub))
        yield from (here / file for file in sorted(files) if not _hidden(file))


def _hidden(name: str) -> bool:
    """Whether a file or folder is hidden: ``.ipynb_checkpoints``, ``._cat.png`` of macOS."""
    return name.startswith(".")


def _leads_back(folder: Path, name: str) -> bool:
    """Whether a folder is a link to one of its own parents."""
    sub = folder / name
    return sub.is_symlink() and folder.resolve().is_relative_to(sub.resolve())


def _refuse(error: OSError) -> NoReturn:
    raise error
