"""Update of pages under docs/: tables and plots of the latest finished runs, between markers.

The markers are a pair of lines, ``<!-- begin NAME -->`` and ``<!-- end NAME -->``. Other text does not change.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from . import plots
from .suite import HERE, Benchmark, Record, markdown, not_run, read_all

DOCS = HERE.parent / "docs"
FIGURES = "figures"
"""Folder of the plots, beside the page."""


def update(results: Path, benchmarks: Mapping[str, Benchmark], folder: Path = DOCS) -> None:
    """Update the pages in a folder. A benchmark without a finished run or without markers keeps its text.

    Raises
    ------
    ModuleNotFoundError
        matplotlib is not installed; nothing is written.
    """
    import matplotlib  # noqa: F401 (before a page is half written)

    texts: dict[Path, str] = {}
    for name, benchmark in benchmarks.items():
        finished = [record for record in read_all(results, name) if record.document["finished"]]
        page = folder / benchmark.page
        if finished and page.exists():
            place = re.compile(rf"(<!-- begin {name} -->\n).*?(<!-- end {name} -->)", re.DOTALL)
            drawn = plots.pictures(name, finished[-1].rows)
            for picture in drawn:
                plots.save(picture, page.parent / FIGURES)
            section = render(benchmark, finished[-1], drawn)
            text = texts.get(page) or page.read_text()
            texts[page] = place.sub(lambda match, section=section: match[1] + section + match[2], text)  # type: ignore[misc]
    for page, text in texts.items():
        page.write_text(text)


def render(benchmark: Benchmark, record: Record, drawn: Sequence[plots.Picture] = ()) -> str:
    """The section of a run: its origin, then the plots and the tables."""
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
    notes = "".join(f"- {line}\n" for line in not_run(rows))
    tables = "\n\n".join(markdown(table) for table in benchmark.tables(rows) if table.rows)
    shown = "".join(f"{plots.markdown(picture, FIGURES)}\n" for picture in drawn)
    return f"\n{head}\n{shown}{tables}\n\n{notes}" + ("\n" if notes else "")
