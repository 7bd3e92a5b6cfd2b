"""What this process has compiled, and word of it: a first run of some seconds must not look like a hang."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..progress import status

_log = logging.getLogger("dcz.core")


class Compilations:
    """An account of compilations. Those that kept machine code makes unnecessary are not on it.

    The first one is a message at level INFO; each is a line on a terminal while it lasts.

    Attributes
    ----------
    kernels : int
        How many there were.
    seconds : float
        How long they took altogether.
    unkept : int
        Of how many kernels the machine code could not be kept: the next process compiles them again.
    """

    def __init__(self) -> None:
        self.kernels, self.seconds, self.unkept = 0, 0.0, 0
        self._total: int | None = None

    @contextmanager
    def expected(self, kernels: int) -> Iterator[None]:
        """Count up to a total while it lasts: this many compilations are to come."""
        self._total = self.kernels + kernels
        try:
            yield
        finally:
            self._total = None

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        """Tell of the compilation of a kernel while it lasts, then count it."""
        if self.kernels == 0:
            _log.info("compiling kernels, first run only")
        number, start = self.kernels + 1, time.perf_counter()
        with status(f"compiling kernel {number}{f' of {self._total}' if self._total else ''}: {name}"):
            yield
        self.kernels, self.seconds = number, self.seconds + time.perf_counter() - start


COMPILATIONS = Compilations()
"""Those of this process, in any thread: whoever compiles holds the compiler's lock."""
