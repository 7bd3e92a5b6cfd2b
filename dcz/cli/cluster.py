"""The Dask backend of dcz infer: images spread over the workers of a cluster, each with the model loaded once."""

from __future__ import annotations

import logging
import os
import pickle
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from itertools import chain, islice
from threading import Lock
from typing import TYPE_CHECKING, Any

from distributed import WorkerPlugin, get_worker

from ..core.garbage import uncollected
from ..core.host import cores
from ..core.hub import fetched
from ..core.ranges import is_url
from ..dcformat import InputError
from .signals import Terminated

if TYPE_CHECKING:
    from distributed import Client, Future

    from ..runtime import Answer, Model

MOST_IMAGES, UNTIMED_IMAGES = 4096, 256
"""Most images of a task, and those while it is not known that tasks are short."""
SHORT_SECONDS = 0.25
"""Tasks that take less grow: one costs its worker, the scheduler and the client some milliseconds of processor time."""
TASKS_A_THREAD = 3
"""Tasks on their way for each thread of the cluster."""

log = logging.getLogger("dcz.cluster")

CONNECT_SECONDS = 30
"""Seconds within which a scheduler must answer."""
WORKER_SECONDS = 30
"""Seconds that a scheduler may be without workers; also the interval of that check while a batch runs."""


class SentModel(WorkerPlugin):  # type: ignore[misc]
    """A container's content on each worker, and the model loaded from it when the worker's first task needs it.

    A plugin, since Dask sends those to workers that join later, or come back, too.
    """

    def __init__(self, content: bytes, path: str, threads: int, precision: str = "fp32") -> None:
        self.name = f"dcz-{sha256(content).hexdigest()[:16]}-{threads}-{precision}"
        self._made_from = content, path, threads, precision
        self._loading = Lock()
        self._model: Model | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return SentModel, self._made_from

    @property
    def model(self) -> Model:
        """The model. Thread-safe."""
        from ..runtime.model import Model

        content, path, threads, precision = self._made_from
        with self._loading, uncollected():
            if self._model is None:
                self._model = Model(content, path, threads, None, precision)
            return self._model


def answers(
    model: str,
    paths: Iterable[str],
    top: int,
    batch_size: int,
    threads: int | None,
    scheduler: str | None,
    precision: str = "fp32",
) -> Iterator[Answer]:
    """Answer like `dcz.runtime.Model.answers`, from the workers of a cluster, in the order of the paths.

    Only a window of tasks is on its way at a time, so that memory does not grow with the number of images, neither
    here nor in the scheduler.

    Parameters
    ----------
    model : str
        The container. Its content is sent to the workers, those that come later too.
    paths : iterable of str
        Image files. Workers open them by their absolute paths: they share a file system. Addresses (``s3://...``) stay
        as they are.
    top, batch_size : int
        Answers an image, and images that a network takes at a time.
    threads : int or None
        Threads of each worker's model; one by default, since a machine has a worker for each core.
    scheduler : str or None
        Address of a running scheduler; without one, a cluster of this machine's cores is started and stopped.
    precision : str
        As for `dcz.load`.

    Raises
    ------
    InputError
        No scheduler answers at the address, or no longer; it has no workers, or they died.
    """
    from distributed import Client, LocalCluster

    size = _TaskSize(batch_size)
    chunks = _chunks(paths, size)
    with open(fetched(model), "rb") as file:
        sent = SentModel(file.read(), os.path.abspath(model), threads or 1, precision)
    with ExitStack() as stack:
        stack.enter_context(_errors_in_our_words(scheduler))
        cluster = None
        if scheduler is None:
            first = list(islice(chunks, cores()))
            chunks = chain(first, chunks)
            local = {"threads_per_worker": 1, "dashboard_address": None, "silence_logs": logging.ERROR}
            cluster = stack.enter_context(LocalCluster(n_workers=max(1, len(first)), **local))
        try:
            client = stack.enter_context(Client(cluster or scheduler, timeout=CONNECT_SECONDS))
        except (OSError, ValueError) as error:
            raise InputError(f"cannot reach the Dask scheduler: {error}", where=scheduler) from None
        if not client.nthreads():
            log.warning("the Dask scheduler has no workers; waiting %g s for one", WORKER_SECONDS)
        client.register_plugin(sent)
        common = sent.name, os.path.join(os.getcwd(), ".", ""), top, batch_size
        tasks = (client.submit(_answer, chunk, *common, pure=False) for chunk in chunks)
        window: deque[Future] = deque()
        while True:
            window.extend(islice(tasks, max(0, _ahead(client) - len(window))))  # fewer when a worker is lost
            if not window:
                break
            _wait(client, window[0])
            packed, seconds = window.popleft().result()
            size.took(seconds)
            yield from _unpacked(packed)
        client.unregister_worker_plugin(sent.name)


