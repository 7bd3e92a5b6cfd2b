"""``dcz.calibrate``: from a container and images to a container with ranges, and a report of what they cost."""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.output import check_output, files_among
from ..core.progress import progress
from ..dcformat import Container, Graph, InputError, Output, Quantization, Range, Shape, infer_shapes
from ..dcformat import open as open_container
from ..dcformat.container.writer import stored, write
from ..dcformat.graph.quantization import F32
from ..runtime import Model, load
from ..runtime.plan.fold import scale_and_shift
from .choice import Choice, choose
from .ranges import Observed, Rule, range_of, rule_of
from .report import Calibration, Compared
from .scales import MOST_STEPS, weight_scales
from .sensitivity import Sensitivity, restricted, scan, within_budget
from .simulate import Simulation

if TYPE_CHECKING:
    from ..runtime.vision.images import Item

RANGES = "mse"
"""The default rule for ranges."""
BATCH_ELEMENTS = 1 << 25
"""Most numbers that all watched values of a batch hold together."""
COMPARED = 64
"""Images on which answers are compared: integers are slow to simulate."""
Means = dict[int, NDArray[np.float64]]
"""Means of channels, by value."""


def calibrate(
    path: str | os.PathLike[str],
    images: Item | Iterable[Item],
    out: str | os.PathLike[str],
    *,
    ranges: str = RANGES,
    correct_bias: bool = False,
    budget: float | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> Calibration:
    """Find the ranges that a network's values take for some images, and write a container that has them.

    The new container can be computed with 8-bit integers: ``dcz.load(out, precision="u8")``. Its tensors and its
    answers in float32 are those of the old one, bit for bit.

    Parameters
    ----------
    path : path
        The container.
    images : path, PIL image or array, or an iterable of them
        As for `dcz.Model.preprocess`: some hundred images like those that the network will see. For networks that take
        no images, arrays of float32.
    out : path
        The new container.
    ranges : str
        ``max``: all of what a value held. ``p99.99``, or another percentage: without the outermost numbers. ``mse``:
        what makes the least mean squared error.
    correct_bias : bool
        Add to each output channel the mean error that integers make there (Nagel et al. 2019, section 4.2).
    budget : float, optional
        Leave the layers that integers harm most in float32, as few as are needed so that at most this percentage of the
        images gets another greatest answer than in float32. Without it, all convolutions are computed in integers.
    seed : int
        Of the elements that quantiles are estimated from.
    threads : int, optional
        As for `dcz.load`.

    Returns
    -------
    Calibration

    Raises
    ------
    InputError
        No images, one that does not fit the network, a network without convolutions or with several inputs, an unknown
        rule, a budget below 0 or one that no layer in integers keeps.
    FormatError
        The container is not valid, or has no graph.
    OSError
        A file cannot be read or written.
    """
    rule = rule_of(ranges)
    if budget is not None and not budget >= 0:
        raise InputError("a budget is a percentage of images", expected="0 or more", found=budget)
    check_output(out, *files_among(path, *(images if isinstance(images, list | tuple) else [images])))
    with open_container(path) as container:
        batch = _samples(load(path, threads), images)
        work = _Work(container, threads)
        observed, means = work.observe(batch, np.random.default_rng(seed))
        work.quantize(rule, observed)
        scanned = [] if budget is None else work.keep(batch, budget)
        if correct_bias:
            work.correct(batch, means)
        compared = work.compare(batch[:: max(1, len(batch) // COMPARED)][:COMPARED])
        write(
            out,
            work.graph,
            stored(container),
            preprocess=container.preprocess,
            labels=container.labels,
            metadata=container.metadata,
            tied=container.tied,
        )
    return Calibration(
        os.fspath(out), os.path.getsize(out), len(batch), ranges, correct_bias, seed, compared, budget, scanned
    )


def _samples(model: Model, images: Any) -> F32:
    samples = [sample for _, sample in model.samples(images)]
    if not samples:
        raise InputError("no images to calibrate with", hint="name some hundred like those that the network will see")
    batch = np.stack(samples)
    if not batch.any():
        raise InputError("the images hold nothing but zeros", hint="calibrate with images that the network will see")
    return batch


class _Work:
    """A network on its way to integers.

    Attributes
    ----------
    graph : Graph
        With ranges, scales and corrections, as far as they are known.
    """

    def __init__(self, container: Container, threads: int | None) -> None:
        assert container.graph is not None
        self.graph: Graph = replace(container.graph, quantization=None)
        self._container, self._threads = container, threads
        weights = {name: container.entries[name].shape for name in self.graph.tensor_names()}
        self._shapes: list[Shape] = infer_shapes(self.graph, weights)
        self._choice: Choice = choose(self.graph, self._shapes, container.decode)

    def observe(self, batch: F32, rng: np.random.Generator) -> tuple[dict[int, Observed], Means]:
        """What values hold, and the means of the channels of convolutions before residual and activation."""
        values = [value for group in self._choice.groups for value in group]
        before = {outputs.before for outputs in self._choice.outputs}
        seen = {value: Observed() for value in values}
        means = {value: np.zeros(self._shapes[value][0]) for value in before}
        taken = 0
        for part, found in self._batches(batch, [*values, *before], "ranges"):
            for value, observed in seen.items():
                self._check(value, found[value], taken)
                observed.add(found[value], rng, len(batch))
            for value, mean in means.items():
                axes = (0, *range(2, found[value].ndim))
                mean += len(part) / len(batch) * found[value].mean(axis=axes, dtype=np.float64)
            taken += len(part)
        return seen, means

    def _check(self, value: int, x: F32, first: int) -> None:
        """Refuse numbers that no range can hold; `first` is the number of the first image, from 0."""
        if not np.isfinite([x.min(), x.max()]).all():
            bad = first + int(np.isfinite(x).reshape(len(x), -1).all(axis=1).argmin())
            node = self.graph.maker(value)
            what = "the input" if node is None else f"what {node.params.get('weight', node.op)} computes"
            raise InputError(
                "no range can hold infinite numbers or NaN",
                where=f"image {bad + 1}, {what}",
                hint="leave the image out",
            )

    def quantize(self, rule: Rule, observed: dict[int, Observed]) -> None:
        """Set ranges and scales."""
        values: dict[int, Range] = {}
        for group in self._choice.groups:
            values |= dict.fromkeys(group, range_of([observed[value] for value in group], rule))
        weights: dict[str, F32] = {}
        for layer in self._choice.layers:
            name, given = layer.node.params["weight"], values[layer.inputs[0]]
            weight = self._container.decode(name).float32().dense()
            scale, shift = scale_and_shift(layer.node, layer.norms, self._container.decode, len(weight))
            steps = np.zeros(len(weight))
            if shift is not None:
                factor = np.float64(1) if scale is None else np.maximum(np.abs(scale.astype(np.float64)), 2.0**-100)
                steps = np.abs(shift) / (given.scale * factor * MOST_STEPS)
            scales = weight_scales(weight, steps)
            weights[name] = np.maximum(scales, weights.get(name, scales))
        self.graph = replace(self.graph, quantization=Quantization(values, weights))

    def keep(self, batch: F32, budget: float) -> list[Sensitivity]:
        """Take the layers that integers harm most out of them, within a budget."""
        whole = self.graph.quantization
        assert whole is not None

        def answers(weights: Collection[str]) -> F32:
            chosen = choose(self.graph, self._shapes, self._container.decode, weights)
            found = self._loaded(replace(self.graph, quantization=restricted(whole, chosen)), "u8")(batch)
            return next(iter(found.values())) if isinstance(found, dict) else found

        found = self._loaded(replace(self.graph, quantization=None))(batch)
        wanted = next(iter(found.values())) if isinstance(found, dict) else found
        scanned = within_budget(scan(list(whole.weights), answers, wanted), answers, wanted, budget)
        kept = [each.weight for each in scanned if each.integer]
        self._choice = choose(self.graph, self._shapes, self._container.decode, kept)
        self.graph = replace(self.graph, quantization=restricted(whole, self._choice))
        return scanned

    def correct(self, batch: F32, means: Means) -> None:
        """Set corrections: the mean error of each channel, layer by layer, with all layers before corrected."""
        largest = max(prod(self._shapes[value]) for value in means)
        part = batch[:: max(1, len(batch) * largest // BATCH_ELEMENTS)]
        wanted = {outputs.node: means[outputs.before] for outputs in self._choice.outputs}

        def correction(value: int, outputs: NDArray[np.floating]) -> F32:
            axes = (0, *range(2, outputs.ndim))
            error = wanted[value] - outputs.mean(axis=axes, dtype=np.float64)
            return np.array([float(f"{number:.3g}") for number in error], np.float32)

        simulation = self._simulation()
        simulation.run(part, correct=correction)
        assert self.graph.quantization is not None
        quantization = replace(self.graph.quantization, corrections=simulation.corrections)
        self.graph = replace(self.graph, quantization=quantization)

    def compare(self, batch: F32) -> Compared:
        """Compare layers and answers with those in float32."""
        simulation = self._simulation()
        watched = list(simulation.layers)
        titles = {value: layer.node.params["weight"] for value, layer in simulation.layers.items()}
        compared = Compared(titles, self.graph.answers)
        for part, wanted in self._batches(batch, [*watched, *self.graph.answers], "errors"):
            compared.add(wanted, simulation.run(part, watch=watched))
        return compared

    def _simulation(self) -> Simulation:
        return Simulation(self.graph, self._shapes, self._container.decode)

    def _loaded(self, graph: Graph, precision: str = "fp32") -> Model:
        file = io.BytesIO()
        write(file, graph, stored(self._container))
        return load(file.getvalue(), self._threads, precision=precision)

    def _batches(self, batch: F32, values: Sequence[int], title: str) -> Iterator[tuple[F32, dict[int, F32]]]:
        """Parts of a batch, and what values hold for them in float32."""
        distinct = list(dict.fromkeys(values))
        outputs = tuple(Output(value, str(value)) for value in distinct)
        graph = replace(self.graph, outputs=outputs, quantization=None)
        model = self._loaded(graph)
        size = max(1, BATCH_ELEMENTS // sum(prod(self._shapes[value]) for value in distinct))
        starts = range(0, len(batch), size)
        for start in progress(starts, "batch", len(starts), title):
            part = batch[start : start + size]
            found = model(part)
            found = found if isinstance(found, dict) else {str(distinct[0]): found}
            yield part, {value: found[str(value)] for value in distinct}
