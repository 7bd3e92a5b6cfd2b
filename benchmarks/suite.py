"""`Benchmark`, and the file of its results: one JSON file for each run, written during the run, never overwritten."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dcz.machine import facts

HERE = Path(__file__).parent
RESULTS = HERE / "results"

Row = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """Options of the command line; see ``python -m benchmarks --help``."""

    quick: bool = False
    networks: tuple[str, ...] = ()
    batches: tuple[int, ...] = (1, 16)
    threads: int = 1
    seconds: float = 10.0
    jobs: int = 1
    cpu_time: bool = False
    timing: bool = True
    onnx: bool = True
    work: Path = Path("runs/benchmarks")
    peers: Path = Path("runs/peers")
    models: Path = HERE.parent / "models"
    build: Path | None = None
    squeezenet: Path | None = None
    checkpoints: Path | None = None
    mnist: Path | None = None
    cifar10: Path | None = None
    imagenet: Path | None = None

    @property
    def timer(self) -> Callable[[], float]:
        """The timer."""
        return time.process_time if self.cpu_time else time.perf_counter

    @property
    def timer_name(self) -> str:
        """The timer's name, for rows."""
        return "processor time" if self.cpu_time else "wall time"


@dataclass(frozen=True)
class Table:
    """A table for the terminal and for the docs; the first `left` columns are text."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    left: int = 1


@dataclass(frozen=True)
class Benchmark:
    """A question, its cases, and the tables of the answer.

    Attributes
    ----------
    name : str
    question : str
        One line.
    cases : callable
        ``cases(options)`` maps keys to functions; each measures one case and returns its rows. An interrupted run is
        resumed by these keys. "problems" in a row mean that the run failed.
    tables : callable
        ``tables(rows)`` of all rows.
    page : str
        The page under docs/ that ``--docs`` writes them into.
    """

    name: str
    question: str
    cases: Callable[[Options], Mapping[str, Callable[[], list[Row]]]]
    tables: Callable[[list[Row]], list[Table]]
    page: str = "benchmarks.md"


@dataclass
class Record:
    """One run of one benchmark on disk.

    Attributes
    ----------
    path : Path
    document : dict
        ``benchmark``, ``command``, ``started``, ``finished`` (None until then), ``machine``, ``cases`` (rows by key).
    """

    path: Path
    document: dict[str, Any] = field(default_factory=dict)

    @staticmethod
    def start(folder: Path, name: str, command: str) -> Record:
        """Begin a new file."""
        folder.mkdir(parents=True, exist_ok=True)
        started = time.gmtime()
        stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S', started)}"
        path = folder / f"{stem}.json"
        number = 1
        while True:
            try:
                path.open("x").close()
                break
            except FileExistsError:
                number += 1
                path = folder / f"{stem}-{number}.json"
        head = {"benchmark": name, "command": command, "started": _stamp(), "finished": None, "machine": facts()}
        record = Record(path, {**head, "cases": {}})
        record._save()
        return record

    @staticmethod
    def resume(folder: Path, name: str, command: str) -> Record | None:
        """The latest interrupted run of this command, if there is one."""
        records = [
            record
            for record in read_all(folder, name)
            if record.document["finished"] is None and record.document["command"] == command
        ]
        return records[-1] if records else None

    def add(self, key: str, rows: list[Row]) -> None:
        """Record the rows of a case."""
        self.document["cases"][key] = rows
        self._save()

    def finish(self) -> None:
        """Mark the run as finished."""
        self.document["finished"] = _stamp()
        self.document["load_average_at_end"] = facts()["load_average"]
        self._save()

    @property
    def rows(self) -> list[Row]:
        """Rows of all cases."""
        return [row for rows in self.document["cases"].values() for row in rows]

    def _save(self) -> None:
        beside = self.path.with_suffix(".tmp")
        beside.write_text(json.dumps(self.document, indent=1, default=str) + "\n")
        os.replace(beside, self.path)


def read_all(folder: Path, name: str) -> list[Record]:
    """Every run of a benchmark, oldest first; other files are skipped."""
    records = []
    for path in sorted(folder.glob(f"{name}-*.json")):
        document = json.loads(path.read_text() or "{}")
        if document.get("benchmark") == name:
            records.append(Record(path, document))
    return sorted(records, key=lambda record: record.document["started"])


def outcomes(cases: Mapping[str, Callable[[], list[Row]]], jobs: int) -> Iterator[tuple[str, list[Row] | Exception]]:
    """The rows of each case, or its error, in the order in which they end.

    Several jobs are for cases that run in processes of their own: here each has a thread that waits for it.
    """
    if jobs == 1:
        for key, case in cases.items():
            yield key, _outcome(case)
        return
    with ThreadPoolExecutor(jobs) as pool:
        keys = {pool.submit(_outcome, case): key for key, case in cases.items()}
        try:
            for future in as_completed(keys):
                yield keys[future], future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _outcome(case: Callable[[], list[Row]]) -> list[Row] | Exception:
    try:
        return case()
    except Exception as error:
        return error


def not_run(rows: list[Row]) -> list[str]:
    """A line for each missing measurement, with the reason: engines with ``not_run``, names in ``missing``."""
    networks = list(dict.fromkeys(row["network"] for row in rows if "network" in row))
    where: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        reasons = dict(row.get("missing", {}))
        if "engine" in row and "not_run" in row:
            reasons[row["engine"]] = row["not_run"]
        for name, reason in reasons.items():
            found = where.setdefault((name, reason), [])
            if row["network"] not in found:
                found.append(row["network"])
    return [
        f"{name} was not run{'' if found == networks else ' on ' + ', '.join(found)}: {reason}"
        for (name, reason), found in where.items()
    ]


def figure(value: float) -> str:
    """Three digits, and no exponent for large values."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def markdown(table: Table) -> str:
    """A table in Markdown."""
    from dcz.cli.text import cell

    lines = [f"| {' | '.join(table.header)} |"]
    lines.append("|" + "".join(" --- |" if i < table.left else " ---: |" for i in range(len(table.header))))
    lines += [f"| {' | '.join(cell(value) for value in row)} |" for row in table.rows]
    return f"**{table.title}**\n\n" + "\n".join(lines)


def _stamp() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
