"""Writes the tables of the latest finished runs between the markers of docs/benchmarks.md.

A place for them is a pair of lines, ``<!-- begin NAME -->`` and ``<!-- end NAME -->``; the rest is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from .suite import HERE, Benchmark, Record, markdown, read_all

PAGE = HERE.parent / "docs" / "benchmarks.md"


def update(results: Path, benchmarks: Mapping[str, Benchmark], page: Path = PAGE) -> None:
    """Bring the page up to date; benchmarks without a finished run or without a place keep what is there."""
    text = page.read_text()
    for name, benchmark in benchmarks.items():
        finished = [record for record in read_all(results, name) if record.document["finished"]]
        if finished:
            place = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
            section = render(benchmark, finished[-1])
            text = place.sub(lambda match, section=section: match[1] + section + match[2], text)  # type: ignore[misc]
    page.write_text(text)


def render(benchmark: Benchmark, record: Record) -> str:
    """Where the numbers come from, then the tables."""
    document = record.document
    machine, rows = document["machine"], record.rows
    versions = ", ".join(f"{name} {version}" for name, version in machine["packages"].items() if version)
    loads = [load for load in (machine.get("load_average"), document.get("load_average_at_end")) if load is not None]
    busy = f"; load average {' and '.join(map(str, loads))} before and after" if loads else ""
    source = f"[{record.path.name}](../benchmarks/results/{record.path.name})"
    head = (
        f"`{document['command']}`, {document['started'][:10]}, {source}: {machine['cpu']}, {machine['cores']} cores"
        f"{busy}; Python {machine['python']}, {versions}.\n"
    )
    others = {row["engine"]: row["version"] for row in rows if row.get("version") and row["engine"] != "dcz"}
    if others:
        head += "Engines: " + ", ".join(f"{engine} {version}" for engine, version in others.items()) + ".\n"
    missing = {row["engine"]: row["not_run"] for row in rows if "engine" in row and "not_run" in row}
    notes = "".join(f"- {engine} was not run: {reason}\n" for engine, reason in missing.items())
    tables = "\n\n".join(markdown(table) for table in benchmark.tables(rows) if table.rows)
    return f"\n{head}\n{tables}\n\n{notes}" + ("\n" if notes else "")
