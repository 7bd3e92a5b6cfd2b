"""Micro-batching: requests that wait at the same time run as one batch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class _Job:
    inputs: Mapping[str, NDArray[Any]]
    samples: int
    done: asyncio.Future[Arrays]


class Batcher:
    """Runs a model on one batch after the other, each of the samples that wait. An asynchronous context.

    Parameters
    ----------
    run : callable
        From a mapping of input names to arrays of shapes ``(N, *shape)`` to one of output names to arrays. Called in a
        thread of its own.
    most : int
        Samples after which a batch is full.
    delay : float
        Longest time in seconds that the first sample of a batch waits for others. While the model runs, samples
        gather without it.
    started : callable
        Called with the number of samples of each batch.
    """

    def __init__(
        self,
        run: Callable[[Mapping[str, NDArray[Any]]], Arrays],
        most: int,
        delay: float,
        started: Callable[[int], None] = lambda samples: None,
    ) -> None:
        self._run = run
        self._most = most
        self._delay = delay
        self._started = started
        self._waiting: asyncio.Queue[_Job] = asyncio.Queue()

    async def __aenter__(self) -> Batcher:
        self._thread = ThreadPoolExecutor(1, "dcz-model")
        self._task = asyncio.create_task(self._run_batches())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        self._thread.shutdown()

    async def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> Arrays:
        """Run the model on some samples, together with others.

        Parameters
        ----------
        inputs : mapping of str to ndarray, shapes ``(N, *shape)``

        Returns
        -------
        dict of str to ndarray, shapes ``(N, *shape)``
        """
        samples = len(next(iter(inputs.values())))
        job = _Job(inputs, samples, asyncio.get_running_loop().create_future())
        self._waiting.put_nowait(job)
        return await job.done

    async def _run_batches(self) -> None:
        while True:
            jobs = await self._gather()
            self._started(sum(job.samples for job in jobs))
            try:
                loop = asyncio.get_running_loop()
                outputs = await loop.run_in_executor(self._thread, self._run, _joined(jobs))
            except Exception as error:
                for job in jobs:
                    _finish(job, error)
            else:
                for job, part in zip(jobs, _parts(outputs, jobs), strict=True):
                    _finish(job, part)

    async def _gather(self) -> list[_Job]:
        """The jobs of the next batch: those that wait, and those that come before the delay is over."""
        jobs = [await self._waiting.get()]
        end = asyncio.get_running_loop().time() + self._delay
        while sum(job.samples for job in jobs) < self._most:
            try:
                async with asyncio.timeout_at(end):
                    jobs.append(self._waiting.get_nowait() if self._waiting.qsize() else await self._waiting.get())
            except TimeoutError:
                break
        return jobs


def _joined(jobs: Sequence[_Job]) -> Arrays:
    first = jobs[0].inputs
    return {name: np.concatenate([job.inputs[name] for job in jobs]) for name in first}


def _parts(outputs: Arrays, jobs: Sequence[_Job]) -> list[Arrays]:
    ends = np.cumsum([job.samples for job in jobs])
    return [
        {name: array[end - job.samples : end] for name, array in outputs.items()}
        for job, end in zip(jobs, ends.tolist(), strict=True)
    ]


def _finish(job: _Job, result: Arrays | Exception) -> None:
    """Give a job its result, unless whoever asked has gone."""
    if job.done.done():
        return
    if isinstance(result, Exception):
        job.done.set_exception(result)
    else:
        job.done.set_result(result)
