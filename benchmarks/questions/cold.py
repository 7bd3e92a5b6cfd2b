"""A cold call: one fully connected layer through ``dcz.load``, with its weights out of the caches, beside F.linear.

What a service meets that has other work between two calls. All of a call counts: the check of its input, the memory for
its answer, and Python around the kernel. A compiled program, which ``dcz warm`` keeps, has less of that.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import dcz
from dcz.core.difference import relative_error
from dcz.core.timing import Interleaved, milliseconds, ratio
from dcz.dcformat import Graph, make_node, write

from ..interleaved import cold_clock, run_rounds
from ..suite import HERE, Benchmark, Options, Row, Table, figure

if TYPE_CHECKING:
    from ..kernels import Linear

LEAST_RATIOS = {"alexnet.fc7": 18.0, "alexnet.fc8": 9.0}
"""Layers of `benchmarks.kernels`, and the goals: the time of F.linear over that of a compiled program."""
PROGRAM, KERNELS, TORCH = "dcz, compiled program", "dcz, kept kernels", "F.linear"


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    from ..kernels import LAYERS, Linear

    layers = [layer for layer in LAYERS if isinstance(layer, Linear) and layer.name in LEAST_RATIOS]
    return {layer.name: partial(measure, layer, options) for layer in layers}


def measure(layer: Linear, options: Options) -> list[Row]:
    """Time cold calls of a layer, by turns: a row for each engine."""
    import torch

    from ..kernels import random_weight

    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    inputs, outputs = layer.features
    weight, bias = random_weight(rng, (outputs, inputs), layer.density, layer.bits), rng.standard_normal(outputs)
    bias, x = bias.astype(np.float32), rng.standard_normal((1, inputs), dtype=np.float32)
    dense = [torch.from_numpy(array) for array in (x, weight.dense(), bias)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{layer.name}.dcz")
        node = make_node("linear", (0,), {"weight": "weight", "bias": "bias"})
        write(path, Graph((inputs,), (node,), 1), {"weight": weight.dense(), "bias": bias})
        calls: dict[str, Callable[[], Any]] = {way: partial(loaded(path, way), x) for way in (PROGRAM, KERNELS)}
        calls[TORCH] = partial(torch.nn.functional.linear, *dense)
        clocks = {engine: cold_clock(call, options.timer) for engine, call in calls.items()}
        turns = run_rounds(Interleaved(clocks, turn_seconds=0), options.seconds)
    expected = calls[TORCH]().numpy()
    rows: list[Row] = []
    for engine, seconds in turns.seconds.items():
        row: Row = {"layer": layer.name, "density": layer.density, "engine": engine, "timer": options.timer_name}
        theirs_over_it = ratio(turns.seconds[TORCH], seconds)
        error = relative_error(np.asarray(calls[engine]()), expected)
        rows.append({**row, **milliseconds(seconds), "ratio": theirs_over_it, "error": error})
    return [{**row, "problems": problems(row)} for row in rows]


def loaded(path: Path, way: str) -> dcz.Model:
    """The model, with a compiled program or without."""
    if way == PROGRAM:
        command = [sys.executable, "-m", "dcz", "-q", "warm", os.fspath(path)]
        subprocess.run(command, cwd=HERE.parent, check=True, stdout=sys.stderr)
    before = os.environ.get("DCZ_PROGRAMS")
    os.environ["DCZ_PROGRAMS"] = str(int(way == PROGRAM))
    try:
        return dcz.load(path, threads=1)
    finally:
        if before is None:
            del os.environ["DCZ_PROGRAMS"]
        else:
            os.environ["DCZ_PROGRAMS"] = before


def problems(row: Row) -> list[str]:
    """What misses a goal."""
    least = LEAST_RATIOS[row["layer"]]
    if row["engine"] != PROGRAM or row["ratio"]["median"] >= least:
        return []
    return [f"{row['layer']}: F.linear takes {row['ratio']['median']:.1f} times as long, less than {least:g}"]


def tables(rows: list[Row]) -> list[Table]:
    header = ("layer", "density", "engine", "us: median (least)", "F.linear's time over it", "error")
    body = [
        (
            *(row["layer"], f"{row['density']:.2f}", row["engine"]),
            f"{figure(1e3 * row['median_ms'])} ({figure(1e3 * row['min_ms'])})",
            f"{row['ratio']['median']:.1f} ({row['ratio']['of_least']:.1f})",
            f"{row['error']:.0e}",
        )
        for row in rows
    ]
    timers = " and ".join(dict.fromkeys(row["timer"] for row in rows))
    return [Table(f"One sample, one thread, cold caches, {timers}", header, body, 3)]


BENCHMARK = Benchmark("cold", "How long does a cold call of one layer take?", cases, tables)
