"""The content of a file that is used from its front while the rest is still on its way from the disk."""

from __future__ import annotations

import os
import stat
from io import FileIO
from pathlib import Path
from threading import Condition, Thread

import numpy as np

from .memory import room

FIRST_PIECE, PIECE = 1 << 16, 1 << 20
"""Bytes that are read at a time: few at first, so that the manifest comes soon."""


class Content:
    """A whole file in memory, read by a thread of its own. Safe to use from several threads.

    Parameters
    ----------
    path : str or os.PathLike

    Raises
    ------
    OSError
        The file cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        file = Path(path).open("rb", buffering=0)  # noqa: SIM115 (the thread closes it)
        status = os.fstat(file.fileno())
        self._come = Condition()
        self._error: OSError | None = None
        if not stat.S_ISREG(status.st_mode):  # a pipe does not tell its size
            with file:
                self._view = memoryview(file.read())
            self._arrived, self._ended = len(self._view), True
            return
        space = room(status.st_size, np.uint8)
        self._view, self._arrived, self._ended = space.data.toreadonly(), 0, False
        Thread(target=self._read, args=(file, space.data), name="dcz-reader", daemon=True).start()

    def __len__(self) -> int:
        """Bytes of the file, those that have not come yet among them."""
        return len(self._view)

    def read(self, offset: int, count: int) -> memoryview:
        """Some bytes, fewer where the file has lost some since it was opened. Waits until they have come.

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
                error.filename = os.fspath(self._path)
                self._error = error
        with self._come:
            self._ended = True
            self._come.notify_all()
