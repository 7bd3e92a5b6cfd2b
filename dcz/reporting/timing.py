"""Times of single layers: measured here, or as ``dcz bench --layers --json`` wrote them."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.progress import progress
from ..dcformat import Dense, FormatError, InputError, infer_shapes, open
from ..dcformat.graph.ids import random_inputs

if TYPE_CHECKING:
    from ..dcformat import Container, Tensor
    from ..runtime.facts import LayerStats

SECONDS = 4.0
"""Approximate duration of a measurement; at least `LEAST` rounds."""
LEAST, MOST = 11, 100
HINT = "write it with: dcz bench MODEL.dcz --layers --json > FILE.json"


@dataclass(frozen=True)
class LayerTime:
    """Time of one layer of the plan.

    Attributes
    ----------
    name : str
        Its weight tensor, or its operator where it has none.
    op : str
    kernel : str
        Name of the kernel that the runtime chose.
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


def measure(path: str | os.PathLike[str], precision: str = "fp32") -> LayerTimes:
    """Time each layer as it is stored and with dense weights, interleaved.

    Both run in this runtime, each layer in its best kernel, so the difference is the effect of sparsity here.
    One sample, one thread; the figure is the median of the rounds.

    Parameters
    ----------
    path : str or os.PathLike
    precision : str
        As for `dcz.load`.

    Raises
    ------
    FormatError
        The container is damaged, or holds no graph.
    InputError
        The precision needs ranges that the container does not have.
    OSError
        It cannot be read.
    """
    from ..runtime.execute.layer_times import LayerTimer
    from ..runtime.plan.plan import plan
    from ..runtime.plan.target import HOST
    from ..runtime.precision import arithmetic

    with open(path) as container:
        graph = container.graph
        if graph is None:
            raise FormatError("container holds weights but no graph, so there is nothing to time", path=path)
        weights = {name: container.entries[name].shape for name in graph.tensor_names()}
        shapes = infer_shapes(graph, weights)
        numbers = arithmetic(graph, precision, container.path)
        made = partial(plan, graph, shapes, batch=1, target=numbers.target(HOST), integers=numbers.integers)
        stored, dense = made(decode=container.decode), made(decode=lambda name: _without_zeros(container, name))
        sample = [array.astype(np.float32) for array in random_inputs(graph, weights, 1)]
    timer = LayerTimer([stored, dense])

    def once() -> list[Any]:
        return [timer.time(number, sample) for number in range(2)]

    once()  # compiles kernels that are not compiled yet
    rounds = max(LEAST, min(MOST, int(SECONDS / max(1e-6, float(np.sum(once()))))))
    seconds = np.median([once() for _ in progress(range(rounds), "round", rounds)], axis=0)
    rows = [_measured(*row) for row in zip(timer.layers, *seconds.tolist(), strict=True)]
    return LayerTimes(rows, "batch 1, 1 thread; dense: the same layer without a zero, in the kernel that suits it best")


def _measured(layer: LayerStats, seconds: float, dense: float) -> LayerTime:
    name, has_weights = layer["weight"] or layer["op"], bool(layer["weight"])
    return LayerTime(name, layer["op"], layer["kernel"], 1e6 * seconds, 1e6 * dense if has_weights else None)


def _without_zeros(container: Container, name: str) -> Tensor:
    """A tensor; for the weights of a layer, a constant array of its shape, since times do not depend on values."""
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
