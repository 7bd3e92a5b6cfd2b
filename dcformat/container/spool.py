"""Payloads in a file until their container is written: its manifest comes first, and tells of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock
from typing import IO

from ..coding.bits import Bytes

BLOCK = 1 << 20
"""Bytes that are read at a time."""


@dataclass(frozen=True, eq=False)
class Spooled:
    """A payload in the file of a `Spool`.

    Attributes
    ----------
    file : binary file
    offset, nbytes : int
    """

    file: IO[bytes]
    offset: int
    nbytes: int

    def __len__(self) -> int:
        return self.nbytes

    def blocks(self) -> Iterator[bytes]:
        """The payload, some bytes at a time; nothing else may use the file meanwhile."""
        self.file.seek(self.offset)
        for begin in range(0, self.nbytes, BLOCK):
            yield self.file.read(min(BLOCK, self.nbytes - begin))

    def read(self) -> bytes:
        """The whole payload."""
        return b"".join(self.blocks())


class Spool:
    """Payloads in a file, one behind the other; several threads may add to them.

    Parameters
    ----------
    file : binary file
        To write and read. It stays open: the payloads are there as long as it is.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._end = 0
        self._lock = Lock()

    def keep(self, payload: Bytes) -> Spooled:
        """Write a payload to the file.

        Raises
        ------
        OSError
        """
        with self._lock:
            kept = Spooled(self._file, self._end, len(payload))
            self._file.seek(self._end)
            self._file.write(payload)
            self._end += len(payload)
        return kept


def blocks_of(payload: Bytes | Spooled) -> Iterator[Bytes]:
    """A payload in blocks, wherever it is."""
    return payload.blocks() if isinstance(payload, Spooled) else iter((payload,))
