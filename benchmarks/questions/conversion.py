"""Conversion of large networks: processor time and memory of ``dcz convert``, which prunes and shares on the way.

Each conversion is a new process, and its time is that of all its threads, from the start of Python to its end. Weights
are those of torchvision before training. A first conversion, which compiles, does not count.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

from ..peers import ZOO as TOOL
from ..peers import install
from ..suite import HERE, Benchmark, Options, Row, Table

RUNS = 2
LOSSY = ("--prune", "percent:80", "--bits", "5")
MOST_BESIDE_MIB = 1024.0
"""Goal: memory beside the largest tensor."""


class Case(NamedTuple):
    """A network of torchvision, its title, and the goal in seconds."""

    name: str
    title: str
    most_s: float


CASES = (Case("resnet50", "ResNet-50", 8.0), Case("vgg16", "VGG-16", 30.0))


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    return {case.name: partial(measure, case, options) for case in CASES}


def measure(case: Case, options: Options) -> list[Row]:
    """Convert a checkpoint several times; seconds are the median and the minimum, memory is the greatest."""
    python = TOOL.python(options.peers)
    if not python.exists():
        install(TOOL.name, options.peers)
    path = (options.work / f"{case.name}.pth").absolute()
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        run([str(python), "-m", "benchmarks.questions.conversion", case.name, str(path)])
    out = path.with_suffix(".dcz")
    command = [str(python), "-m", "dcz", "-q", "convert", str(path), "-o", str(out), *LOSSY]
    runs = [run([*command, "--arch", f"torchvision:{case.name}"]) for _ in range(1 + (1 if options.quick else RUNS))]
    seconds, memory = zip(*runs[1:], strict=True)
    row: Row = {"network": case.title, "fp32": path.stat().st_size, "bytes": out.stat().st_size, "runs": len(seconds)}
    row |= {"largest": largest(case.name, python), "processor_s": median(seconds), "least_s": min(seconds)}
    row["peak_mib"] = max(memory)
    return [{**row, "problems": problems(row, case.most_s)}]


def run(command: list[str]) -> tuple[float, float]:
    """Processor seconds of a process and its threads, and its peak in MiB.

    Raises
    ------
    subprocess.CalledProcessError
        The command failed.
    """
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    process = subprocess.Popen(command, cwd=HERE.parent, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def largest(name: str, python: Path) -> int:
    """Bytes of a network's largest tensor."""
    command = [str(python), "-m", "benchmarks.questions.conversion", name]
    return int(subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=True).stdout)


def problems(row: Row, most_s: float) -> list[str]:
    """Goals that are missed."""
    most_mib = row["largest"] / (1 << 20) + MOST_BESIDE_MIB
    goals = (("least_s", "s", most_s), ("peak_mib", "MiB", most_mib))
    return [
        f"{row['network']}: {row[key]:.1f} {unit}, more than {most:.1f}" for key, unit, most in goals if row[key] > most
    ]


def tables(rows: list[Row]) -> list[Table]:
    header = ("network", "MiB in fp32", "MiB of largest tensor", "bytes", "processor s", "least", "peak MiB")
    body = [
        (
            row["network"],
            row["fp32"] / (1 << 20),
            row["largest"] / (1 << 20),
            row["bytes"],
            row["processor_s"],
            row["least_s"],
            row["peak_mib"],
        )
        for row in rows
    ]
    return [Table(f"`dcz convert {' '.join(LOSSY)}`, from the start of Python to its end", header, body)]


def main(name: str, path: str | None = None) -> None:
    """Write a checkpoint; without a path, print the bytes of the largest tensor."""
    import torch
    from torchvision import models

    torch.manual_seed(0)
    with torch.device("cpu" if path else "meta"):
        state = models.get_model(name).state_dict()
    if path:
        torch.save(state, path)
    else:
        print(max(tensor.nbytes for tensor in state.values()))


BENCHMARK = Benchmark("conversion", "What does conversion of large networks take?", cases, tables, "converters.md")

if __name__ == "__main__":
    main(*sys.argv[1:])
