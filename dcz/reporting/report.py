"""``dcz.report``: all steps from a container to its page."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ..core.output import check_output, replacing, with_ending
from ..dcformat import open
from ..machine import facts
from .facts import collect, load_checkpoint
from .page import render
from .timing import LayerTimes, measure, read_bench


def report(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    against: str | os.PathLike[str] | None = None,
    arch: str | None = None,
    time: bool = False,
    bench: str | os.PathLike[str] | None = None,
    precision: str = "fp32",
) -> Path:
    """Write a page about a container: sizes, layers, histograms, graph, provenance; for any browser, offline.

    Parameters
    ----------
    path : path
        The container.
    out : path, optional
        The page, overwritten when the new one is whole; by default `path` with the ending ``.html``.
    against : path, optional
        The model that the container was made from, to show its weights beside those of the container. Needs torch.
    arch : str, optional
        Architecture of that model, as for `dcz.convert`.
    time : bool
        Time each layer, as stored and dense, and show the times; takes some seconds.
    bench : path, optional
        Show the times that ``dcz bench --layers --json`` wrote, and measure none.
    precision : str
        Of the times that are measured, as for `dcz.load`.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    FormatError
        The container is damaged, or has none of the model's tensors.
    ConversionError
        The model cannot be read.
    InputError
        `out` is one of the files that are read; `bench` is not of this container; `precision` needs ranges.
    OSError
        A file cannot be read or written.
    """
    page = Path(out) if out is not None else with_ending(path, ".html")
    check_output(page, path, against, bench)
    checkpoint = load_checkpoint(against, arch, path) if against is not None else None
    content = render(collect(path, checkpoint, _times(path, time, bench, precision))).encode()
    with replacing(page) as file:
        file.write(content)
    return page


def _times(
    path: str | os.PathLike[str], time: bool, bench: str | os.PathLike[str] | None, precision: str
) -> LayerTimes | None:
    if bench is not None:
        with open(path) as container:
            return read_bench(bench, container.entries)
    if not time:
        return None
    times = measure(path, precision)
    return replace(times, conditions=f"{times.conditions}; {facts()['cpu']}")
