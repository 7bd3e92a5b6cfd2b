"""The zoo: 162 networks of libraries and by hand, with random weights, pruned to 80 % and shared with 5 bits.

Each runs in a process of its own, with a time limit, in an environment that has the libraries: a crash is a row. Files
as their makers publish them follow, where ``--checkpoints`` says in which folder they lie.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ...peers import ZOO as TOOL
from ...peers import install
from ...suite import Benchmark, Options, Row, Table, figure
from .files import FILES
from .networks import QUICK, ZOO

SECONDS = 1800
"""Time limit of a network."""
STAGES = ("torch_export", "onnx", "round_trip")
TIMES = ("dcz_ms", "dcz_least_ms", "speedup", "speedup_least")
GROUPS = {name: network.group for name, network in (ZOO | FILES).items()}
ROOT = Path(__file__).parents[3]


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    """One case a network, and one a published file."""
    known = [*ZOO, *(FILES if options.checkpoints else ())]
    names = [name for name in options.networks if name in known] or (QUICK if options.quick else known)
    return {name: partial(_case, name, options) for name in names}


def _case(name: str, options: Options) -> list[Row]:
    python = TOOL.python(options.peers)
    if not python.exists():
        install(TOOL.name, options.peers)
    seconds = -1.0 if not options.onnx else options.seconds if options.timing else 0.0
    command = [str(python), "-m", "benchmarks.questions.zoo.measure", *(["--cpu-time"] if options.cpu_time else [])]
    if name in FILES and options.checkpoints:
        command += ["--file", str(options.checkpoints.absolute() / FILES[name].file)]
    with tempfile.TemporaryDirectory() as folder:
        return [measured(name, Path(folder), command, seconds)]


def measured(name: str, folder: Path, command: list[str], seconds: float, limit: float = SECONDS) -> Row:
    """The row of a network: what its process has written by its end, and how it ended.

    Parameters
    ----------
    name : str
    folder : Path
        An empty folder for its files.
    command : list of str
        Starts the process.
    seconds : float
        Duration of the timing; 0: none; less: nothing that needs ONNX.
    limit : float
        Seconds after which the process and its children are ended.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "YOLO_CONFIG_DIR": str(folder)}
    arguments = [*command, name, str(folder), str(seconds)]
    log = folder / "log.txt"
    with log.open("w") as said:
        process = subprocess.Popen(
            arguments, stdout=said, stderr=said, env=environment, cwd=ROOT, start_new_session=True
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:  # an interrupt of this process does not reach the other's session
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    row = folder / "row.json"
    found: dict[str, Any] = json.loads(row.read_text()) if row.exists() else {"network": name, "group": GROUPS[name]}
    if code is None:
        return found | {"ended": f"no end after {limit:g} s"}
    if code:
        lines = log.read_text(errors="replace").strip().splitlines() or [""]
        return found | {"ended": f"exit code {code}: {lines[-1]}"[:600]}
    return found


def tables(rows: list[Row]) -> list[Table]:
    """How many networks convert, each network, and each refusal; times where there are any."""
    order = {name: place for place, name in enumerate(GROUPS)}
    rows = sorted(rows, key=lambda row: order.get(row["network"], len(order)))
    groups = list(dict.fromkeys(row["group"] for row in rows))
    shares = [[group, *_counts([row for row in rows if row["group"] == group])] for group in groups]
    header = ("group", "networks", "by torch.export", "through ONNX", "round trip")
    columns = (
        "network", "torch.export", "ONNX", "round trip", "varies by", "max error", "bytes", "of fp32",
        "ms", "minimum", "x ONNX Runtime", "of minima",
    )  # fmt: skip
    networks = [
        (row["network"], *map(partial(_mark, row), STAGES), _short(row, "varies"), row.get("max_error"),
         row.get("file_bytes"), _share(row), *(_short(row, name) for name in TIMES))
        for row in rows
    ]  # fmt: skip
    if not any("dcz_ms" in row for row in rows):
        columns, networks = columns[:-4], [row[:-4] for row in networks]
    refusals = [(row["network"], stage, text) for row in rows for stage, text in _refusals(row)]
    return [
        Table(
            "Networks that convert and answer within 1e-4 of the largest", header, [*shares, ["all", *_counts(rows)]]
        ),
        Table("Each network, pruned to 80 % with 5 bits; batch 1, one thread", columns, networks, left=4),
        Table("What is refused, and why", ("network", "by", "reason"), refusals, left=3),
    ]


def _counts(rows: list[Row]) -> list[object]:
    """The number of networks, and by stage of how many that came to it how many are right."""
    tried = {stage: [row[stage] for row in rows if stage in row] for stage in STAGES}
    return [len(rows), *(f"{found.count('ok')} of {len(found)}" if found else "" for found in tried.values())]


def _mark(row: Row, stage: str) -> str:
    return "yes" if row.get(stage) == "ok" else "no" if stage in row else ""


def _short(row: Row, name: str) -> str:
    return figure(row[name]) if name in row else ""


def _share(row: Row) -> str:
    return f"{row['file_bytes'] / row['dense_bytes']:.1%}" if row.get("dense_bytes") else ""


def _refusals(row: Row) -> list[tuple[str, str]]:
    stages = ("build", "torch_export", "onnx_export", "onnx", "round_trip", "timing")
    found = [(stage, row[stage].replace("|", "/")) for stage in stages if row.get(stage, "ok") != "ok"]
    return [*found, *([("process", row["ended"])] if "ended" in row else [])]


BENCHMARK = Benchmark("zoo", "Which networks convert, and are they right?", cases, tables, page="converters.md")

__all__ = ["BENCHMARK", "FILES", "QUICK", "ZOO"]
