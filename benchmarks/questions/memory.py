"""Memory of conversion and export: the peak of each command in a new process, as the system reports it.

A checkpoint with pruned and shared weights is converted without change; a dense one is pruned and shared during
conversion; the first container is exported. The memory of importing torch and dcz counts, and is also shown separately.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..suite import HERE, Benchmark, Options, Row, Table
from ..weights import NETWORKS, SEED, shapes, state_dict

MOST = {"convert": 2.5, "export": 1.3}
"""Greatest accepted memory of a command for a large network, in multiples of the network in fp32."""
LARGE = 1 << 28
"""Least size of a large network in bytes: the memory of imports is less than half of it."""
LOSSY = ("--prune", "percent:80", "--bits", "5")

_CHILD = """
import sys
from benchmarks.peers.worker import peak_mib
import dcz.converters
imported = peak_mib()
from dcz.cli import main
code = main(sys.argv[1:])
print(imported, peak_mib())
sys.exit(code)
"""


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    return {name: partial(measure, name) for name in options.networks}


def measure(name: str) -> list[Row]:
    """Convert a network both ways, and export it both ways."""
    network = NETWORKS[name]
    with tempfile.TemporaryDirectory() as folder:
        shared, dense, container = (str(Path(folder, file)) for file in ("shared.pt", "dense.pt", "network.dcz"))
        nbytes = _save(state_dict(network), shared)
        _save(_dense(network.arch), dense)
        commands = {
            "convert, pruned and shared already": ("convert", shared, "-o", container),
            f"convert {' '.join(LOSSY)}": ("convert", dense, "-o", str(Path(folder, "lossy.dcz")), *LOSSY),
            "export to .safetensors": ("export", container, "-o", str(Path(folder, "out.safetensors"))),
            "export to .pt": ("export", container, "-o", str(Path(folder, "out.pt"))),
        }
        return [_row(network.title, what, nbytes, *run(*command)) for what, command in commands.items()]


def run(*command: str) -> tuple[float, float]:
    """MiB after the imports, and at the peak, of a dcz command in a process of its own.

    Raises
    ------
    subprocess.CalledProcessError
        The command failed.
    """
    child = [sys.executable, "-c", _CHILD, *command]
    output = subprocess.run(child, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, check=True).stdout
    imported, peak = map(float, output.splitlines()[-1].split())
    return imported, peak


def _row(title: str, what: str, nbytes: int, imported: float, peak: float) -> Row:
    ratio, most = peak * (1 << 20) / nbytes, MOST["convert" if what.startswith("convert") else "export"]
    problems = [f"{title}: {what} takes {ratio:.2f} times the network"] if nbytes >= LARGE and ratio > most else []
    row: Row = {"network": title, "seed": SEED, "what": what, "fp32": nbytes, "import_mib": imported, "peak_mib": peak}
    return {**row, "ratio": ratio, "problems": problems}


def _dense(arch: str) -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(SEED)
    return {name: rng.standard_normal(shape, dtype=np.float32) / 10 for name, shape in shapes(arch).items()}


def _save(tensors: Mapping[str, NDArray[Any]], path: str) -> int:
    """Write a checkpoint; bytes of its tensors."""
    import torch

    torch.save({name: torch.from_numpy(np.asarray(tensor)) for name, tensor in tensors.items()}, path)
    return sum(tensor.nbytes for tensor in tensors.values())


def tables(rows: list[Row]) -> list[Table]:
    header = ("network", "command", "MiB in fp32", "MiB after import", "MiB at peak", "peak / fp32")
    body = [
        (
            row["network"],
            row["what"],
            row["fp32"] / (1 << 20),
            row["import_mib"],
            row["peak_mib"],
            f"{row['ratio']:.2f}",
        )
        for row in rows
    ]
    return [Table("Memory of conversion and export, each in a fresh process", header, body, 2)]


BENCHMARK = Benchmark("memory", "How much memory do conversion and export take?", cases, tables)
