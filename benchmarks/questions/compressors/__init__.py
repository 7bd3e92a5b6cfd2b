"""Compression in a training loop: dcz beside the tools that a user would pick, on ResNet-20 for CIFAR-10.

Each tool trains in a process of its own, in an environment that has all of them, from the same published checkpoint
(``--checkpoints``) on the same pictures (``--cifar10``).
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from ...peers import COMPRESSORS, error_line, install
from ...suite import Benchmark, Options, Row, Table, figure

TOOLS = ("dcz", "coremltools", "NNCF", "torch + torchao")
CHECKPOINT = "resnet20-12fca82f.th"
STEPS, QUICK_STEPS = 200, 20
"""Batches of 128 pictures: half of them to prune, half to share."""
TIMES = "times"
ROOT = Path(__file__).parents[3]


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    """One case a tool, and one that times what they shipped."""
    if options.cifar10 is None or options.checkpoints is None:
        missing = "give the pictures and the published checkpoints: --cifar10 FOLDER --checkpoints FOLDER"
        return {"compressors": lambda: [{"network": "ResNet-20", "engine": "all of them", "not_run": missing}]}
    measured: dict[str, Callable[[], list[Row]]] = {name: partial(_train, name, options) for name in TOOLS}
    return measured | {TIMES: partial(_times, options)}


def _train(name: str, options: Options) -> list[Row]:
    """Train and ship with one tool."""
    assert options.cifar10 is not None
    assert options.checkpoints is not None
    folder = _folder(options) / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    steps = QUICK_STEPS if options.quick else STEPS
    checkpoint = options.checkpoints / CHECKPOINT
    _run(options, "train", name, options.cifar10.absolute(), checkpoint.absolute(), folder, steps)
    return [{"network": "ResNet-20", "tool": name, **json.loads((folder / "row.json").read_text())}]


def _times(options: Options) -> list[Row]:
    """Time the shipped networks by turns."""
    said = _run(options, "times", _folder(options), options.seconds)
    found = json.loads(said.splitlines()[-1])
    return [{"network": "ResNet-20", "tool": name, "timer": "processor time", **row} for name, row in found.items()]


def _folder(options: Options) -> Path:
    return (options.work / "compressors").absolute()


def _run(options: Options, script: str, *arguments: object) -> str:
    python = COMPRESSORS.python(options.peers)
    if not python.exists():
        install(COMPRESSORS.name, options.peers)
    command = [str(python), "-m", f"benchmarks.questions.compressors.{script}", *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(error_line(done.stderr))
    return done.stdout


def tables(rows: list[Row]) -> list[Table]:
    """One row a tool."""
    clocks = {row["tool"]: row for row in rows if "median_ms" in row}
    header = ("tool", "ships", "bytes", "test accuracy", "training, s", "one sample, ms", "over dcz (least)")
    body = []
    trained = [row for row in rows if "top1" in row]
    for row in trained:
        clock = clocks.get(row["tool"])
        ratio = clock["ratio"] if clock else {}
        told = (figure(clock["median_ms"]), f"{ratio['median']:.2f} ({ratio['of_least']:.2f})") if clock else ("", "")
        body.append((row["tool"], row["ships"], row["bytes"], f"{row['top1']:.2%}", row["training_s"], *told))
    half = trained[0]["steps"] // 2 if trained else 0
    title = f"ResNet-20 for CIFAR-10: pruned in {half} steps of 128 pictures, shared or quantised in {half} more"
    return [Table(title, header, body, 2)]


BENCHMARK = Benchmark("compressors", "What do other tools make of the same training?", cases, tables, "compression.md")
