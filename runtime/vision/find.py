"""Search for image files in folders."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from ...core.errors import Tally
from ...core.ranges import file_system, is_url
from ...dcformat import InputError
from .images import SUFFIXES

KINDS = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"

_log = logging.getLogger("dcz.runtime")


def find(paths: Iterable[str | os.PathLike[str]]) -> Iterator[str]:
    """Replace folders by the images in them.

    Paths are checked at once; folders are walked as the images are asked for, so that millions of images take no
    memory. At the end a log message of ``dcz.runtime`` names the files passed over.

    Parameters
    ----------
    paths : iterable of path
        Files are taken as they are. Of folders, the files with a suffix in `SUFFIXES` are taken, sorted by name, those
        of a folder before those of its subfolders. Hidden files and folders are skipped; links to folders are followed.
        Addresses of files and folders (``s3://...``) are read through fsspec.

    Returns
    -------
    iterator of str

    Raises
    ------
    InputError
        A path does not exist, or a folder holds no images.
    OSError
        A folder cannot be read.
    """
    given = [path if is_url(path) else str(Path(path)) for path in paths]
    for path in given:
        _check(path)
    return _walk(given)


def _check(path: str) -> None:
    others = Tally()
    files = _files_at(path)
    if files is not None and next(_images(files, others), None) is None:
        found = str(others) if others.count else None
        raise InputError("no image in this folder", path=path, expected=KINDS, found=found)


def _walk(paths: Iterable[str]) -> Iterator[str]:
    others = Tally()
    for path in paths:
        files = _files_at(path)
        yield from [path] if files is None else _images(files, others)
    if others.count:
        files_passed = f"{others.count} file{'s' * (others.count > 1)}"
        _log.info("passed over %s, not %s: %s", files_passed, KINDS, others)


def _images(files: Iterable[str], others: Tally) -> Iterator[str]:
    """The images among files; `others` counts the rest."""
    for file in files:
        if file.lower().endswith(SUFFIXES) and (is_url(file) or os.path.isfile(file)):
            yield file
        else:
            others.add(file)


def _files_at(path: str) -> Iterator[str] | None:
    """The files of a folder and its subfolders, in order; None for a file.

    Raises
    ------
    InputError
        There is neither.
    """
    if is_url(path):
        return _files_elsewhere(path)
    if os.path.isdir(path):
        return map(str, _files(Path(path)))
    if not os.path.exists(path):
        raise InputError("no such file or folder", path=path)
    return None


def _files_elsewhere(url: str) -> Iterator[str] | None:
    system, path = file_system(url)
    if system.isfile(path):
        return None
    if not system.isdir(path):
        raise InputError("no such file or folder", path=url)
    return (
        system.unstrip_protocol(f"{folder}/{name}")
        for folder, _, files in system.walk(path)
        for name in sorted(files)
        if not _hidden(name)
    )


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
