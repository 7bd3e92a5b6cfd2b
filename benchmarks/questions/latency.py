"""Latency: dcz, the dense network in torch, and the installed peers, interleaved.

torch runs in this process. Peers run in their own processes, connected by a pipe, and time themselves. All get the same
batch; a column gives the difference of their answers from torch's.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..dense_files import DenseFiles
from ..interleaved import time_interleaved
from ..networks import Container, trained, untrained
from ..peers import PEERS, MissingToolError
from ..peers.process import Worker
from ..suite import Benchmark, Options, Row, Table, figure

OURS = "dcz"
LARGE_ERROR = 1e-3
"""Greatest difference, relative to the largest answer, without a mark: beyond it, the table shows the error."""
SINGLE = ("vgg-16", "vgg-19")
"""Networks whose batches take most engines a minute."""
PIPED = tuple(name for name in PEERS if name not in ("dcz", "torch"))
"""Engines in other processes."""


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    made = {}
    for name in options.networks:
        own = trained(name, options) is not None
        finders = {f"{name} trained": trained} if own else {}
        finders |= {name: untrained} if not (own and options.quick) else {}
        for key, find in finders.items():
            for batch in options.batches if name not in SINGLE else (1,):
                made[f"{key} batch {batch} threads {options.threads}"] = partial(measure, find, name, batch, options)
    return made


def measure(
    find: Callable[[str, Options], Container | None], name: str, batch_size: int, options: Options
) -> list[Row]:
    """Time one network at one batch size: a row for each engine."""
    import dcz
    from dcz.converters.torch.baseline import MODES, baselines
    from dcz.core.difference import relative_error
    from dcz.core.timing import clock_of, milliseconds, ratio

    network = find(name, options)
    assert network is not None
    batch = network.batch(batch_size)
    model = dcz.load(network.path, threads=options.threads)
    modes = MODES[:2] if options.quick else MODES  # compilation takes longer than everything else
    torch = list(baselines(network.path, batch, threads=options.threads, modes=modes, timer=options.timer))
    clocks = {OURS: clock_of(lambda: model(batch), options.timer)} | {b.name: b.clock for b in torch if b.clock}
    answers = {OURS: model(batch)} | {b.name: b.answer for b in torch if b.answer is not None}
    not_run = {b.name: b.not_run for b in torch if b.not_run}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for peer, worker in start_peers(DenseFiles(network.path, batch, folder), options, stack):
            if not isinstance(worker, Worker):
                not_run[peer] = worker
            elif (answer := worker.answer(folder / "answer.npy")).size != answers[OURS].size:
                not_run[peer] = f"an answer of shape {answer.shape}, not {answers[OURS].shape}"
            else:
                clocks[peer] = worker.clock
                answers[peer] = answer.reshape(answers[OURS].shape)
        turns = time_interleaved(clocks, options.seconds)
    reference = answers["torch eager fp32"]
    common = {"network": network.title, "weights": network.weights, "batch": batch_size, "threads": options.threads}
    common["timer"] = options.timer_name
    rows: list[Row] = []
    for engine, seconds in turns.seconds.items():
        figures: dict[str, Any] = milliseconds(seconds) | {"ratio": ratio(seconds, turns.seconds[OURS])}
        rows.append({**common, "engine": engine, **figures, "max_error": relative_error(answers[engine], reference)})
    return rows + [{**common, "engine": engine, "not_run": reason} for engine, reason in not_run.items()]


def start_peers(
    files: DenseFiles, options: Options, stack: ExitStack, names: Sequence[str] = PIPED
) -> Iterator[tuple[str, Worker | str]]:
    """The worker of every peer that is named, or the reason why there is none. The exit stack ends the workers."""
    for name in tqdm(names, desc="start", unit="engine", leave=False, disable=None):
        peer = PEERS[name]
        if options.quick and not peer.quick:
            continue
        try:
            peer.command(options.peers)  # no file is made for a missing engine
            dense = files.path(peer.reads)
            worker = Worker(peer, dense, files.batch, options.threads, options.peers, options.cpu_time)
            yield name, stack.enter_context(worker)
        except MissingToolError as missing:
            yield name, str(missing)


def tables(rows: list[Row]) -> list[Table]:
    made = []
    settings = dict.fromkeys((row["batch"], row["threads"], row["timer"]) for row in rows)
    for batch, threads, timer in settings:
        chosen = [row for row in rows if (row["batch"], row["threads"], row["timer"]) == (batch, threads, timer)]
        engines = list(dict.fromkeys(row["engine"] for row in chosen))
        networks = {row["network"]: row["weights"] for row in chosen}
        cells = {(row["network"], row["engine"]): row for row in chosen}
        where = f"batch {batch}, {threads} thread{'s'[: threads > 1]}, {timer}"
        median = [
            (network, source, *(_median(cells[network, engine]) for engine in engines))
            for network, source in networks.items()
        ]
        made.append(Table(f"Milliseconds, {where}: median (p10 to p90)", ("network", "weights", *engines), median, 2))
        others = [engine for engine in engines if engine != OURS and any("ratio" in cells[n, engine] for n in networks)]
        ratios = [(network, *(_ratio(cells[network, engine]) for engine in others)) for network in networks]
        title = f"Times as long as dcz, {where}: median of the rounds (ratio of the least times)"
        made.append(Table(title, ("network", *others), ratios))
    return made


def _median(row: Row) -> str:
    if "not_run" in row:
        return "not run"
    error = f", error {row['max_error']:.1g}" if row["max_error"] > LARGE_ERROR else ""
    median, low, high = (figure(row[key]) for key in ("median_ms", "p10_ms", "p90_ms"))
    return f"{median} ({low} to {high}){error}"


def _ratio(row: Row) -> str:
    return f"{row['ratio']['median']:.2f} ({row['ratio']['of_least']:.2f})" if "ratio" in row else "not run"


BENCHMARK = Benchmark("latency", "How long does an answer take, beside dense engines?", cases, tables)
