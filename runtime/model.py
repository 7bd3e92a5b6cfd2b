"""A container, loaded and ready to answer."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from math import prod
from typing import Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from .. import dcformat
from ..dcformat import Container, FormatError, Graph, InputError, Shape, infer_shapes
from ..dcformat.content import Content
from .announce import announce_compiling
from .execute.executor import Executor
from .execute.fork import renew_in_children
from .execute.threads import Team
from .kernels.contract import F32
from .plan.plan import Plan, plan
from .plan.tuning import Tuning
from .simd import LANES
from .vision import images
from .vision.ranking import Prediction, rank

SLICES = (LANES, 4, 1)
"""Batch sizes that are planned for; a batch is cut into such slices, the first of which run side by side, as lanes."""
ARENA_LIMIT = 1 << 25
"""Bytes of activations above which a slice of more than one sample is not worth it: they would leave the cache."""

PARALLEL_BYTES = 1 << 20
"""Bytes of a container from which on its layers are packed in several threads: those of a small one only get in each
other's way, as packing is Python for the most part."""


class LayerStats(TypedDict):
    """One line of a model's layer table: operator, name of its weight tensor or "", kernel, bytes of packed weights."""

    op: str
    weight: str
    kernel: str
    weight_bytes: int


class Stats(TypedDict):
    """Sizes in bytes, times in seconds; weights, arena and layers are those of batch size 1."""

    file_bytes: int
    weight_bytes: int
    arena_bytes: int
    layers: list[LayerStats]
    open_seconds: float
    plan_seconds: float