class _TaskSize:
    """How many images a task has, always whole batches: few at first, so that all workers begin; then ever more, while
    tasks are short.

    Attributes
    ----------
    images : int
    """

    def __init__(self, batch_size: int) -> None:
        self.images = batch_size
        self._most = UNTIMED_IMAGES

    def grow(self) -> None:
        """Double it, up to the limit."""
        if 2 * self.images <= self._most:
            self.images *= 2

    def took(self, seconds: float) -> None:
        """Say how long a task took."""
        self._most = MOST_IMAGES if seconds < SHORT_SECONDS else UNTIMED_IMAGES


def _chunks(paths: Iterable[str], size: _TaskSize) -> Iterator[list[str]]:
    """Cut paths into the chunks of tasks."""
    rest = iter(paths)
    while chunk := list(islice(rest, size.images)):
        yield chunk
        size.grow()


def _ahead(client: Client) -> int:
    """Tasks on their way: workers fetch the next one while they run one. At least one waits for a worker to come."""
    threads: dict[str, int] = client.nthreads()
    return max(1, TASKS_A_THREAD * sum(threads.values()))


@contextmanager
def _errors_in_our_words(scheduler: str | None) -> Iterator[None]:
    """Within the context, a lost scheduler or a dead worker is one error line; distributed's own log needs ``-v``."""
    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    quiet = [] if log.isEnabledFor(logging.DEBUG) else [logging.getLogger(f"distributed{of}") for of in ("", ".client")]
    levels = [logger.level for logger in quiet]
    for logger in quiet:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    except (CancelledError, CommClosedError) as error:
        if (ended := _interruption_behind(error)) is not None:  # it cancels tasks, and may break connections
            raise ended from None
        raise InputError("lost the Dask scheduler", where=scheduler, hint="see whether it still runs") from None
    except KilledWorker:
        what = "the Dask workers died, one after the other, while they answered"
        raise InputError(what, where=scheduler, hint="their logs say why; they may need more memory") from None
    finally:
        for logger, level in zip(quiet, levels, strict=True):
            logger.setLevel(level)


def _interruption_behind(error: BaseException | None) -> BaseException | None:
    """Ctrl-C or SIGTERM, if an error was raised while one of them was handled."""
    while error is not None and not isinstance(error, KeyboardInterrupt | Terminated):
        error = error.__context__
    return error


def _wait(client: Client, task: Future) -> None:
    """Wait for a task; raise an error when no worker is left to run it."""
    from distributed import wait

    while True:
        try:
            wait([task], timeout=WORKER_SECONDS)
            return
        except TimeoutError:
            if not client.nthreads():
                address = client.scheduler.address
                what = f"the Dask scheduler has no workers, and {WORKER_SECONDS} s brought none"
                raise InputError(what, where=address, hint=f"start one: dask worker {address}") from None


def _answer(paths: list[str], sent: str, folder: str, top: int, batch_size: int) -> tuple[bytes, float]:
    """Answer for some images on a worker, under the names that the user gave; and the seconds that it took.

    `folder` is the user's current folder with ``/./`` at the end. A path that starts with it was relative there.
    """
    there = (path if is_url(path) else os.path.join(folder, path) for path in paths)
    model = get_worker().plugins[sent].model
    begun = time.perf_counter()
    return _packed(model.answers(there, top, batch_size), folder), time.perf_counter() - begun


def _packed(answers: Iterable[Answer], folder: str) -> bytes:
    """Answers as one buffer, their names without `folder`. Plain tuples are pickled in a seventh of the time."""
    rows = []
    for name, predictions, error in answers:
        if error is not None and error.path is not None:
            error.path = error.path.removeprefix(folder)
        rows.append((name.removeprefix(folder), [*map(tuple, predictions)], error))
    return pickle.dumps(rows)


def _unpacked(packed: bytes) -> Iterator[Answer]:
    """The answers that were packed."""
    from ..runtime.vision.ranking import Answer, Prediction

    for name, predictions, error in pickle.loads(packed):
        yield Answer(name, [*map(Prediction._make, predictions)], error)
