"""Times of single layers, as ``dcz bench --layers --json`` wrote them."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from ..dcformat import InputError

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
