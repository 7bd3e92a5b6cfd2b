"""Comparison of two builds: this checkout and another one, on the same containers, interleaved.

Each build runs in its own process with its own cache of compiled kernels, so the two share only the machine. ``--build
FOLDER`` names the other checkout: ``git worktree add ../before v0.2.0``, say.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import geometric_mean, median
from types import MappingProxyType
from typing import Any

import numpy as np

from ..interleaved import time_interleaved
from ..networks import container
from ..peers import PEERS
from ..peers.process import Worker
from ..suite import HERE, Benchmark, Options, Row, Table

STARTS = 5
NOW, BEFORE = "this build", "the other build"
STARTED = {"import_s": "import s", "load_s": "load s", "first_s": "first answer s", "peak_mib": "MiB at peak"}


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    if options.build is None:
        return {}
    return {
        f"{name} batch {batch} threads {options.threads}": partial(measure, name, batch, options, options.build)
        for name in options.networks
        for batch in options.batches
    }


def measure(name: str, batch_size: int, options: Options, other: Path) -> list[Row]:
    """Times of a call and of start-up of both builds on one container, and whether answers are bit-equal."""
    from dcz.core.timing import milliseconds, ratio

    network = container(name, options)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        batch = folder / "batch.npy"
        np.save(batch, network.batch(batch_size))

        start = partial(start_build, model=network.path, batch=batch, options=options)
        builds = {NOW: HERE.parent, BEFORE: other}
        starts: dict[str, list[dict[str, Any]]] = {build: [] for build in builds}
        for number in range(STARTS):
            for build, path in builds.items():
                with start(path, prepare=number == 0) as worker:
                    starts[build].append(worker.facts)
        workers = {build: stack.enter_context(start(path, prepare=False)) for build, path in builds.items()}
        answers = [worker.answer(folder / "answer.npy") for worker in workers.values()]
        turns = time_interleaved({build: worker.clock for build, worker in workers.items()}, options.seconds)
    equal = answers[0].tobytes() == answers[1].tobytes()
    row: Row = {"network": network.title, "batch": batch_size, "threads": options.threads, "bit_equal": equal}
    row |= {"timer": options.timer_name, "ratio": ratio(turns.seconds[NOW], turns.seconds[BEFORE])}
    for build, facts in starts.items():
        started = {key: median(fact[key] for fact in facts) for key in STARTED}
        row[build] = milliseconds(turns.seconds[build]) | started | {"version": facts[0]["version"]}
    return [row]


def start_build(
    build: Path,
    model: Path,
    batch: Path,
    options: Options,
    prepare: bool,
    variables: Mapping[str, str] = MappingProxyType({}),
) -> Worker:
    """Start dcz of a checkout in a process of its own; parameters as `Worker` takes them."""
    cache = options.work / "kernels" / build.resolve().name
    cache.mkdir(parents=True, exist_ok=True)
    environment = {"PYTHONPATH": str(build.resolve()), "NUMBA_CACHE_DIR": str(cache.resolve()), **variables}
    settings = options.threads, options.peers, options.cpu_time, prepare, environment
    return Worker(PEERS["dcz"], model, batch, *settings)


def tables(rows: list[Row]) -> list[Table]:
    if not rows:
        return []
    header = ("network", "batch", "ms before", "ms now", "now / before", "of least", "same bits")
    body = [
        (
            row["network"],
            row["batch"],
            row[BEFORE]["median_ms"],
            row[NOW]["median_ms"],
            row["ratio"]["median"],
            row["ratio"]["of_least"],
            "yes" if row["bit_equal"] else "no",
        )
        for row in rows
    ]
    means = [geometric_mean(row["ratio"][kind] for row in rows) for kind in ("median", "of_least")]
    body.append(("geometric mean", "", "", "", *means, ""))
    starts = [
        (row["network"], row["batch"], *(f"{row[build][key]:.3f}" for key in STARTED for build in (BEFORE, NOW)))
        for row in rows
    ]
    started = [f"{name} {when}" for name in STARTED.values() for when in ("before", "now")]
    return [Table("A call", header, body), Table("A start", ("network", "batch", *started), starts)]


BENCHMARK = Benchmark("builds", "Has a change cost speed? (needs --build)", cases, tables)
