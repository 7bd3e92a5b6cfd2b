"""Threads that help with the large layers of a single sample."""

from __future__ import annotations

import ctypes
import os
import sys
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread

import numpy as np
from numpy.typing import NDArray

from ..kernels.contract import Call
from .fork import after_fork
from .spin_wait import watch
from .workers import tell_no_threads

Flags = NDArray[np.int64]
Part = Sequence[Call]
Job = tuple[deque[Part], "SimpleQueue[BaseException | None]"]
"""Parts that nobody has begun, and a place to tell of each that a helper has done: what it raised, or None."""

RELUCTANCE = 32
"""A caller to whom helpers have cost time works alone for so many times as long: it loses some 3 %, even if other cores
stay busy."""
LONGEST_ALONE = 1.0
"""But no more than so many seconds: what costs more than a turn of another job on a core does not come back soon."""
CREDIT = 2e-3
"""The most that time won counts against time lost later, in seconds: about what it costs if a helper has to pause."""

JOBS, PARTS = 0, 1
"""What a team's flags tell: how many jobs there have been, and how many parts of this one helpers have done. They tell
when it is time to look; what counts are the queues."""


class Team:
    """A caller and its helpers. Many may call at once: one gets the helpers, the others work alone.

    The caller takes parts too, and never waits for a helper that has not begun. Where helpers cost time all the same,
    as they come late or pause because other cores are busy, it works alone for a while.

    Parameters
    ----------
    threads : int
        Helpers and caller.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._cores = os.sched_getaffinity(0) if _core() >= 0 else set()
        self._renew()
        after_fork(self, Team._renew)

    def _renew(self) -> None:
        """Forget the helpers, if there are any; the next work starts new ones."""
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._flags = np.zeros(2, np.int64)
        self._helpers: list[Thread] = []
        self._most = self.threads - 1
        self._core = -1
        self._free = Lock()
        self._alone_until, self._won = 0.0, 0.0

    def run(self, parts: Sequence[Part], whole: Part) -> None:
        """Do a layer's work.

        Parameters
        ----------
        parts : sequence of sequence of Call
            Run in any order and at once; the calls of each in order.
        whole : sequence of Call
            The same for a caller that works alone.
        """
        with self.taken() as mine:
            if not mine or time.perf_counter() < self._alone_until or not self._hire():
                _run(whole)
                return
            self._step_aside()
            begin, used = time.perf_counter(), time.thread_time()
            waiting, done = deque(parts), SimpleQueue[BaseException | None]()
            self._flags[PARTS] = 0
            for _ in parts[1:]:
                self._jobs.put((waiting, done))
            self._flags[JOBS] += 1
            left = len(parts)
            while (part := _next(waiting)) is not None:
                _run(part)
                left -= 1
            used = time.thread_time() - used
            self._recall()
            watch(self._flags, PARTS, left)
            for _ in range(left):
                error = done.get()
                if error is not None:
                    raise error
            alone = used * len(parts) / max(1, len(parts) - left)
            self._account(time.perf_counter(), begin + alone)

    def _account(self, end: float, alone: float) -> None:
        """Keep account of time won, where a layer has ended and would have done so for a caller alone."""
        self._won = min(CREDIT, self._won + alone - end)
        if self._won < 0:
            self._alone_until, self._won = end + min(LONGEST_ALONE, -RELUCTANCE * self._won), 0.0

    def _hire(self) -> bool:
        """Have all helpers that there can be; gives whether there are any."""
        for number in range(len(self._helpers) + 1, self._most + 1):
            watch(self._flags, PARTS, 0)  # compiled now: else it would count as time lost, and a lot
            arguments = self._jobs, self._flags
            helper = Thread(target=_help, args=arguments, name=f"dcz-helper_{number}", daemon=True)
            try:
                helper.start()
            except RuntimeError:
                self._most = len(self._helpers)
                tell_no_threads()
                break
            self._helpers.append(helper)
            weakref.finalize(self, self._jobs.put, None)
        return self._most > 0

    def _step_aside(self) -> None:
        """Keep helpers off the caller's core: the system often wakes them there, to take turns for milliseconds."""
        core = _core()
        if core == self._core:
            return
        self._core, others = core, self._cores - {core}
        with suppress(OSError):  # the system may forbid it
            for helper in self._helpers if others else ():
                os.sched_setaffinity(helper.native_id or 0, others)

    def _recall(self) -> None:
        """Take the job back from helpers that have not come for it."""
        try:
            while True:
                self._jobs.get_nowait()
        except Empty:
            return

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Take the helpers, if they are free (the answer), so that nobody else gets them meanwhile."""
        mine = self._free.acquire(blocking=False)
        try:
            yield mine
        finally:
            if mine:
                self._free.release()


def _no_core() -> int:
    return -1


_core: Callable[[], int] = ctypes.CDLL(None).sched_getcpu if sys.platform == "linux" else _no_core
"""The core that the caller runs on, or -1 if the system does not tell."""


def _next(waiting: deque[Part]) -> Part | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _run(part: Part) -> None:
    for function, arguments in part:
        function(*arguments)


def _help(jobs: SimpleQueue[Job | None], flags: Flags) -> None:
    """What a helper does, until there is no team any more."""
    while (job := jobs.get()) is not None:
        seen = int(flags[JOBS])
        waiting, done = job
        while (part := _next(waiting)) is not None:
            try:
                _run(part)
                done.put(None)
            except BaseException as error:
                done.put(error)
            flags[PARTS] = done.qsize()
        del job, waiting, done, part  # an idle helper keeps no model in memory
        watch(flags, JOBS, seen + 1)
