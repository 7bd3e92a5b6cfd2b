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

ALONE, MOST_ALONE = 4, 64
"""How long a caller works alone after a layer that it had to wait for, as other cores seem to be busy: at first, and
at most, in times of what that layer took. Each such layer doubles it, each other one takes one off."""
PATIENCE, GRACE = 0.6, 1e-4
"""How long the caller may wait for its helpers, or for its own core if they run there: as a share of the processor time
of its own part, and in seconds, as they have to wake up first."""


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
        self._alone_until, self._penalty = 0.0, 0

    def run(self, parts: Sequence[Part], whole: Part) -> None:
        """Do a layer's work.

        Parameters
        ----------
        parts : sequence of sequence of Call
            Run in any order and at once; the calls of each in order.
        whole : sequence of Call
            The same for a caller that works alone.
        """
        waiting = deque(parts)
        with self.taken() as mine:
            begin, used = time.perf_counter(), time.thread_time()
            if not mine or begin < self._alone_until:
                _work(deque([whole]))
                return
            helpers = [self._helpers.submit(_work, waiting) for _ in parts[1:]]
            _work(waiting)
            used = time.thread_time() - used
            for helper in helpers:
                if not helper.cancel():
                    helper.result()
            end = time.perf_counter()
            if end - begin > (1 + PATIENCE) * used + GRACE:
                self._penalty = min(max(ALONE, 2 * self._penalty), MOST_ALONE)
                self._alone_until = end + self._penalty * (end - begin)
            else:
                self._penalty = max(0, self._penalty - 1)

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
