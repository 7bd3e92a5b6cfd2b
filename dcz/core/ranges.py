"""Ranges of bytes of a file elsewhere: what a container needs of one, and nothing more."""

from __future__ import annotations

import os
import threading
from typing import IO, Any, Protocol, TypeGuard

from .errors import InputError


class Ranges(Protocol):
    """A file of known size that is read range by range, by several threads at once."""

    def __len__(self) -> int:
        """Size of the file in bytes."""

    def read(self, offset: int, count: int) -> bytes | memoryview:
        """Return `count` bytes from `offset` on; fewer at the end of the file."""


def is_ranges(source: object) -> TypeGuard[Ranges]:
    """Whether an object is read by ranges: a file, which is read from where it stands, has `seek`."""
    return hasattr(source, "read") and hasattr(source, "__len__") and not hasattr(source, "seek")


def is_url(source: object) -> TypeGuard[str]:
    """Whether a source is the address of a file elsewhere (``https://...``, ``s3://...``), not a path."""
    return isinstance(source, str) and "://" in source


class FileRanges:
    """The ranges of a seekable binary file, which may be positioned anywhere.

    Parameters
    ----------
    file : binary file
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._size = file.seek(0, os.SEEK_END)

    def __len__(self) -> int:
        """Size of the file in bytes when it was opened."""
        return self._size

    def read(self, offset: int, count: int) -> bytes:
        """Read a range."""
        with self._lock:
            self._file.seek(offset)
            return self._file.read(count)

    def close(self) -> None:
        """Close the file, after a read that is under way."""
        with self._lock:
            self._file.close()


class PathRanges(FileRanges):
    """The ranges of the file at a path, opened for them.

    Raises
    ------
    OSError
        It cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__(open(path, "rb"))  # noqa: SIM115 (closed by `close`)


class Remote:
    """A file at an address, through fsspec: each range is a request of its own, without read-ahead.

    Parameters
    ----------
    url : str
        Any that fsspec knows, chained ones too.

    Raises
    ------
    InputError
        fsspec, or what it needs for this kind of address, is not installed.
    OSError
        There is no such file.
    """

    def __init__(self, url: str) -> None:
        self._system, self._path = file_system(url)
        self._size = int(self._system.size(self._path))

    def __len__(self) -> int:
        """Size of the file in bytes."""
        return self._size

    def read(self, offset: int, count: int) -> bytes:
        """Request a range."""
        data: bytes = self._system.cat_file(self._path, start=offset, end=offset + count)
        return data


def file_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and the path within it.

    Raises
    ------
    InputError
        fsspec, or what it needs for this kind of address, is not installed.
    """
    try:
        from fsspec.core import url_to_fs

        system, path = url_to_fs(url)
    except ImportError as error:
        hint = "pip install fsspec, and what it needs for this kind of address"
        raise InputError(f"an address cannot be read: {error}", path=url, hint=hint) from None
    except ValueError as error:
        raise InputError(f"an address of an unknown kind: {error}", path=url) from None
    return system, path


def read_all(url: str) -> bytes:
    """The content of the file at an address.

    Raises
    ------
    InputError
        As `file_system`.
    OSError
        There is no such file.
    """
    system, path = file_system(url)
    content: bytes = system.cat_file(path)
    return content
