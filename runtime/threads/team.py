"""Helper threads for the large layers of a single sample."""

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
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .fork import after_fork
from .workers import tell_no_threads

if TYPE_CHECKING:
    from ..kernels.contract import Call

    Part = Sequence[Call]
    Job = tuple[deque[Part], SimpleQueue[BaseException | None]]
    """A queue of parts not yet begun, and a queue of results: for each finished part of a helper its exception, or
    None."""

Flags = NDArray[np.int64]
Watch = Callable[[Flags, int, int], None]

RELUCTANCE = 32
"""When helpers have cost a caller time, it works alone for this multiple of the loss. So the loss stays at some 3 %,
even if the other cores stay busy."""
LONGEST_ALONE = 1.0
"""Longest time to work alone, in seconds. A loss greater than the time slice of another process is an exception and
unlikely to recur soon."""
CREDIT = 2e-3
"""Greatest credit of time gained against a later loss, in seconds: about the cost of one pause of a helper."""

JOBS, PARTS = 0, 1
"""Flags of a team: the number of jobs so far, and the number of parts that helpers have finished of the current job.
They only say when to look into the queues."""


class Team:
    """A caller and its helper threads. Thread-safe: of several callers one gets the helpers, the others work alone.

    The caller runs parts as well, and never waits for a helper that has not begun. Helpers can still cost time: they
    start late or pause when other cores are busy. Then the caller works alone for a while.

    Parameters
    ----------
    threads : int
        Helpers and caller.
    waiting : callable, optional
        Stands for `dcz.runtime.threads.spin_wait.watch`, which is a kernel of Numba.
    """

    def __init__(self, threads: int, waiting: Watch | None = None) -> None:
        self.threads, self._watch = threads, waiting or watch
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
            Run in parallel and in any order; the calls of one part run in order.
        whole : sequence of Call
            The same work for a caller that works alone.
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
            self._watch(self._flags, PARTS, left)
            for _ in range(left):
                error = done.get()
                if error is not None:
                    raise error
            alone = used * len(parts) / max(1, len(parts) - left)
            self._account(time.perf_counter(), begin + alone)

    def _account(self, end: float, alone: float) -> None:
        """Update the time gained by helpers: compare the end of a layer with the estimated end without them."""
        self._won = min(CREDIT, self._won + alone - end)
        if self._won < 0:
            self._alone_until, self._won = end + min(LONGEST_ALONE, -RELUCTANCE * self._won), 0.0

    def _hire(self) -> bool:
        """Start the missing helpers, as far as the system permits; return whether there are any."""
        for number in range(len(self._helpers) + 1, self._most + 1):
            self._watch(self._flags, PARTS, 0)  # compiled now, so that compilation does not count as a loss
            arguments = self._jobs, self._flags, self._watch
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
        """Keep helpers off the caller's core, where the system often wakes them to share it for milliseconds."""
        core = _core()
        if core == self._core:
            return
        self._core, others = core, self._cores - {core}
        with suppress(OSError):  # the system may deny it
            for helper in self._helpers if others else ():
                os.sched_setaffinity(helper.native_id or 0, others)

    def _recall(self) -> None:
        """Withdraw the job from helpers that have not taken it."""
        try:
            while True:
                self._jobs.get_nowait()
        except Empty:
            return

    @contextmanager
    def taken(self) -> Iterator[bool]:
        """Reserve the helpers for the context, if they are free; yields whether they were."""
        mine = self._free.acquire(blocking=False)
        try:
            yield mine
        finally:
            if mine:
                self._free.release()


def _no_core() -> int:
    return -1


_core: Callable[[], int] = ctypes.CDLL(None).sched_getcpu if sys.platform == "linux" else _no_core
"""The core that the caller runs on; -1 if unknown."""


def _next(waiting: deque[Part]) -> Part | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _run(part: Part) -> None:
    for function, arguments in part:
        function(*arguments)


def watch(flags: Flags, place: int, value: int) -> None:
    """As `dcz.runtime.threads.spin_wait.watch`, which is imported when threads first wait for each other."""
    from .spin_wait import watch

    watch(flags, place, value)


def _help(jobs: SimpleQueue[Job | None], flags: Flags, watch: Watch) -> None:
    """Main loop of a helper thread, until the team is gone."""
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
        del job, waiting, done, part  # so that an idle helper keeps no model in memory
        watch(flags, JOBS, seen + 1)
