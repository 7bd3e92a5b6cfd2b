"""dcz infer on a Dask cluster: a scheduler and two workers, each in a process of its own, on this machine.

*disturbed*: small images, one of them damaged, are classified into a file; a worker is killed on the way, the command
is interrupted, and a second one resumes. The file must equal, byte for byte, the one that a single process writes.
*cost*: processor time of client, scheduler and workers in a run that nothing disturbs, over that of a single process.
All run on one processor, where the system can say so: two threads of a core slow each other down, which would count as
the cluster's cost.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..suite import Benchmark, Options, Row, Table

IMAGES, QUICK_IMAGES, FOLDER_IMAGES = 100_000, 20_000, 1_000
MODEL = "lenet5_caffe.dcz"
MOST_GROWTH = 20.0
"""Greatest accepted growth of the client's memory between a tenth and the end of its run, in MiB."""
MOST_COST = 1.3
"""Greatest accepted processor time of the cluster, over that of a single process."""

Process = subprocess.Popen[bytes]


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    model, images = options.models / MODEL, QUICK_IMAGES if options.quick else IMAGES
    return {
        "disturbed": partial(disturbed, model, images),
        "cost": partial(cost, model, images),
    }


def disturbed(model: Path, images: int) -> list[Row]:
    """Kill a worker, interrupt the client, resume; compare with a single process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_images(folder / "in", images, damaged=images * 4 // 5)
        alone, out = folder / "alone.jsonl", folder / "cluster.jsonl"
        _wait(_infer(model, folder / "in", alone, "--threads", "1"), 1)
        with running_cluster(folder) as (address, workers):
            client = _infer(model, folder / "in", out, "--scheduler", address)
            early = _at_share(client, out, alone, 0.1)
            _at_share(client, out, alone, 0.3)
            workers[0].kill()
            late = _at_share(client, out, alone, 0.6)
            client.send_signal(signal.SIGINT)
            _wait(client, 130)
            kept = out.read_bytes().count(b"\n")
            _wait(_infer(model, folder / "in", out, "--scheduler", address, "--resume"), 1)
        equal, errors = out.read_bytes() == alone.read_bytes(), out.read_text().count('"error"')
    problems = [] if equal else ["the cluster's answers differ from a single process's"]
    problems += [] if errors == 1 else [f"{errors} errors for one damaged image"]
    problems += [] if late - early <= MOST_GROWTH else [f"the client grew by {late - early:.0f} MiB"]
    row: Row = {"case": "disturbed", "images": images, "kept": kept, "equal": equal, "problems": problems}
    return [row | {"early_mib": early, "late_mib": late}]


def cost(model: Path, images: int) -> list[Row]:
    """Processor time on the cluster, over that of a single process, each with imports and loading."""
    import psutil

    with tempfile.TemporaryDirectory() as name, _on_one_processor():
        folder = Path(name)
        make_images(folder / "in", images)
        before = _children_seconds()
        _wait(_infer(model, folder / "in", folder / "alone.jsonl", "--threads", "1"), 0)
        alone = _children_seconds() - before
        with running_cluster(folder) as (address, workers):
            servers = [psutil.Process(process.pid) for process in workers]
            start = sum(sum(server.cpu_times()[:2]) for server in servers)
            before = _children_seconds()
            _wait(_infer(model, folder / "in", folder / "cluster.jsonl", "--scheduler", address), 0)
            client = _children_seconds() - before
            served = sum(sum(server.cpu_times()[:2]) for server in servers) - start
    ratio = (client + served) / alone
    problems = [f"the cluster takes {ratio:.2f} times the processor time"] if ratio > MOST_COST else []
    return [
        {
            "case": "cost",
            "images": images,
            "alone_s": alone,
            "client_s": client,
            "servers_s": served,
            "ratio": ratio,
            "problems": problems,
        }
    ]


@contextmanager
def _on_one_processor() -> Iterator[None]:
    """Keep this process, and those that it starts, on one processor."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def make_images(folder: Path, count: int, damaged: int | None = None) -> None:
    """Write grey images of 28 x 28 noise, in subfolders; the one of number `damaged` is cut short."""
    rng = np.random.default_rng(0)
    for start in range(0, count, FOLDER_IMAGES):
        sub = folder / f"{start:07}"
        sub.mkdir(parents=True)
        for i in range(start, min(count, start + FOLDER_IMAGES)):
            path = sub / f"{i:07}.png"
            Image.fromarray(rng.integers(0, 256, (28, 28), dtype=np.uint8)).save(path, compress_level=1)
            if i == damaged:
                path.write_bytes(path.read_bytes()[:200])


