"""`Model`: a container, loaded and ready to run."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..core.hub import fetched
from ..core.readahead import Content, Source, name_of
from ..dcformat import InputError
from .arguments import Arguments, check_one_input, check_one_output
from .engine import Engine, part_of
from .settings import thread_count
from .vision.ranking import Answer, Prediction, rank, warning_of_nan

if TYPE_CHECKING:
    from .facts import LayerStats
    from .kernels.contract import F32
    from .vision.images import Inputs, Item


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
    arguments : Arguments
        The check of what it is called with.
    threads : int
        Threads for a batch, or for large layers. Results do not depend on it. They may depend, by rounding alone, on
        whether a sample belongs to a group of 16 of a batch, which run as vector lanes, or to the rest.
    precision : str
        ``fp32``; ``u8``: values with a range are held as 8-bit integers; ``s16``: convolutions that gain by it are
        computed in words of 16 bits.
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
        start = time.perf_counter()
        content = Content(source)
        tuned = None if tuning is None else os.path.abspath(tuning)
        self._name, self._made_from = name, (content.origin, name, threads, tuned, precision)
        self._engine = Engine(content, name, self.threads, tuning, precision)
        opened = time.perf_counter()
        facts = self._engine.facts
        self.precision = facts.precision
        self.input_shapes, self.output_shapes = facts.inputs, facts.outputs
        self.input_names, self.output_names = tuple(self.input_shapes), tuple(self.output_shapes)
        self.input_shape = self.input_shapes[self.input_names[0]]
        self.output_shape = self.output_shapes[self.output_names[0]]
        self.arguments = Arguments(facts.inputs, facts.limits)
        self._single = self._engine.single_call()
        self.stats = Stats(
            file_bytes=facts.file_bytes,
            weight_bytes=sum(layer["weight_bytes"] for layer in facts.layers),
            arena_bytes=facts.arena_bytes,
            layers=facts.layers,
            open_seconds=opened - start,
            plan_seconds=time.perf_counter() - opened,
        )

    @property
    def labels(self) -> list[str] | None:
        """Class names."""
        return self._engine.container.labels

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the source, a path or all bytes: unpickling loads the model again."""
        return Model, self._made_from

    def __repr__(self) -> str:
        ends = (self.input_shapes, self.output_shapes)
        given, made = (next(iter(end.values())) if len(end) == 1 else end for end in ends)
        return f"<dcz.Model {self._name!r}: {given} -> {made}>"

    def _repr_html_(self) -> str:
        from .summary import summary

        return summary(self, self._engine.container)

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
        answer = self._single(*batch)
        if answer is not None:
            return answer
        answers = self._engine.answers(self.arguments(batch))
        return answers[0] if len(answers) == 1 else dict(zip(self.output_names, answers, strict=True))

    def noise(self, samples: int, seed: int = 0) -> dict[str, NDArray[Any]]:
        """Random inputs to call the network with: normal noise, and integers where it takes integers.

        Returns
        -------
        dict of str to ndarray of float32 or int64, shapes ``(samples, *shape)``
            By name, in the order of the inputs.
        """
        from ..dcformat.graph.ids import random_inputs

        shapes = {name: entry.shape for name, entry in self._engine.container.entries.items()}
        arrays = random_inputs(self._engine.graph, shapes, samples, seed)
        return dict(zip(self.input_names, arrays, strict=True))

    @cached_property
    def _inputs(self) -> Inputs:
        from .vision.images import Inputs  # it imports Pillow, which those who call with arrays do not need

        return Inputs(self._engine.container.preprocess, self.input_shape)

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
        from .execute.layer_times import LayerTimer

        x = self.arguments((batch,))
        slices = list(self._engine.slices(len(x[0])))
        sizes = sorted({size for _, size in slices}, reverse=True)
        timer = LayerTimer([self._engine.plan(size) for size in sizes])

        def once() -> NDArray[np.float64]:
            parts = [timer.time(sizes.index(size), part_of(x, start, size)) for start, size in slices]
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
            best = iter(self.rank(self._engine.answers([np.stack(samples)])[0], top) if samples else ())
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
        return rank(scores, self._engine.graph, self.labels, top)


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
        ``fp32``. ``u8``: 8-bit integers, which need ranges (`dcz.calibrate`) and give the same bits on each processor,
        for any batch and number of threads. ``s16``: 16-bit integers in the convolutions that they make faster, which
        need no ranges; the errors of answers are below a thousandth of the greatest logit of the test sets that were
        measured, and answers do not depend on batch and threads. ``auto``: ``u8`` if the container has ranges, with
        ``s16`` in layers that have no grid; else ``fp32``.

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
