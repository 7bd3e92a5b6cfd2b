"""The Dask backend of dcz infer: images spread over the workers of a cluster, each with the model loaded once."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from ..machine import cores

if TYPE_CHECKING:
    from distributed import Client, Future

    from ..runtime import Model, Prediction

log = logging.getLogger("dcz.cluster")

CONNECT_SECONDS = 30
"""Seconds within which a scheduler must answer."""
WORKER_SECONDS = 30
"""Seconds that a scheduler may be without workers; also the interval of that check while a batch runs."""


def classify(
    model: str, paths: Sequence[str], top: int, batch_size: int, threads: int | None, scheduler: str | None
) -> Iterator[tuple[str, list[Prediction]]]:
    """Answer like `dcz.runtime.Model.classify`, from the workers of a cluster, in the order of the paths.

    Parameters
    ----------
    model : str
        The container. Workers open it, and the images, by their absolute paths: they share a file system.
    paths : sequence of str
        Image files.
    top, batch_size : int
        Answers an image, and images a task.
    threads : int or None
        Threads of each worker's model; one by default, since a machine has a worker for each core.
    scheduler : str or None
        Address of a running scheduler; without one, a cluster of this machine's cores is started and stopped.

    Raises
    ------
    InputError
        No scheduler answers at the address, or no longer; it has no workers, or they died.
    """
    from distributed import Client, LocalCluster

    from ..dcformat import InputError

    chunks = [list(paths[i : i + batch_size]) for i in range(0, len(paths), batch_size)]
    with ExitStack() as stack:
        stack.enter_context(_errors_in_our_words(scheduler))
        cluster = None
        if scheduler is None:
            workers = min(cores(), len(chunks))
            local = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": logging.ERROR}
            cluster = stack.enter_context(LocalCluster(n_workers=workers, **local))
        try:
            client = stack.enter_context(Client(cluster or scheduler, timeout=CONNECT_SECONDS))
        except (OSError, ValueError) as error:
            raise InputError(f"cannot reach the Dask scheduler: {error}", where=scheduler) from None
        if not client.nthreads():
            log.warning("the Dask scheduler has no workers; waiting %g s for one", WORKER_SECONDS)
        common = os.path.abspath(model), os.path.join(os.getcwd(), ".", ""), top, batch_size, threads or 1
        tasks = [client.submit(_answer, chunk, *common, pure=False) for chunk in chunks]
        for task in tasks:
            _wait(client, task)
            yield from task.result()


@contextmanager
def _errors_in_our_words(scheduler: str | None) -> Iterator[None]:
    """Within the context, a lost scheduler or a dead worker is one error line; distributed's own log needs ``-v``."""
    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    from ..dcformat import InputError

    quiet = [] if log.isEnabledFor(logging.DEBUG) else [logging.getLogger(f"distributed{of}") for of in ("", ".client")]
    levels = [logger.level for logger in quiet]
    for logger in quiet:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    except (CancelledError, CommClosedError):
        raise InputError("lost the Dask scheduler", where=scheduler, hint="see whether it still runs") from None
    except KilledWorker:
        what = "the Dask workers died, one after the other, while they answered"
        raise InputError(what, where=scheduler, hint="their logs say why; they may need more memory") from None
    finally:
        for logger, level in zip(quiet, levels, strict=True):
            logger.setLevel(level)


def _wait(client: Client, task: Future) -> None:
    """Wait for a task; raise an error when no worker is left to run it."""
    from distributed import wait

    from ..dcformat import InputError

    while True:
        try:
            wait([task], timeout=WORKER_SECONDS)
            return
        except TimeoutError:
            if not client.nthreads():
                address = client.scheduler.address
                what = f"the Dask scheduler has no workers, and {WORKER_SECONDS} s brought none"
                raise InputError(what, where=address, hint=f"start one: dask worker {address}") from None


def _answer(
    paths: list[str], model: str, folder: str, top: int, batch_size: int, threads: int
) -> list[tuple[str, list[Prediction]]]:
    """Classify some images on a worker, under the names that the user gave.

    `folder` is the user's current folder with ``/./`` at the end. A path that starts with it was relative there.
    """
    from ..dcformat import DczError

    loaded = _load(model, os.stat(model).st_mtime_ns, threads)
    try:
        answers = loaded.classify([os.path.join(folder, path) for path in paths], top, batch_size)
        return [(name.removeprefix(folder), best) for name, best in answers]
    except DczError as error:
        error.path = error.path and error.path.removeprefix(folder)
        raise


@lru_cache(maxsize=2)
def _load(model: str, changed: int, threads: int) -> Model:
    """The worker's model, loaded once, and again when its file changes."""
    from ..runtime import load

    return load(model, threads=threads)