@contextmanager
def running_cluster(folder: Path) -> Iterator[tuple[str, list[Process]]]:
    """A scheduler and two workers, each its own process: the address, and the processes, workers first."""
    file = folder / "scheduler.json"
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    python, loopback = [sys.executable, "-m"], ["--host", "127.0.0.1"]
    scheduler = [*python, "distributed.cli.dask_scheduler", *loopback, "--port", "0", "--no-dashboard"]
    worker = [*python, "distributed.cli.dask_worker", *loopback, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    started = [subprocess.Popen([*scheduler, "--scheduler-file", str(file)], **quiet)]
    try:
        while not file.exists():
            time.sleep(0.1)
        started += [subprocess.Popen([*worker, "--scheduler-file", str(file)], cwd=folder, **quiet) for _ in range(2)]
        address = json.loads(file.read_text())["address"]
        _wait_for_workers(address, 2)
        yield address, [*started[1:], started[0]]
    finally:
        for process in reversed(started):
            process.kill()
            process.wait()


def _wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    with Client(address, timeout=60) as client:
        client.wait_for_workers(count, timeout=60)


def _infer(model: Path, images: Path, out: Path, *more: str) -> Process:
    command = [sys.executable, "-m", "dcz", "infer", str(model), str(images), "--jsonl", "-o", str(out), "--top", "1"]
    return subprocess.Popen([*command, *more], stderr=subprocess.DEVNULL)


def _wait(process: Process, code: int) -> None:
    if process.wait() != code:
        raise RuntimeError(f"{' '.join(map(str, process.args[2:]))} ended with {process.returncode}, not {code}")  # type: ignore[index, arg-type]


def _at_share(client: Process, out: Path, whole: Path, share: float) -> float:
    """Wait until a share of the answers is there; the client's memory then, in MiB."""
    import psutil

    size = share * whole.stat().st_size
    while client.poll() is None and (not out.exists() or out.stat().st_size < size):
        time.sleep(0.05)
    return float(psutil.Process(client.pid).memory_info().rss) / (1 << 20)


def _children_seconds() -> float:
    """Processor time of the processes that this one has waited for."""
    times = os.times()
    return times.children_user + times.children_system


def tables(rows: Sequence[Row]) -> list[Table]:
    by_case = {row["case"]: row for row in rows}
    made = []
    if row := by_case.get("disturbed"):
        header = ("images", "answers kept at Ctrl-C", "equal to one process", "client, MiB at a tenth", "at six tenths")
        cells = (row["images"], row["kept"], "yes" if row["equal"] else "no", row["early_mib"], row["late_mib"])
        made.append(Table("A worker killed, an image damaged, Ctrl-C, and --resume", header, [cells], 0))
    if row := by_case.get("cost"):
        header = ("images", "one process, s", "client, s", "scheduler and workers, s", "ratio")
        cells = (row["images"], row["alone_s"], row["client_s"], row["servers_s"], f"{row['ratio']:.2f}")
        made.append(Table("Processor time of a cluster of two workers, over one process", header, [cells], 0))
    return made


BENCHMARK = Benchmark(
    "cluster", "Does a Dask cluster answer like one process, and at what cost?", cases, tables, "cli.md"
)
