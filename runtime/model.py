"""`Model`: a container, loaded and ready to run."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import dcformat
from ..core.hub import fetched
from ..core.readahead import Content, Source, name_of
from ..dcformat import InputError
from ..dcformat.graph.ids import random_inputs
from .arguments import Arguments, check_one_input, check_one_output
from .execute.executor import Executor
from .execute.layer_times import LayerStats, LayerTimer, layer_table
from .kernels.contract import F32
from .network import SLICES, Network
from .plan.plan import Plan
from .plan.tuning import Tuning
from .settings import thread_count
from .simd import LANES
from .summary import summary
from .threads.fork import after_fork
from .threads.team import Team
from .threads.workers import Workers
from .vision.ranking import Answer, Prediction, rank, warning_of_nan

if TYPE_CHECKING:
    from .vision.images import Inputs, Item

PARALLEL_BYTES = 1 << 20
"""Least size in bytes of a container whose layers are packed in several threads. For a small one, packing is mostly
Python code, and threads would wait for each other."""


class Stats(TypedDict):
    """Statistics of a model: sizes in bytes, times in seconds; weights, arena and layers for batch size 1."""

    file_bytes: int
    weight_bytes: int
    arena_bytes: int
    layers: list[LayerStats]
    open_seconds: float
    plan_seconds: float


class Model:
    """A network that runs from a container. Thread-safe.

    `load` makes it.

    Attributes
    ----------
    input_names, output_names : tuple of str
        ``("input",)`` and ``("output",)`` where the network did not name them.
    input_shapes, output_shapes : dict of str to tuple of int
        By name, of one sample, without the batch axis.
    input_shape, output_shape : tuple of int
        Those of the first.
    labels : list of str or None
        Class names.
    arguments : Arguments
        The check of what it is called with.
    threads : int
        Threads for a batch, or for large layers. Results do not depend on it. They may depend, by rounding alone, on
        whether a sample belongs to a group of 16 of a batch, which run as vector lanes, or to the rest.
    precision : str
        ``fp32``, or ``u8``: values with a range are held as 8-bit integers.
    stats : Stats
        Sizes, kernels and times.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        threads: int | None,
        tuning: str | os.PathLike[str] | None,
        precision: str = "fp32",
    ) -> None:
        self.threads = thread_count(threads)
        self._tuning = None if tuning is None else Tuning(tuning)
        start = time.perf_counter()
        content = Content(source)  # kept: it is small, and later plans decode the weights again
        container = dcformat.open(content, name)
        opened = time.perf_counter()
        tuned = None if tuning is None else os.path.abspath(tuning)
        self._made_from = content.origin, name, threads, tuned, precision
        self._container, self._network = container, Network(container, precision)
        self.precision = "u8" if self._network.integers else "fp32"
        self.input_shapes, self.output_shapes = self._network.input_shapes, self._network.output_shapes
        self.input_names, self.output_names = tuple(self.input_shapes), tuple(self.output_shapes)
        self.input_shape = self.input_shapes[self.input_names[0]]
        self.output_shape = self.output_shapes[self.output_names[0]]
        self.labels = container.labels
        self.arguments = Arguments(self._network.graph.inputs, self._network.limits)
        self._plans: dict[int, Plan] = {}
        self._idle: dict[int, deque[Executor]] = {size: deque(maxlen=self.threads) for size in SLICES}
        self._team = Team(self.threads)
        self._renew()
        after_fork(self, Model._renew)
        single = self._plan(1)
        self._arena_bytes = 4 * single.layout.elements
        self.stats = Stats(
            file_bytes=container.file_bytes,
            weight_bytes=sum(step.weight_bytes for step in single.steps),
            arena_bytes=self._arena_bytes,
            layers=layer_table(single),
            open_seconds=opened - start,
            plan_seconds=time.perf_counter() - opened,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the source, a path or all bytes: unpickling loads the model again."""
        return Model, self._made_from

    def __repr__(self) -> str:
        ends = (self.input_shapes, self.output_shapes)
        given, made = (next(iter(end.values())) if len(end) == 1 else end for end in ends)
        return f"<dcz.Model {self._container.path!r}: {given} -> {made}>"

    def _repr_html_(self) -> str:
        return summary(self, self._container)

    def __call__(self, *batch: ArrayLike | Mapping[str, ArrayLike]) -> Any:
        """Run the network.

        Parameters
        ----------
        *batch : array-like of floats, shape ``(N, *input_shape)``
            Preprocessed samples, N >= 0. Computed in float32. Not changed. Several inputs are given one after the
            other, or all in one mapping by name. An input of integers (row numbers of an embedding) takes integers.

        Returns
        -------
        ndarray of float32, shape ``(N, *output_shape)``; of several outputs a dict by name

        Raises
        ------
        InputError
            The array has another shape or type. Integers are refused as pixels: `preprocess` turns images into samples.
        """
        answers = self._answers(self.arguments(batch))
        return answers[0] if len(answers) == 1 else dict(zip(self.output_names, answers, strict=True))

    def noise(self, samples: int, seed: int = 0) -> dict[str, NDArray[Any]]:
        """Random inputs to call the network with: normal noise, and integers where it takes integers.

        Returns
        -------
        dict of str to ndarray of float32 or int64, shapes ``(samples, *shape)``
            By name, in the order of the inputs.
        """
        arrays = random_inputs(self._network.graph, self._network.weights, samples, seed)
        return dict(zip(self.input_names, arrays, strict=True))

    def _answers(self, x: list[F32]) -> list[F32]:
        samples = len(x[0])
        out = [np.empty((samples, *shape), dtype=np.float32) for shape in self.output_shapes.values()]
        if samples == 1:  # the fast path: such a call may take microseconds
            self._run(1, x, out)
            return out
        slices = deque(self._slices(samples))
        while slices and slices[0][1] == LANES and samples < LANES * self.threads:
            start, size = slices.popleft()  # too few slices for all threads, so threads share layers
            self._run(size, _part(x, start, size), _part(out, start, size))
        calls = [partial(self._run, n, _part(x, start, n), _part(out, start, n)) for start, n in slices]
        if self.threads > 1 and len(calls) > 1:
            with self._team.taken():  # all cores are busy with slices
                self._workers.run(calls)
        else:
            for call in calls:
                call()
        return out

    @cached_property
    def _inputs(self) -> Inputs:
        from .vision.images import Inputs  # it imports Pillow, which those who call with arrays do not need

        return Inputs(self._container.preprocess, self.input_shape)

    def _renew(self) -> None:
        """Make new threads and locks: at first, and in a process forked from the one that loaded."""
        self._planning = threading.Lock()
        self._workers = Workers(self.threads)

    def time_layers(
        self, batch: ArrayLike | Mapping[str, ArrayLike], rounds: int = 20
    ) -> list[tuple[LayerStats, float]]:
        """Time each layer, in one thread.

        Parameters
        ----------
        batch : array-like of floats, shape ``(N, *input_shape)``
            N >= 1; for several inputs a mapping by name. Runs in slices, as in a call; the time of a layer is the sum
            over the slices.
        rounds : int
            Number of runs; the result is the median.

        Returns
        -------
        list of (LayerStats, float)
            In order of execution: the layer as planned for the largest slice, and its seconds.
        """
        x = self.arguments((batch,))
        slices = list(self._slices(len(x[0])))
        sizes = sorted({size for _, size in slices}, reverse=True)
        timer = LayerTimer([self._plan(size) for size in sizes])

        def once() -> NDArray[np.float64]:
            parts = [timer.time(sizes.index(size), _part(x, start, size)) for start, size in slices]
            return np.sum(parts, axis=0)  # type: ignore[no-any-return]

        once()
        seconds = np.median([once() for _ in range(rounds)], axis=0)
        return list(zip(timer.layers, seconds.tolist(), strict=True))

    def preprocess(self, items: Item | Iterable[Item]) -> F32:
        """Turn images into a batch, as the container says.

        Parameters
        ----------
        items : path, PIL image or array, or an iterable of them
            uint8 arrays are images, (H, W), (H, W, C) or (N, H, W, C), arrays of floats are inputs, one or a batch; see
            `dcz.runtime.vision.images` for what is taken and what becomes of it.

        Returns
        -------
        ndarray of float32, shape ``(N, *input_shape)``

        Raises
        ------
        InputError
            An item cannot be read or does not fit; the error names the file.
        """
        samples = [sample for _, sample in self.samples(items)]
        return np.stack(samples) if samples else np.empty((0, *self.input_shape), dtype=np.float32)

    def samples(self, items: Item | Iterable[Item]) -> Iterator[tuple[str, F32]]:
        """Like `preprocess`, but yield one named input at a time, so that only one is in memory."""
        check_one_input(self.input_names)
        return self._inputs.samples(items)

    def predict(self, items: Item | Iterable[Item], top: int = 5, batch_size: int = 64) -> list[list[Prediction]]:
        """Classify images.

        Parameters
        ----------
        items : path, PIL image or array, or an iterable of them
            As for `preprocess`. One image gives one answer, also in an array.
        top : int
            Answers an image, best first.
        batch_size : int
            Images read and run at a time.

        Returns
        -------
        list of list of Prediction
            One list an image. Scores are probabilities: softmax is applied, unless the network ends in one. A warning
            tells which are NaN.

        Raises
        ------
        InputError
            As `preprocess`, or `top` or `batch_size` below 1.
        """
        return [
            answer.predictions for answer in warning_of_nan(map(Answer.sound, self.answers(items, top, batch_size)))
        ]

    def classify(
        self, items: Item | Iterable[Item], top: int = 5, batch_size: int = 64
    ) -> Iterator[tuple[str, list[Prediction]]]:
        """Like `predict`, but yield one named answer at a time; later images are read later.

        Yields
        ------
        (str, list of Prediction)
            The name is the path, or ``path[3]`` for one of a batch in a ``.npy`` file.
        """
        for answer in map(Answer.sound, self.answers(items, top, batch_size)):
            yield answer.name, answer.predictions

    def answers(self, items: Item | Iterable[Item], top: int = 5, batch_size: int = 64) -> Iterator[Answer]:
        """Like `classify`, but an item that cannot be read, or does not fit, is an answer with its error.

        Yields
        ------
        Answer
        """
        if top < 1 or batch_size < 1:
            raise InputError("top and batch_size must be positive", found=f"{top} and {batch_size}")
        check_one_input(self.input_names)
        check_one_output(self.output_names)
        attempts = self._inputs.attempts(items)
        while chunk := list(islice(attempts, batch_size)):
            samples = [sample for _, sample in chunk if not isinstance(sample, InputError)]
            best = iter(self.rank(self._answers([np.stack(samples)])[0], top) if samples else ())
            for name, sample in chunk:
                yield Answer(name, [], sample) if isinstance(sample, InputError) else Answer(name, next(best))

    def rank(self, scores: F32, top: int = 5) -> list[list[Prediction]]:
        """The best classes for an output of the network.

        Parameters
        ----------
        scores : ndarray of float32, shape ``(N, *output_shape)``
            Result of a call.
        top : int
            Ties go to the lower index.
        """
        return rank(scores, self._network.graph, self.labels, top)

    def _slices(self, samples: int) -> Iterator[tuple[int, int]]:
        return self._network.slices(samples, self.threads, self._arena_bytes)

    def _run(self, size: int, batch: list[F32], out: list[F32]) -> None:
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
                self._plans[size] = self._network.plan(size, self._team, packers, self._tuning)
                if self._tuning is not None:
                    self._tuning.save()
            return self._plans[size]


def load(
    path: Source,
    threads: int | None = None,
    tuning: str | os.PathLike[str] | None = None,
    precision: str = "fp32",
) -> Model:
    """Load a container and plan it for single samples. Plans for batches are made when first needed.

    The first run on a machine compiles the kernels, which takes seconds; a message to the logger ``dcz.core`` says
    so. The machine code is kept next to the package, or in the user's cache folder where that can't be written, or in
    ``NUMBA_CACHE_DIR``.

    Parameters
    ----------
    path : str or os.PathLike, bytes-like, or binary file
        The container's file, or all of its bytes; or ``hf://org/name`` for one on the Hugging Face Hub.
    threads : int, optional
        Threads that a batch, or a single sample's large layers, are spread over; all cores without it.
    tuning : str or os.PathLike, optional
        A file with kernel choices from trials (`dcz.runtime.plan.tuning`). Convolutions missing in it are timed, which
        takes some seconds, and added. Without a file, cost estimates choose. Answers may differ by rounding between two
        files.
    precision : str
        ``fp32``; ``u8``: 8-bit integers, which need ranges (`dcz.calibrate`) and give the same bits on each processor,
        for any batch and number of threads; ``auto``: these if the container has ranges.

    Returns
    -------
    Model

    Raises
    ------
    FormatError
        The file is not a valid container, or holds weights but no graph.
    InputError
        `tuning` is not a tuning file; `precision` is unknown, or needs ranges.
    OSError
        A file cannot be read, or `tuning` cannot be written.
    """
    return Model(fetched(path), name_of(path), threads, tuning, precision)


def _part(arrays: list[F32], start: int, samples: int) -> list[F32]:
    return [array[start : start + samples] for array in arrays]
