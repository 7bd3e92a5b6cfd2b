"""Compiled models: sizes, start and memory of a C program, and time a call beside the runtime's and other engines'.

A program in C (`probe.c`) is linked with the object file and started many times. Calls are timed in this process by
ctypes, on addresses as in C, interleaved with the same network in Python, and dense in engines for devices, which run
in processes of their own. Each has one thread.
"""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import dcz
from dcz.aot.compile import compile_model
from dcz.aot.native import NativeModel
from dcz.core import memory
from dcz.core.timing import clock_of, ratio

from ..dense_files import DenseFiles
from ..interleaved import time_interleaved
from ..networks import container
from ..peers.process import Worker
from ..suite import HERE, Benchmark, Options, Row, Table, figure
from .latency import start_peers

STARTS = 50
MOST_KB, MOST_MIB, MOST_FIRST_MS = 300, 4.0, 1.0
"""Goals for ResNet-20: size of the object file, memory of the program, its first answer."""
GOAL = "resnet-20"
COMPILED, OURS = "compiled", "dcz"
PEERS = "onnxruntime", "litert", "ncnn"
"""Engines for devices."""


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    return {name: partial(measure, name, options) for name in options.networks}


def measure(name: str, options: Options) -> list[Row]:
    """Compile a network for this machine, start it, and time its calls."""
    network = container(name, options)
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        program, report = build(network.path, folder)
        first, peak, answer = start(program, 3 if options.quick else STARTS)
        compile_model(network.path, folder / "model.so")
        native, model = NativeModel(folder / "model.so"), dcz.load(network.path, threads=1)
        sample = ((np.arange(np.prod(model.input_shape)) % 7) - 3).astype(np.float32).reshape(1, *model.input_shape)
        expected = model(sample)
        equal = np.array_equal(native(sample), expected) and np.array_equal(answer, expected.reshape(-1))
        calls: dict[str, Callable[[], Any]] = {COMPILED: calling(native, sample), OURS: partial(model, sample)}
        clocks = {engine: clock_of(call, options.timer) for engine, call in calls.items()}
        peers = dict(start_peers(DenseFiles(network.path, sample, folder), options, stack, PEERS))
        clocks |= {engine: peer.clock for engine, peer in peers.items() if isinstance(peer, Worker)}
        turns = time_interleaved(clocks, options.seconds)
    row: Row = {
        **{"network": network.title, "weights": network.weights, "target": report.target},
        **{"object": report.file_bytes, "constants": report.constant_bytes, "arena": report.arena_bytes},
        **{"first_ms": first, "peak_mib": peak, "bit_equal": equal, "timer": options.timer_name},
        "seconds": {engine: min(seconds) for engine, seconds in turns.seconds.items()},
        "ratios": {engine: ratio(turns.seconds[COMPILED], seconds) for engine, seconds in turns.seconds.items()},
        "missing": {engine: reason for engine, reason in peers.items() if isinstance(reason, str)},
    }
    return [{**row, "problems": problems(name, row)}]


def problems(name: str, row: Row) -> list[str]:
    """What misses a goal."""
    found = [] if row["bit_equal"] else ["the answers are not the runtime's"]
    if row["ratios"][OURS]["of_least"] > 1:
        found.append(f"a call takes {row['ratios'][OURS]['of_least']:.2f} times the runtime's")
    if name == GOAL:
        limits = {"object": MOST_KB * 1000, "peak_mib": MOST_MIB, "first_ms": MOST_FIRST_MS}
        found += [f"{key} is {row[key]}, more than {most}" for key, most in limits.items() if row[key] > most]
    return [f"{row['network']}: {each}" for each in found]


def build(model: Path, folder: Path) -> tuple[Path, Any]:
    """Compile a container and link `probe.c` with it; the program, and the compiler's report."""
    report = compile_model(model, folder / "model.o", folder / "model.h")
    sources = [HERE / "probe.c", folder / "model.o"]
    command = ["cc", "-O2", "-std=c11", "-I", folder, "-o", folder / "probe", *sources, "-lm"]
    subprocess.run(command, check=True)
    return folder / "probe", report


def start(program: Path, times: int) -> tuple[float, float, np.ndarray[Any, Any]]:
    """Start the program some times: median of milliseconds to the answer, peak in MiB, and the answer."""
    spent, peaks = [], []
    for _ in range(times):
        begun = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        said = subprocess.run([program, str(begun)], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        spent.append(float(said[0]) / 1e3)
        peaks.append(int(said[1]) / 1024)
    return median(spent), max(peaks), np.array(said[2:], np.float32)


def calling(native: NativeModel, sample: np.ndarray[Any, Any]) -> Callable[[], Any]:
    """A call as a program in C makes it: of addresses that are there already."""
    output = np.empty((1, *next(iter(native.output_shapes.values()))), np.float32)
    held = sample, output, memory.room(native.facts["arena_bytes"] // 4, np.float32)
    library = ctypes.CDLL(native.path)
    library.dcz_run.argtypes = [ctypes.c_void_p] * len(held)
    call = partial(library.dcz_run, *(array.ctypes.data for array in held))
    return lambda: (held, call())  # which keeps the memory


def tables(rows: list[Row]) -> list[Table]:
    header = ("network", "target", "object KB", "constants KB", "arena KB", "peak MiB", "first answer ms", "bits")
    body = [
        (
            *(row["network"], row["target"], *(figure(row[key] / 1000) for key in ("object", "constants", "arena"))),
            *(row["peak_mib"], row["first_ms"], "equal" if row["bit_equal"] else "differ"),
        )
        for row in rows
    ]
    sizes = Table("A program in C with a compiled network: from its start to the first answer", header, body, 2)
    others = list(dict.fromkeys(engine for row in rows for engine in row["seconds"] if engine != COMPILED))
    header = ("network", "compiled, us", *(f"over {engine}'s" for engine in others))
    times = [
        (row["network"], row["seconds"][COMPILED] * 1e6, *(_over(row, engine) for engine in others)) for row in rows
    ]
    timers = " and ".join(dict.fromkeys(row["timer"] for row in rows))
    title = f"A call, one sample, one thread, {timers}: least time, and median of the ratios (of the least times)"
    return [sizes, Table(title, header, times)]


def _over(row: Row, engine: str) -> str:
    found = row["ratios"].get(engine)
    return "not run" if found is None else f"{found['median']:.2f} ({found['of_least']:.2f})"


BENCHMARK = Benchmark("compiled", "What does a network compiled ahead of time take?", cases, tables, "embedding.md")
