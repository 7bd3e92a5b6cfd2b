"""Start: a new Python that loads a container, computes one answer and ends; warm caches.

With a compiled program, which ``dcz warm`` keeps, and without: then kernels come from the disk, and the weights are
decoded. A fresh machine has nothing but copies of the programs: each start has a cache folder and a home of its own.
Beside them Python alone and with NumPy. Starts are interleaved.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median

from ..networks import container
from ..suite import HERE, Benchmark, Options, Row, Table

STARTS = 25
MOST_S, MOST_MIB = 0.12, 55.0
"""Goals with a compiled program: seconds beyond the start of Python alone, and memory."""
MOST_FRESH_S = 1.0
"""Goal of a fresh machine, in seconds from the start of Python."""

PYTHON, NUMPY, PROGRAM, KERNELS = "Python alone", "with NumPy", "dcz, compiled program", "dcz, kept kernels"
FRESH = "dcz, fresh machine with programs"
PEAK = "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
ANSWER = """
import sys
import numpy
import dcz
model = dcz.load(sys.argv[1])
model(numpy.zeros((1, *model.input_shape), numpy.float32))
"""
CODES = {PYTHON: "", NUMPY: "import numpy\n", PROGRAM: ANSWER, FRESH: ANSWER, KERNELS: ANSWER}


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    return {name: partial(measure, name, options) for name in options.networks}


def measure(name: str, options: Options) -> list[Row]:
    """Start each way many times; seconds are medians and minima, memory is the greatest."""
    network = container(name, options)
    path = os.fspath(network.path)
    subprocess.run([sys.executable, "-m", "dcz", "-q", "warm", path], cwd=HERE.parent, check=True, stdout=sys.stderr)
    runs: dict[str, list[tuple[float, float]]] = {way: [] for way in CODES}
    for _ in range(2 if options.quick else STARTS):
        for way, starts in runs.items():
            starts.append(start(way, path))
    alone = [seconds for seconds, _ in runs[PYTHON]]
    rows: list[Row] = []
    for way, starts in runs.items():
        times, memory = zip(*starts, strict=True)
        beyond = {"median_s": median(times) - median(alone), "least_s": min(times) - min(alone)}
        row: Row = {"network": network.title, "weights": network.weights, "way": way, "starts": len(starts)}
        rows.append({**row, "whole_s": median(times), **beyond, "peak_mib": max(memory)})
    return [{**row, "problems": problems(row)} for row in rows]


def start(way: str, path: str) -> tuple[float, float]:
    """Seconds of a process from its start to its end, and its peak in MiB."""
    environment = {**os.environ, "DCZ_PROGRAMS": str(int(way in (PROGRAM, FRESH)))}
    command = [sys.executable, "-c", CODES[way] + PEAK, path]
    with tempfile.TemporaryDirectory() as folder:
        if way == FRESH:
            copy_programs(Path(path), Path(folder, "programs"))
            environment |= {"NUMBA_CACHE_DIR": folder, "HOME": folder}
        begun = time.perf_counter()
        done = subprocess.run(command, cwd=HERE.parent, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return time.perf_counter() - begun, int(done.stdout) / 1024


def copy_programs(container: Path, folder: Path) -> None:
    """Copy the programs of a container, and no others, into a folder."""
    from dcz.runtime.compiled.place import ENDING, folders

    folder.mkdir()
    for kept in folders():
        for program in Path(kept).glob(f"{container.stat().st_size}-*{ENDING}"):
            shutil.copy(program, folder)


def problems(row: Row) -> list[str]:
    """What misses a goal."""
    if row["way"] == FRESH and row["whole_s"] > MOST_FRESH_S:
        return [f"{row['network']}: a fresh machine takes {row['whole_s']} s, more than {MOST_FRESH_S}"]
    if row["way"] != PROGRAM:
        return []
    limits = {"least_s": MOST_S, "peak_mib": MOST_MIB}
    return [
        f"{row['network']}: {key} is {row[key]}, more than {most}" for key, most in limits.items() if row[key] > most
    ]


def tables(rows: list[Row]) -> list[Table]:
    header = ("network", "process", "whole ms", "beyond Python alone, median", "least", "peak MiB")
    figures = ("whole_s", "median_s", "least_s")
    body = [(row["network"], row["way"], *(1e3 * row[key] for key in figures), row["peak_mib"]) for row in rows]
    return [Table("A process that loads a model, computes one answer and ends, in ms", header, body, 2)]


BENCHMARK = Benchmark("start", "How long does a Python process take for one answer?", cases, tables, "embedding.md")
