"""Calls on a processor without AVX-512: this checkout, another one and ONNX Runtime, interleaved, limited to AVX2.

Each runs in its own process. ``--build FOLDER`` names the other checkout, as for `builds`. Numba compiles for Haswell;
`peers/with_onnxruntime_avx2.py` says how ONNX Runtime is limited. ONNX Runtime also runs without the limit, which shows
that the limit works where the processor has AVX-512.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from ..dense_files import DenseFiles
from ..interleaved import time_interleaved
from ..networks import container
from ..peers import ONNXRUNTIME_AVX2, PEERS, MissingToolError, Peer
from ..peers.process import Worker
from ..suite import HERE, Benchmark, Options, Row, Table
from .builds import BEFORE, NOW, start_build

HASWELL = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+avx,+fma,+bmi,+bmi2,+sse4.2,+popcnt"}
"""Variables that make Numba compile for AVX2, and dcz plan for it."""
GOAL = 1.6
"""Of the other build's time over ours, for the networks of `GOALS`."""
GOALS = ("resnet-20", "vgg16-half")
LIMITED, UNLIMITED = ONNXRUNTIME_AVX2, PEERS["onnxruntime"]
LARGE_ERROR = 1e-5
"""Greatest difference from the other build's answer, relative to its largest element."""


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    if options.build is None:
        return {}
    return {name: partial(measure, name, options, options.build) for name in options.networks}


def measure(name: str, options: Options, other: Path) -> list[Row]:
    """Time a sample in each engine."""
    from dcz.core.difference import relative_error
    from dcz.core.timing import milliseconds, ratio

    network, missing = container(name, options), {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        files = DenseFiles(network.path, network.batch(1), folder)
        workers = {
            build: stack.enter_context(start_build(path, network.path, files.batch, options, True, HASWELL))
            for build, path in ((NOW, HERE.parent), (BEFORE, other))
        }
        for peer in (LIMITED, UNLIMITED):
            try:
                workers[peer.name] = stack.enter_context(_start(peer, files, options))
            except MissingToolError as reason:
                missing[peer.name] = str(reason)
        answers = {engine: worker.answer(folder / "answer.npy") for engine, worker in workers.items()}
        turns = time_interleaved({engine: worker.clock for engine, worker in workers.items()}, options.seconds)
    row: Row = {
        **{"network": network.title, "weights": network.weights, "timer": options.timer_name, "missing": missing},
        "versions": {engine: worker.facts["version"] for engine, worker in workers.items()},
        "milliseconds": {engine: milliseconds(seconds) for engine, seconds in turns.seconds.items()},
        "ratios": {engine: ratio(seconds, turns.seconds[NOW]) for engine, seconds in turns.seconds.items()},
        "errors": {engine: relative_error(answer, answers[BEFORE]) for engine, answer in answers.items()},
    }
    return [{**row, "problems": problems(name, row)}]


def problems(name: str, row: Row) -> list[str]:
    """What misses a goal."""
    found = [
        f"{engine} answers otherwise: {error:.1g}" for engine, error in row["errors"].items() if error > LARGE_ERROR
    ]
    if name in GOALS and (faster := row["ratios"][BEFORE]["of_least"]) < GOAL:
        found.append(f"only {faster:.2f} times as fast as the other build, not {GOAL}")
    return [f"{row['network']}: {each}" for each in found]


def _start(peer: Peer, files: DenseFiles, options: Options) -> Worker:
    peer.command(options.peers)  # no file is made for a missing engine
    return Worker(peer, files.path(peer.reads), files.batch, options.threads, options.peers, options.cpu_time)


def tables(rows: list[Row]) -> list[Table]:
    header = ("network", "this build, us", *(f"{engine}, times" for engine in (BEFORE, LIMITED.name, UNLIMITED.name)))
    body = [
        (
            *(row["network"], row["milliseconds"][NOW]["min_ms"] * 1e3),
            *(_times(row, engine) for engine in (BEFORE, LIMITED.name, UNLIMITED.name)),
        )
        for row in rows
    ]
    timers = " and ".join(dict.fromkeys(row["timer"] for row in rows))
    title = (
        f"AVX2, one sample, one thread, {timers}: least time, and how many times the others take, as medians (least)"
    )
    return [Table(title, header, body)]


def _times(row: Row, engine: str) -> str:
    found = row["ratios"].get(engine)
    return "not run" if found is None else f"{found['median']:.2f} ({found['of_least']:.2f})"


BENCHMARK = Benchmark("avx2", "How fast is it on a processor without AVX-512? (needs --build)", cases, tables)
