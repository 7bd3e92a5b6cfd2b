"""Counts and reports compilations, so that a first run of some seconds does not look like a hang."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..progress import status

_log = logging.getLogger("dcz.core")


class Compilations:
    """Statistics of compilations. Kernels that are loaded from the disk cache do not count.

    The first compilation logs a message at level INFO; each shows a status line on a terminal.

    Attributes
    ----------
    kernels : int
        Number of kernels compiled.
    seconds : float
        Total time.
    unkept : int
        Number of kernels whose machine code could not be kept: the next process compiles them again.
    """

    def __init__(self) -> None:
        self.kernels, self.seconds, self.unkept = 0, 0.0, 0
        self._total: int | None = None

    @contextmanager
    def expected(self, kernels: int) -> Iterator[None]:
        """Announce a number of compilations, so that status lines can show progress."""
        self._total = self.kernels + kernels
        try:
            yield
        finally:
            self._total = None

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        """Show a status line while a kernel is compiled, then count it."""
        if self.kernels == 0:
            _log.info("compiling kernels, first run only")
        number, start = self.kernels + 1, time.perf_counter()
        with status(f"compiling kernel {number}{f' of {self._total}' if self._total else ''}: {name}"):
            yield
        self.kernels, self.seconds = number, self.seconds + time.perf_counter() - start


COMPILATIONS = Compilations()
"""Statistics of this process. All threads share it: a thread that compiles holds the compiler's lock."""