class Model:
    """A network that runs from a container. Safe to call from many threads at once.

    Made by `load`.

    Attributes
    ----------
    input_shape, output_shape : tuple of int
        Of one sample, without the batch axis.
    labels : list of str or None
        Class names.
    threads : int
        Threads that a batch, or large layers, are spread over. Results do not depend on it. They may depend, by
        rounding alone, on whether a sample is one of 16 of a batch, which run side by side, or of the rest.
    stats : Stats
        Sizes, kernels and times.
    """

    def __init__(self, container: Container, threads: int | None = None, tuning: Tuning | None = None) -> None:
        self.threads = _thread_count(threads)
        self._tuning = tuning
        start = time.perf_counter()
        self._container = container
        self._graph = _graph(container)
        weights = {name: container.entries[name].shape for name in self._graph.tensor_names()}
        self._shapes = infer_shapes(self._graph, weights)
        self._elements = {name: prod(shape) for name, shape in weights.items()}
        self.input_shape: Shape = self._graph.input_shape
        self.output_shape: Shape = self._shapes[self._graph.output]
        self.labels = container.labels
        self._plans: dict[int, Plan] = {}
        self._idle: dict[int, deque[Executor]] = {size: deque(maxlen=self.threads) for size in SLICES}
        self._team = Team(self.threads)
        self.renew()
        renew_in_children(self)
        single = self._plan(1)
        self._arena_bytes = 4 * single.layout.elements
        self.stats = Stats(
            file_bytes=container.file_bytes,
            weight_bytes=sum(step.weight_bytes for step in single.steps),
            arena_bytes=self._arena_bytes,
            layers=_layer_table(single),
            open_seconds=0.0,
            plan_seconds=time.perf_counter() - start,
        )

    def __repr__(self) -> str:
        return f"<dcz.Model {self._container.path!r}: {self.input_shape} -> {self.output_shape}>"

    def __call__(self, batch: ArrayLike) -> F32:
        """Run the network.

        Parameters
        ----------
        batch : array-like of real numbers, shape (N, *input_shape)
            Preprocessed samples, N >= 0. Computed in float32. Left as it is.

        Returns
        -------
        ndarray of float32, shape (N, *output_shape)

        Raises
        ------
        InputError
            An array of another shape or of a type that is not real numbers.
        """
        x = self._checked(batch)
        out = np.empty((len(x), *self.output_shape), dtype=np.float32)
        if len(x) == 1:  # where a call takes microseconds, it is this one
            self._run(1, x, out)
            return out
        slices = deque(self._slices(len(x)))
        while slices and slices[0][1] == LANES and len(x) < LANES * self.threads:
            start, size = slices.popleft()  # too few for all threads: they share its layers
            self._run(size, x[start : start + size], out[start : start + size])

        def work() -> None:
            while slices:
                try:
                    start, size = slices.popleft()
                except IndexError:  # another thread took the last one
                    return
                self._run(size, x[start : start + size], out[start : start + size])

        workers = min(self.threads, len(slices))
        if workers > 1:
            with self._team.taken():  # no cores are left to help
                for done in [self._workers.submit(work) for _ in range(workers)]:
                    done.result()
        else:
            work()
        return out

    def renew(self) -> None:
        """Make threads and locks anew, in a process forked off the one that loaded."""
        self._planning = threading.Lock()
        self._workers = ThreadPoolExecutor(self.threads, thread_name_prefix="dcz")

    def time_layers(self, batch: ArrayLike, rounds: int = 20) -> list[tuple[LayerStats, float]]:
        """Time each layer, in one thread.

        Parameters
        ----------
        batch : array-like of real numbers, shape (N, *input_shape)
            N >= 1. Runs in slices, as in a call; a layer's time is the sum over them.
        rounds : int
            Runs, of which the median counts.

        Returns
        -------
        list of (LayerStats, float)
            In the order they run: what the layer is, for the largest slice, and its seconds.
        """
        x = self._checked(batch)
        slices = list(self._slices(len(x)))
        executors = {size: Executor(self._plan(size)) for _, size in slices}

        def once() -> NDArray[np.float64]:
            parts = [executors[size].time_steps(x[start : start + size]) for start, size in slices]
            return np.sum(parts, axis=0)  # type: ignore[no-any-return]

        once()
        seconds = np.median([once() for _ in range(rounds)], axis=0)
        return list(zip(_layer_table(self._plan(slices[0][1])), seconds.tolist(), strict=True))

    def preprocess(self, items: images.Item | Iterable[images.Item]) -> F32:
        """Turn images into a batch, as the container says.

        Parameters
        ----------
        items : path, PIL image, uint8 array (H, W, C), or an iterable of them
            See `dcz.runtime.vision.images` for what is taken and what becomes of it.

        Returns
        -------
        ndarray of float32, shape (N, *input_shape)

        Raises
        ------
        InputError
            What can't be read or does not fit; names the file.
        """
        samples = [sample for _, sample in self.samples(items)]
        return np.stack(samples) if samples else np.empty((0, *self.input_shape), dtype=np.float32)

    def samples(self, items: images.Item | Iterable[images.Item]) -> Iterator[tuple[str, F32]]:
        """Like `preprocess`, one named input at a time, so that no more than that is in memory."""
        single = isinstance(items, (str, os.PathLike, Image.Image))
        return images.samples([items] if single else items, self._container.preprocess, self.input_shape)  # type: ignore[list-item, arg-type]

    def predict(
        self, items: images.Item | Iterable[images.Item], top: int = 5, batch_size: int = 64
    ) -> list[list[Prediction]]:
        """Classify images.

        Parameters
        ----------
        items : path, PIL image, uint8 array (H, W, C), or an iterable of them
        top : int
            Answers an image, best first.
        batch_size : int
            Images that are read and run at a time.

        Returns
        -------
        list of list of Prediction
            One list an image. Scores are probabilities: softmax is applied, unless the network ends in one.

        Raises
        ------
        InputError
            As `preprocess`, or `top` or `batch_size` below 1.
        """
        return [answer for _, answer in self.classify(items, top, batch_size)]

    def classify(
        self, items: images.Item | Iterable[images.Item], top: int = 5, batch_size: int = 64
    ) -> Iterator[tuple[str, list[Prediction]]]:
        """Like `predict`, one named answer at a time, while the next images are still on disk.

        Yields
        ------
        name : str
            As `samples` names it: the path, or ``path[3]`` for one of a batch in a ``.npy`` file.
        predictions : list of Prediction
        """
        if top < 1 or batch_size < 1:
            raise InputError("top and batch_size must be positive", found=f"{top} and {batch_size}")
        samples = self.samples(items)
        while chunk := list(islice(samples, batch_size)):
            answers = self.rank(self(np.stack([sample for _, sample in chunk])), top)
            yield from ((name, answer) for (name, _), answer in zip(chunk, answers, strict=True))

    def rank(self, scores: F32, top: int = 5) -> list[list[Prediction]]:
        """The best classes for what the network answered.

        Parameters
        ----------
        scores : ndarray of float32, shape (N, *output_shape)
            What a call gave.
        top : int

        Returns
        -------
        list of list of Prediction
            Ties go to the lower index.
        """
        return rank(scores, self._graph, self.labels, top)

    def _checked(self, batch: ArrayLike) -> NDArray[Any]:
        array = np.asarray(batch)
        if array.dtype.kind not in "fiub":
            raise InputError("batch is not made of real numbers", expected="float32", found=array.dtype)
        if array.shape[1:] != self.input_shape or array.ndim == 0:
            hint = "add a batch axis: batch[None]" if array.shape == self.input_shape else None
            expected = f"(N, {', '.join(map(str, self.input_shape))})"
            raise InputError("batch has the wrong shape", expected=expected, found=array.shape, hint=hint)
        if array.dtype == np.float32:
            return array
        with np.errstate(over="ignore"):  # what float32 can't hold becomes infinite
            return array.astype(np.float32)

    def _slices(self, samples: int) -> Iterator[tuple[int, int]]:
        """Cut a batch: (start, size) of slices as large as memory and the number of threads suggest."""
        start = 0
        for size in SLICES:
            if size > 1 and size * self._arena_bytes > ARENA_LIMIT:
                continue
            if size < LANES and size > max(1, samples // self.threads):
                continue
            while samples - start >= size:
                yield start, size
                start += size

    def _run(self, size: int, batch: F32, out: F32) -> None:
        idle = self._idle[size]
        try:
            executor = idle.pop()
        except IndexError:
            executor = Executor(self._plan(size))
        executor.run(batch, out)
        idle.append(executor)

    def _plan(self, size: int) -> Plan:
        with self._planning:
            if size not in self._plans:
                packers = self.threads if self._container.file_bytes >= PARALLEL_BYTES else 1
                lanes = LANES if size == LANES else 1
                shared = self._graph, self._shapes, self._container.decode
                self._plans[size] = plan(*shared, size, self._team, packers, lanes, self._elements, self._tuning)
                if self._tuning is not None:
                    self._tuning.save()
            return self._plans[size]


def load(
    path: str | os.PathLike[str], threads: int | None = None, tuning: str | os.PathLike[str] | None = None
) -> Model:
    """Load a container and plan it for single samples; plans for batches are made when they are first needed.

    The first run on a machine compiles the kernels, which takes seconds; a message to the logger ``dcz.runtime`` says
    so. The machine code is kept next to the package, or in the user's cache folder where that can't be written, or in
    ``NUMBA_CACHE_DIR``.

    Parameters
    ----------
    path : str or os.PathLike
    threads : int, optional
        Threads that a batch, or a single sample's large layers, are spread over; all cores without it.
    tuning : str or os.PathLike, optional
        A file of kernels that were picked by trial (`dcz.runtime.plan.tuning`). Convolutions that it does not know are
        timed, which takes a second or a few, and added to it; without a file, estimates pick. Answers may differ by
        rounding between two files.

    Returns
    -------
    Model

    Raises
    ------
    FormatError
        Not a valid container, or one that holds weights but no graph.
    InputError
        `tuning` is no such file.
    OSError
        A file can't be read, or `tuning` not be written to.
    """
    announce_compiling()
    tuned = None if tuning is None else Tuning(tuning)
    start = time.perf_counter()
    content = Content(path)  # it is small, and later plans decode the weights again
    container = dcformat.open(content, os.fspath(path))
    opened = time.perf_counter() - start
    model = Model(container, threads, tuned)
    model.stats["open_seconds"] = opened
    return model


def _thread_count(threads: int | None) -> int:
    if threads is None:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if threads < 1:
        raise InputError("threads must be positive", found=threads)
    return threads


def _layer_table(plan: Plan) -> list[LayerStats]:
    return [LayerStats(op=s.op, weight=s.weight, kernel=s.kernel, weight_bytes=s.weight_bytes) for s in plan.steps]


def _graph(container: Container) -> Graph:
    if container.graph is None:
        raise FormatError(
            "container holds weights but no graph, so it can't run",
            path=container.path,
            hint="convert the checkpoint again with --arch NAME or --arch pkg.module:factory",
        )
    return container.graph
