"""Read-ahead: the content of a file, used from its start while a thread reads the rest."""

from __future__ import annotations

import io
import os
import stat
from io import FileIO
from threading import Condition, Thread
from typing import IO, TypeAlias

import numpy as np

from ..core.errors import InputError
from .memory import room

FIRST_PIECE, PIECE = 1 << 16, 1 << 20
"""Bytes of each read: few at first, so that the manifest arrives early."""

Source: TypeAlias = "str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]"
"""Source of a container: a path, its bytes, or a binary file, read from its start."""


class Content:
    """A whole file in memory, read by its own thread. Thread-safe.

    Parameters
    ----------
    source : path, bytes-like, or binary file
        A binary file is read completely at once, and stays open.

    Attributes
    ----------
    origin : str or bytes
        Source of the same content: the absolute path of a file, else the content itself.

    Raises
    ------
    InputError
        A file that is open as text.
    OSError
        The file cannot be opened.
    """

    origin: str | bytes

    def __init__(self, source: Source) -> None:
        self._come = Condition()
        self._error: OSError | None = None
        if not isinstance(source, str | os.PathLike):
            self._hold(bytes(source) if isinstance(source, bytes | bytearray | memoryview) else _all_of(source))
            return
        file = open(source, "rb", buffering=0)  # noqa: SIM115 (the thread closes it)
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):  # a pipe has no size
            with file:
                self._hold(file.read())
            return
        self.origin = os.path.abspath(source)
        space = room(status.st_size, np.uint8)
        self._view, self._arrived, self._ended = space.data.toreadonly(), 0, False
        if status.st_size <= FIRST_PIECE:  # a thread would take longer to start
            self._read(file, space.data)
            return
        try:
            Thread(target=self._read, args=(file, space.data), name="dcz-reader", daemon=True).start()
        except RuntimeError:  # the system starts no more threads
            self._read(file, space.data)

    def _hold(self, data: bytes) -> None:
        self.origin = data
        self._view = memoryview(data)
        self._arrived, self._ended = len(data), True

    def __len__(self) -> int:
        """Size of the file in bytes, including those not read yet."""
        return len(self._view)

    def read(self, offset: int, count: int) -> memoryview:
        """Return a range of bytes, after waiting for it; fewer if the file was truncated since it was opened.

        Raises
        ------
        OSError
            The file cannot be read.
        """
        end = offset + count
        with self._come:
            self._come.wait_for(lambda: self._arrived >= end or self._ended)
            if self._arrived < end and self._error is not None:
                raise self._error
            return self._view[offset : min(end, self._arrived)]

    def _read(self, file: FileIO, space: memoryview) -> None:
        piece = FIRST_PIECE
        with file:
            try:
                while count := file.readinto(space[self._arrived : self._arrived + piece]):
                    with self._come:
                        self._arrived += count
                        self._come.notify_all()
                    piece = PIECE
            except OSError as error:
                error.filename = os.fspath(file.name)
                self._error = error
        with self._come:
            self._ended = True
            self._come.notify_all()


def check_binary(file: IO[bytes]) -> None:
    """Refuse a file that is open as text.

    Raises
    ------
    InputError
    """
    if isinstance(file, io.TextIOBase):
        raise InputError("file is open as text", path=name_of(file), hint="open it as binary: open(path, 'rb')")


def name_of(source: object) -> str:
    """Name of a source for messages."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    if isinstance(source, bytes | bytearray | memoryview):
        return "<bytes>"
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<stream>"


def _all_of(file: IO[bytes]) -> bytes:
    check_binary(file)
    if file.seekable():
        file.seek(0)
    return file.read()
