"""A thread pool for independent calls: slices of a batch, layers to pack."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import cache, cached_property
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


class Workers:
    """A thread pool. If no thread can be started, the caller does the work, then and from then on.

    Parameters
    ----------
    threads : int
        With 1 there is no pool.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads

    @cached_property
    def _pool(self) -> ThreadPoolExecutor | None:
        return _pool(self._threads) if self._threads > 1 else None

    def run(self, calls: Iterable[Callable[[], None]]) -> None:
        """Run all calls in parallel and in any order, and wait for them.

        Raises
        ------
        Exception
            The exception of a call. No further call is begun after it.
        """
        waiting = deque(calls)
        done: SimpleQueue[BaseException | None] = SimpleQueue()
        count = len(waiting)

        def work() -> None:
            while waiting:
                try:
                    call = waiting.popleft()
                except IndexError:  # another thread took the last one
                    return
                try:
                    call()
                    done.put(None)
                except BaseException as error:
                    waiting.clear()
                    done.put(error)

        if count < 2 or self._pool is None:
            work()
        else:
            self._share(self._pool, work, min(self._threads, count))
        for _ in range(count):
            if (error := done.get()) is not None:
                raise error

    def _share(self, pool: ThreadPoolExecutor, work: Callable[[], None], threads: int) -> None:
        try:
            for _ in range(threads):
                pool.submit(work)
        except RuntimeError:
            self._pool = None
            tell_no_threads()
            work()  # threads that did start find less work left, or none


def _pool(threads: int) -> ThreadPoolExecutor | None:
    try:
        from concurrent.futures import ThreadPoolExecutor  # here, as it cannot be imported while the process ends
    except RuntimeError:
        tell_no_threads()
        return None
    return ThreadPoolExecutor(threads, thread_name_prefix="dcz")


@cache
def tell_no_threads() -> None:
    """Log once in a process that no thread could be started: the system permits no more, or the process is ending."""
    import logging  # few need it

    logging.getLogger("dcz.runtime").warning("no thread can be started: the calling thread works alone")
