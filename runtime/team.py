"""Threads that help with the large layers of a single sample."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock

from .layer import Call

Part = Sequence[Call]

ALONE = 100
"""Layers that a caller does alone after one that it had to wait for: the other cores seem to be busy."""
PATIENCE = 0.5
"""How long the caller may wait for its helpers, as a share of the time that it worked itself."""


class Team:
    """A caller and its helpers. Many may call at once: one gets the helpers, the others work alone.

    The caller takes parts too, and never waits for a helper that has not begun. Where helpers come late all the same,
    because other cores are busy, it works alone for a while.

    Parameters
    ----------
    threads : int
        Helpers and caller.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._helpers = ThreadPoolExecutor(max(1, threads - 1), thread_name_prefix="dcz-helper")
        self._free = Lock()
        self._alone = 0

    def run(self, parts: Sequence[Part]) -> None:
        """Run the calls of all parts: parts in any order and at once, the calls of each in order."""
        waiting = deque(parts)
        with self.taken() as mine:
            if not mine or self._alone > 0:
                self._alone -= mine
                _work(waiting)
                return
            begin = time.perf_counter()
            helpers = [self._helpers.submit(_work, waiting) for _ in parts[1:]]
            _work(waiting)
            done = time.perf_counter()
            for helper in helpers:
                if not helper.cancel():
                    helper.result()
            if time.perf_counter() - done > PATIENCE * (done - begin):
                self._alone = ALONE

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Take the helpers, if they are free (the answer), so that nobody else gets them meanwhile."""
        mine = self._free.acquire(blocking=False)
        try:
            yield mine
        finally:
            if mine:
                self._free.release()


def _work(waiting: deque[Part]) -> None:
    """Take parts until none is left."""
    while True:
        try:
            calls = waiting.popleft()
        except IndexError:
            return
        for function, arguments in calls:
            function(*arguments)
