"""The Dask backend of dcz infer: images spread over the workers of a cluster, each with the model loaded once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import lru_cache
from typing import TYPE_CHECKING

from .machine import cores

if TYPE_CHECKING:
    from ..runtime import Model, Prediction

CONNECT_SECONDS = 30


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
        No scheduler answers at the address.
    """
    from distributed import Client, LocalCluster

    from ..dcformat import InputError

    chunks = [list(paths[i : i + batch_size]) for i in range(0, len(paths), batch_size)]
    with ExitStack() as stack:
        cluster = None
        if scheduler is None:
            workers = min(cores(), len(chunks))
            local = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
            cluster = stack.enter_context(local)
        try:
            client = stack.enter_context(Client(cluster or scheduler, timeout=CONNECT_SECONDS))
        except (OSError, ValueError) as error:
            raise InputError(f"cannot reach the Dask scheduler: {error}", where=scheduler) from None
        common = os.path.abspath(model), os.path.join(os.getcwd(), ".", ""), top, batch_size, threads or 1
        tasks = [client.submit(_answer, chunk, *common, pure=False) for chunk in chunks]
        for task in tasks:
            yield from task.result()


def _answer(
    paths: list[str], model: str, folder: str, top: int, batch_size: int, threads: int
) -> list[tuple[str, list[Prediction]]]:
    """What a worker does: answer for some images, named as the user named them.

    `folder` is the user's, and ends in ``/./``: what starts so in here was a relative path there.
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
    """The model, once a worker; again if its file has changed."""
    from ..runtime import load

    return load(model, threads=threads)
