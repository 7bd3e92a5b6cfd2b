"""The Dask backend of dcz infer: images spread over the workers of a cluster, each with the model loaded once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

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
    if scheduler is None:
        cores = min(os.cpu_count() or 1, len(chunks))
        cluster = LocalCluster(n_workers=cores, threads_per_worker=1, dashboard_address=None)
    else:
        cluster = None
    try:
        client = Client(cluster or scheduler, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot reach the Dask scheduler: {error}", where=scheduler) from None
    try:
        where = os.path.abspath(model)
        tasks = [client.submit(_answer, where, chunk, os.getcwd(), top, threads or 1, pure=False) for chunk in chunks]
        for task in tasks:
            yield from task.result()
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


def _answer(model: str, paths: list[str], folder: str, top: int, threads: int) -> list[tuple[str, list[Prediction]]]:
    """What a worker does: answer for some images, named as the user named them, relative to the user's folder."""
    loaded = _load(model, os.stat(model).st_mtime_ns, threads)
    absolute = [os.path.join(folder, path) for path in paths]
    answers = []
    for path, full in zip(paths, absolute, strict=True):
        answers += [(path + name[len(full) :], best) for name, best in loaded.classify([full], top)]
    return answers


@lru_cache(maxsize=2)
def _load(model: str, changed: int, threads: int) -> Model:
    """The model, once a worker; again if its file has changed."""
    from ..runtime import load

    return load(model, threads=threads)
