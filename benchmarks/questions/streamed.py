"""Compiled models with weights that stay coded: memory and time a call beside the same model with packed weights."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import dcz
from dcz.aot.compile import compile_model
from dcz.aot.native import NativeModel
from dcz.core.timing import clock_of, ratio

from ..interleaved import time_interleaved
from ..networks import container
from ..suite import Benchmark, Options, Row, Table
from .compiled import calling

TARGETS = ("native", "x86-64-v3")
"""The second one has the kernels that processors of small machines have, too."""
PACKED, STREAMED = "packed", "streamed"


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    return {
        f"{name} {target}": partial(measure, name, target, options) for name in options.networks for target in TARGETS
    }


def measure(name: str, target: str, options: Options) -> list[Row]:
    """Compile a network both ways, and time calls, interleaved."""
    network = container(name, options)
    with dcz.open(network.path) as opened:
        assert opened.graph is not None
        shape = opened.graph.input_shape
    sample = np.random.default_rng(0).standard_normal((1, *shape), dtype=np.float32)
    row: Row = {"network": network.title, "container": network.path.stat().st_size, "timer": options.timer_name}
    with tempfile.TemporaryDirectory() as folder:
        models: dict[str, NativeModel] = {}
        for way in (PACKED, STREAMED):
            made, streams = Path(folder, way), way == STREAMED
            report = compile_model(network.path, made.with_suffix(".o"), target=target, stream_weights=streams)
            compile_model(network.path, made.with_suffix(".so"), target=target, stream_weights=streams)
            models[way] = NativeModel(made.with_suffix(".so"))
            sizes = {"flash": report.file_bytes, "arena": report.arena_bytes, "peak": report.peak_bytes}
            row |= {"target": report.target, way: sizes}
        answers = [model(sample).tobytes() for model in models.values()]
        clocks = {way: clock_of(calling(model, sample), options.timer) for way, model in models.items()}
        turns = time_interleaved(clocks, options.seconds)
    for way, seconds in turns.seconds.items():
        row[way] |= {"seconds": min(seconds)}
    row |= {"ratio": ratio(turns.seconds[STREAMED], turns.seconds[PACKED]), "bit_equal": answers[0] == answers[1]}
    problems = [] if row["bit_equal"] else [f"{network.title}: streamed weights give other answers"]
    return [{**row, "problems": problems}]


def tables(rows: list[Row]) -> list[Table]:
    header = ("network", "target", "weights", "flash KB", "arena KB", "peak KB", "a call, us", "bits")
    body = [line for row in rows for line in _lines(row)]
    timers = " and ".join(dict.fromkeys(row["timer"] for row in rows))
    return [Table(f"An object file, one sample, one thread, {timers}: least time", header, body, 3)]


def _lines(row: Row) -> list[tuple[Any, ...]]:
    equal = {PACKED: "", STREAMED: "equal" if row["bit_equal"] else "differ"}
    return [
        (
            *(row["network"], row["target"], way),
            *(f"{row[way][size] / 1000:,.0f}" for size in ("flash", "arena", "peak")),
            *(f"{row[way]['seconds'] * 1e6:,.0f}", equal[way]),
        )
        for way in (PACKED, STREAMED)
    ]


BENCHMARK = Benchmark("streamed", "What do weights that stay coded save, and cost?", cases, tables, "embedding.md")
