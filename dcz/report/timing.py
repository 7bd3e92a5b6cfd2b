"""Times of single layers: measured here, or as ``dcz bench --layers --json`` wrote them."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..dcformat import Dense, FormatError, InputError, infer_shapes, open
from .progress import Progress, silent

if TYPE_CHECKING:
    from ..dcformat import Container, Tensor

SECONDS = 4.0
"""About how long a measurement lasts; a large network gets `LEAST` rounds all the same."""
LEAST, MOST = 11, 100
HINT = "write it with: dcz bench MODEL.dcz --layers --json > FILE.json"


@dataclass(frozen=True)
class LayerTime:
    """How long one layer of the plan takes.

    Attributes
    ----------
    name : str
        Its weight tensor, or its operator where it has none.
    op : str
    kernel : str
        That the runtime chose.
    microseconds : float
    dense : float or None
        Microseconds of the same layer with dense weights, where that was measured.
    """

    name: str
    op: str
    kernel: str
    microseconds: float
    dense: float | None


@dataclass(frozen=True)
class LayerTimes:
    """A measurement of all layers.

    Attributes
    ----------
    rows : list of LayerTime
        In the order in which they run.
    conditions : str
        Batch, threads and machine.
    """

    rows: list[LayerTime]
    conditions: str


def measure(path: str | os.PathLike[str], progress: Progress = silent) -> LayerTimes:
    """Time each layer as it is stored, and once more without a zero among its weights, by turns.

    Both run in this runtime, each layer in the kernel that suits it: the difference is what sparsity saves here.
    One sample, one thread; the median of the rounds counts.

    Parameters
    ----------
    path : str or os.PathLike
    progress : callable, optional

    Raises
    ------
    FormatError
        The container is damaged, or holds no graph.
    OSError
        It cannot be read.
    """
    from ..runtime.announce import announce_compiling
    from ..runtime.execute.executor import Executor
    from ..runtime.plan.plan import plan

    announce_compiling()
    with open(path) as container:
        graph = container.graph
        if graph is None:
            raise FormatError("container holds weights but no graph, so there is nothing to time", path=path)
        shapes = infer_shapes(graph, {name: container.entries[name].shape for name in graph.tensor_names()})
        stored = plan(graph, shapes, container.decode, 1)
        dense = plan(graph, shapes, lambda name: _without_zeros(container, name), 1)
    sample = np.random.default_rng(0).standard_normal((1, *graph.input_shape), dtype=np.float32)
    executors = Executor(stored), Executor(dense)

    def once() -> list[Any]:
        return [executor.time_steps(sample) for executor in executors]

    once()  # compiles what is not compiled yet
    rounds = max(LEAST, min(MOST, int(SECONDS / max(1e-6, float(np.sum(once()))))))
    seconds = np.median([once() for _ in progress(range(rounds), rounds)], axis=0)
    rows = [
        LayerTime(step.weight or step.op, step.op, step.kernel, 1e6 * ours, 1e6 * theirs if step.weight else None)
        for step, ours, theirs in zip(stored.steps, *seconds.tolist(), strict=True)
    ]
    return LayerTimes(rows, "batch 1, 1 thread; dense: the same layer without a zero, in the kernel that suits it best")


def _without_zeros(container: Container, name: str) -> Tensor:
    """A tensor, or, of a layer's weights, the shape alone: times do not depend on values."""
    shape = container.entries[name].shape
    if len(shape) < 2:
        return container.decode(name)
    return Dense(np.full(shape, shape[0] / np.prod(shape), dtype=np.float32), "F32")  # activations stay finite


def read_bench(path: str | os.PathLike[str], tensors: Collection[str]) -> LayerTimes:
    """Read what ``dcz bench --layers --json`` printed.

    Parameters
    ----------
    path : str or os.PathLike
    tensors : collection of str
        Names of the container's tensors.

    Raises
    ------
    InputError
        Another kind of file, or times of a network with other tensors.
    OSError
        It cannot be read.
    """
    try:
        document = json.loads(Path(path).read_bytes())
        rows = [_row(layer) for layer in document["layers"]]
        conditions = _conditions(document)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        raise InputError("holds no times of layers", path=path, hint=HINT) from None
    for layer in document["layers"]:
        if layer["weight"] is not None and layer["weight"] not in tensors:
            raise InputError("holds times of another network", path=path, found=f"layer {layer['weight']!r}")
    return LayerTimes(rows, conditions)


def _row(layer: dict[str, Any]) -> LayerTime:
    op, weight = str(layer["op"]), layer["weight"]
    dense = layer.get("dense_us")
    return LayerTime(
        op if weight is None else str(weight), op, str(layer["kernel"]), _time(layer["us"]),
        None if dense is None else _time(dense),
    )  # fmt: skip


def _time(value: Any) -> float:
    if isinstance(value, bool) or not isfinite(value) or value < 0:
        raise ValueError(value)
    return float(value)


def _conditions(document: dict[str, Any]) -> str:
    run, machine = document["runs"][0], document["machine"]
    threads = f"{int(run['threads'])} thread" + "s" * (run["threads"] != 1)
    return f"batch {int(run['batch'])}, {threads}; {machine['cpu']}"
