"""Loading: seconds and memory from a file to the first answer, in a new process, with the file out of the page cache.

Our kernels are compiled and on disk already; ``dcz infer -v`` shows the time of compilation on a new machine.
Engines use the number of threads of the command line. dcz starts a second time with all cores.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median

from tqdm import tqdm

from ..dense_files import DenseFiles
from ..networks import container
from ..peers import PEERS, MissingToolError
from ..peers.process import Worker
from ..suite import Benchmark, Options, Row, Table
from .scaling import cores

STARTS = 3
ALL_CORES = "dcz, all cores"
FIGURES = ("import_s", "load_s", "first_s", "import_mib", "peak_mib")


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    return {name: partial(measure, name, options) for name in options.networks}


def measure(name: str, options: Options) -> list[Row]:
    """Start every engine several times, interleaved; the figures are medians."""
    network = container(name, options)
    starts: dict[str, list[dict[str, float]]] = {}
    rows: list[Row] = []
    common = {"network": network.title, "weights": network.weights}
    missing: dict[str, str] = {}
    peers = {peer.name: (peer, options.threads) for peer in PEERS.values() if peer.quick or not options.quick}
    if cores() > options.threads:
        peers[ALL_CORES] = PEERS["dcz"], cores()
    with tempfile.TemporaryDirectory() as folder:
        files = DenseFiles(network.path, network.batch(1), Path(folder))
        turns = list(peers) * (1 if options.quick else STARTS)
        for engine in tqdm(turns, desc="start", unit="engine", leave=False, disable=None):
            if engine in missing:
                continue
            peer, threads = peers[engine]
            try:
                peer.command(options.peers)  # no file is made for a missing engine
                dense = files.path(peer.reads)
                first = engine not in starts
                with Worker(peer, dense, files.batch, threads, options.peers, prepare=first) as worker:
                    starts.setdefault(engine, []).append(worker.facts)
            except MissingToolError as reason:
                missing[engine] = str(reason)
    for engine, facts in starts.items():
        figures = {key: median(fact[key] for fact in facts) for key in FIGURES}
        rows.append({**common, "engine": engine, "version": facts[0]["version"], "starts": len(facts), **figures})
    return rows + [{**common, "engine": engine, "not_run": reason} for engine, reason in missing.items()]


def tables(rows: list[Row]) -> list[Table]:
    header = ("network", "engine", "import s", "load s", "first answer s", "MiB after import", "MiB at peak")
    body = [(row["network"], row["engine"], *(row[key] for key in FIGURES)) for row in rows if "not_run" not in row]
    return [Table("From a cold file to the first answer, in a fresh process", header, body, 2)]


BENCHMARK = Benchmark("load", "How soon is the first answer there, and how much memory does it take?", cases, tables)
