"""A compiled network in a browser: bytes, start and time a frame beside onnxruntime-web's, by turns in one page.

Both run in one thread of headless Chromium, with the 128-bit SIMD instructions of WebAssembly: networks are compiled
with them, and onnxruntime-web comes in no other form. Times are wall times, since a page has no other clock.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import dcz
from dcz.core.difference import relative_error
from dcz.core.timing import milliseconds, ratio

from ... import networks
from ...interleaved import time_interleaved
from ...networks import Container
from ...peers import ONNXRUNTIME_WEB, MissingToolError
from ...suite import Benchmark, Options, Row, Table, figure
from ...weights import NETWORKS
from .. import mobile
from . import site
from .browser import call, headless, missing, served

Find = Callable[[str, Options], Container]

OURS, THEIRS = "dcz", ONNXRUNTIME_WEB.name
DEFAULT = "resnet-20", "tv:mobilenet_v2"
"""Networks, unless others are named."""
WARM_SECONDS = 2.0
"""Within which the browser has optimised what runs."""
LEAST_RATIO = 2.0
"""Goal for pruned networks: onnxruntime-web's time over ours."""
MOST_ERROR = 1e-4
"""Greatest accepted difference from the runtime's answers, relative to the greatest of them."""


def cases(options: Options) -> Mapping[str, Callable[[], list[Row]]]:
    """One case for each network, and for each form of those of `benchmarks.questions.mobile`."""
    made: dict[str, Callable[[], list[Row]]] = {}
    for name in DEFAULT if set(NETWORKS) <= set(options.networks) else options.networks:
        if name in mobile.TITLES:
            for form in mobile.FORMS:
                made[f"{name} {form}"] = partial(measure, partial(mobile.container, form), name, options)
        else:
            made[name] = partial(measure, networks.container, name, options)
    return made


def measure(find: Find, name: str, options: Options) -> list[Row]:
    """Time one network in one page: a row for each engine."""
    network = find(name, options)
    common = {"network": network.title, "weights": network.weights}
    if lacking := missing():
        return [{**common, "engine": engine, "not_run": lacking} for engine in (OURS, THEIRS)]
    sample = network.batch(1)
    not_run = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        site.add_page(folder, sample)
        files = {OURS: site.add_dcz(folder, network.path)}
        try:
            files[THEIRS] = site.add_onnxruntime(folder, network.path, options.peers)
        except MissingToolError as error:
            not_run[THEIRS] = str(error)
        measured = in_browser(folder, list(files), dcz.load(network.path, threads=1)(sample), options)
        sizes = {engine: _sizes(paths) for engine, paths in files.items()}
    rows: list[Row] = [{**common, "engine": engine, **sizes[engine], **row} for engine, row in measured.items()]
    for row in rows:
        if row["engine"] == THEIRS:
            row["version"] = site.onnxruntime_version(options.peers)
        row["problems"] = problems(row)
    return rows + [{**common, "engine": engine, "not_run": reason} for engine, reason in not_run.items()]


def in_browser(folder: Path, engines: list[str], expected: NDArray[np.float32], options: Options) -> dict[str, Row]:
    """Open the page of a folder, and let its engines answer by turns."""
    with ExitStack() as stack:
        address, browser = stack.enter_context(served(folder)), stack.enter_context(headless())
        browser.get(f"{address}page.html")
        first = {engine: call(browser, "start", engine) for engine in engines}
        for engine in engines:
            call(browser, "warm", engine, 0.1 if options.quick else WARM_SECONDS)
        turns = time_interleaved(
            {engine: partial(call, browser, "clock", engine) for engine in engines}, options.seconds
        )
        version = browser.capabilities["browserVersion"]
    rows: dict[str, Row] = {}
    for engine, seconds in turns.seconds.items():
        answer = np.array(first[engine]["answer"], np.float32).reshape(expected.shape)
        row: Row = {"browser": f"Chromium {version}", "first_ms": first[engine]["first_ms"], **milliseconds(seconds)}
        rows[engine] = row | {"ratio": ratio(seconds, turns.seconds[OURS]), "error": relative_error(answer, expected)}
    return rows


def problems(row: Row) -> list[str]:
    """What misses a goal: answers within rounding, and pruned networks twice as fast as onnxruntime-web."""
    found = [] if row["error"] <= MOST_ERROR else [f"{row['engine']}'s answers differ by {row['error']:.1g}"]
    if row["engine"] == THEIRS and not row["network"].endswith("dense") and row["ratio"]["median"] < LEAST_RATIO:
        found.append(f"{THEIRS} takes {row['ratio']['median']:.2f} times as long, less than {LEAST_RATIO}")
    return [f"{row['network']}: {each}" for each in found]


def _sizes(paths: list[Path]) -> Row:
    contents = [path.read_bytes() for path in paths]
    return {"bytes": sum(map(len, contents)), "gzip_bytes": sum(len(gzip.compress(each)) for each in contents)}


def tables(rows: list[Row]) -> list[Table]:
    timed = [row for row in rows if "not_run" not in row]
    if not timed:
        return []
    browsers = " and ".join(dict.fromkeys(row["browser"] for row in timed))
    figures = "KB fetched", "gzip KB", "first answer ms", "frame ms: median (least)", "of dcz's", "error"
    body = [
        (
            *(row["network"], row["engine"], *(round(row[key] / 1000) for key in ("bytes", "gzip_bytes"))),
            figure(row["first_ms"]),
            f"{figure(row['median_ms'])} ({figure(row['min_ms'])})",
            f"{row['ratio']['median']:.2f} ({row['ratio']['of_least']:.2f})",
            f"{row['error']:.0e}",
        )
        for row in timed
    ]
    return [Table(f"One frame, one thread, in headless {browsers}", ("network", "engine", *figures), body, 2)]


BENCHMARK = Benchmark("web", "How long does an answer take in a browser?", cases, tables, "embedding.md")
