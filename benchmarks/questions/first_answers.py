"""First answers of two builds, interleaved: from a file to an answer in a new process, kernels being on disk.

``--build FOLDER`` names another checkout, as for `builds`. Here each build reads the network in the encodings that its
version writes: this one in those of the default codec, the other one in those of ``huffman``, which are those of 0.2.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from tqdm import tqdm

from ..networks import container
from ..peers import PEERS
from ..peers.process import Worker
from ..suite import HERE, Benchmark, Options, Row, Table

STARTS = 9
NOW, BEFORE = "default", "huffman"
FIGURES = {"import_s": "import s", "load_s": "load s", "first_s": "first answer s", "answer_s": "file to answer s"}


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    if options.build is None:
        return {}
    return {name: partial(measure, name, options, options.build) for name in options.networks}


def measure(name: str, options: Options, other: Path) -> list[Row]:
    """Medians of the starts of both builds on one network, for one sample."""
    import dcz

    network = container(name, options)
    with tempfile.TemporaryDirectory() as folder:
        batch = Path(folder) / "batch.npy"
        np.save(batch, network.batch(1))
        builds = {NOW: HERE.parent, BEFORE: other}
        files = {codec: Path(folder) / f"{codec}.dcz" for codec in builds}
        reports = {codec: dcz.convert(network.path, file, codec=codec) for codec, file in files.items()}
        starts: dict[str, list[dict[str, Any]]] = {codec: [] for codec in builds}
        turns = [(number, codec) for number in range(STARTS) for codec in builds]
        for number, codec in tqdm(turns, desc="start", unit="start", leave=False, disable=None):
            cache = options.work / "kernels" / builds[codec].resolve().name
            cache.mkdir(parents=True, exist_ok=True)
            environment = {"PYTHONPATH": str(builds[codec].resolve()), "NUMBA_CACHE_DIR": str(cache.resolve())}
            # An installed package has its bytecode beside it; a checkout has it only where Python may write it.
            environment |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str((cache / "bytecode").resolve())}
            arguments = files[codec], batch, options.threads, options.peers, options.cpu_time, number == 0, environment
            with Worker(PEERS["dcz"], *arguments) as worker:
                facts = worker.facts
            starts[codec].append({**facts, "answer_s": facts["load_s"] + facts["first_s"]})
        row: Row = {"network": network.title, "threads": options.threads}
        for codec, facts in starts.items():
            row[codec] = {key: median(fact[key] for fact in facts) for key in FIGURES}
            row[codec] |= {"bytes": files[codec].stat().st_size, "version": facts[0]["version"]}
            row[codec] |= {"seconds_encode": round(reports[codec].seconds["encode"], 3), "starts": len(facts)}
        row["ratio"] = row[NOW]["answer_s"] / row[BEFORE]["answer_s"]
        row["ratio_with_import"] = _whole(row[NOW]) / _whole(row[BEFORE])
    return [row]


def _whole(figures: Mapping[str, float]) -> float:
    return figures["import_s"] + figures["answer_s"]


def tables(rows: list[Row]) -> list[Table]:
    if not rows:
        return []
    names = [f"{name} {when}" for name in FIGURES.values() for when in ("before", "now")]
    header = ("network", "threads", *names, "now / before", "with import")
    body = [
        (
            row["network"],
            row["threads"],
            *(f"{row[build][key]:.3f}" for key in FIGURES for build in (BEFORE, NOW)),
            row["ratio"],
            row["ratio_with_import"],
        )
        for row in rows
    ]
    written = [
        (row["network"], codec, row[codec]["bytes"], row[codec]["seconds_encode"])
        for row in rows
        for codec in (BEFORE, NOW)
    ]
    return [
        Table("From a file to the first answer, each build with its own file", header, body),
        Table("The files", ("network", "codec", "bytes", "encode s"), written, 2),
    ]


BENCHMARK = Benchmark("first_answers", "Has a change cost time to the first answer? (needs --build)", cases, tables)
