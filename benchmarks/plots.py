"""Plots for the docs: dots and lines from the rows of a run, as SVG for light and for dark pages.

Engines and coders differ in colour and in shape (colours of Okabe and Ito, which are told apart without red or green
as well); a hollow mark means that answers differ from those of the network. Text stays text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .questions.latency import LARGE_ERROR
from .questions.sizes import COLUMNS
from .suite import Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 7.5
"""Inches; a page of GitHub shows them at about 100 pixels each."""
BLUE, ORANGE, GREEN, SKY, RED, PINK, GREY = (
    "#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#CC79A7", "#8c8c8c",
)  # fmt: skip
THEMES = {
    "": {"text": "#1f2328", "line": "#d1d9e0"},
    "-dark": {"text": "#e6edf3", "line": "#3d444d"},
}
"""Colours of text and lines by file name ending; the background is transparent."""


@dataclass(frozen=True)
class Mark:
    """Style of a series."""

    colour: str
    shape: str
    hollow: bool = False


MARKS = {
    "dcz": Mark(RED, "D"),
    "dcz, all cores": Mark(RED, "d"),
    "torch eager fp32": Mark(BLUE, "o"),
    "torch channels_last fp32": Mark(BLUE, "s"),
    "torch compile fp32": Mark(BLUE, "^"),
    "torch": Mark(BLUE, "o"),
    "onnxruntime": Mark(ORANGE, "P"),
    "openvino": Mark(GREEN, "v"),
    "openvino int8": Mark(GREEN, "v", hollow=True),
    "litert": Mark(SKY, "X"),
    "ncnn": Mark(PINK, "<"),
    "ncnn fp16": Mark(PINK, "<", hollow=True),
    "deepsparse": Mark(GREY, "*"),
    "eager": Mark(BLUE, "o"),
    "prepacked": Mark(ORANGE, "P"),
    "nnc": Mark(BLUE, "o"),
    "paper": Mark(PINK, "s"),
    "brotli": Mark(GREEN, "^"),
    "zstd": Mark(GREEN, "v"),
    "xz": Mark(GREEN, "<"),
    "zip": Mark(GREY, "*"),
    "coreml": Mark(ORANGE, "P"),
    "onnx int8": Mark(SKY, "X", hollow=True),
}
OTHER = Mark(GREY, "o")
CODINGS = ("dcz", "nnc", "paper", "brotli", "xz", "zstd", "coreml", "zip", "onnx int8")


@dataclass(frozen=True)
class Picture:
    """A plot of one or more panels.

    Attributes
    ----------
    name : str
        Name of its file.
    alt : str
        Text alternative.
    draw : callable
        ``draw(panels)`` fills the axes.
    height : float
        Inches.
    rows, columns : int
        Of panels.
    """

    name: str
    alt: str
    draw: Callable[[Sequence[Axes]], None]
    height: float
    rows: int = 1
    columns: int = 1


def pictures(benchmark: str, rows: list[Row]) -> list[Picture]:
    """The plots of a run; none for benchmarks with tables only."""
    makers = {"sizes": _sizes, "latency": _latency, "load": _load, "accuracy": _accuracy, "scaling": _density}
    return makers[benchmark](rows) if benchmark in makers else []


def save(picture: Picture, folder: Path) -> None:
    """Write ``NAME.svg`` and ``NAME-dark.svg``; the same rows give the same bytes."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    for ending, theme in THEMES.items():
        with rc_context(_settings(**theme)):
            figure = Figure(figsize=(WIDTH, picture.height), layout="constrained")
            panels = figure.subplots(picture.rows, picture.columns, squeeze=False).ravel()
            picture.draw(panels)
            series = {
                label: handle
                for panel in panels
                for handle, label in zip(*panel.get_legend_handles_labels(), strict=True)
            }
            if len(series) > 1:
                figure.legend(series.values(), series.keys(), loc="outside lower center", ncols=3, frameon=False)
            path = folder / f"{picture.name}{ending}.svg"
            figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})


def markdown(picture: Picture, folder: str) -> str:
    """Markup of a picture that follows the reader's theme."""
    alt = picture.alt.replace('"', "'")
    return (
        f'<picture>\n<source media="(prefers-color-scheme: dark)" srcset="{folder}/{picture.name}-dark.svg">\n'
        f'<img alt="{alt}" src="{folder}/{picture.name}.svg">\n</picture>\n'
    )


def _settings(text: str, line: str) -> dict[str, Any]:
    return {
        "svg.fonttype": "none",
        "svg.hashsalt": "dcz",
        "font.family": "sans-serif",
        "font.size": 11,
        "axes.titlesize": 12,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "axes.grid": True,
        "grid.color": line,
        "grid.linewidth": 0.7,
        **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.titlecolor"), text),
        "axes.edgecolor": line,
    }


# Kinds of panels ------------------------------------------------------------------------------------------------------


def _dots(
    panel: Axes,
    values: Mapping[str, Mapping[str, float]],
    title: str,
    unit: str,
    hollow: Collection[tuple[str, str]] = (),
) -> None:
    """A line of dots for each group, from top to bottom: `values` by series and group, on a logarithmic axis."""
    groups = list(dict.fromkeys(group for of in values.values() for group in of))
    for number, (series, of) in enumerate(values.items()):
        shift = (number / max(len(values) - 1, 1) - 0.5) * 0.5  # equal values appear side by side
        places = [groups.index(group) + shift for group in of]
        _points(panel, list(of.values()), places, series, [(series, group) in hollow for group in of])
    panel.set_yticks(range(len(groups)), groups)
    panel.set_ylim(len(groups) - 0.4, -0.6)
    panel.grid(visible=False, axis="y")
    for border in range(len(groups) - 1):
        panel.axhline(border + 0.5, linewidth=0.5, color=panel.spines["left"].get_edgecolor())
    _logarithmic(panel, "x")
    panel.set_xlabel(unit)
    panel.set_title(title)


def _points(panel: Axes, x: Sequence[float], y: Sequence[float], series: str, hollow: Sequence[bool]) -> None:
    mark = MARKS.get(series, OTHER)
    faces = ["none" if wrong or mark.hollow else mark.colour for wrong in hollow]
    style = {"s": 50 if series == "dcz" else 38, "marker": mark.shape, "label": _label(series), "zorder": 3}
    panel.scatter(x, y, facecolors=faces, edgecolors=mark.colour, **style)


def _lines(panel: Axes, x: Sequence[float], values: Mapping[str, Sequence[float]], title: str) -> None:
    for series, y in values.items():
        mark = MARKS.get(series, OTHER)
        panel.plot(x, y, color=mark.colour, marker=mark.shape, markersize=5, label=_label(series))
    _logarithmic(panel, "x")
    _logarithmic(panel, "y")
    panel.set_title(title)


def _logarithmic(panel: Axes, axis: str, narrow: float = 300) -> None:
    """A logarithmic axis without exponents, labelled at 1, and at 2 and 5 where it spans less than `narrow` times."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    getattr(panel, f"set_{axis}scale")("log")
    which = getattr(panel, f"{axis}axis")
    low, high = which.get_view_interval()
    which.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low < narrow else (1.0,)))
    which.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
    which.set_minor_locator(NullLocator())
    which.set_minor_formatter(NullFormatter())


def _label(series: str) -> str:
    if series in CODINGS and series != "dcz":
        return COLUMNS.get(series, series)
    return f"{series} (lossy)" if MARKS.get(series, OTHER).hollow else series


# Pictures -------------------------------------------------------------------------------------------------------------


def _sizes(rows: list[Row]) -> list[Picture]:
    values = {
        coding: {row["network"]: row["fp32"] / row[coding] for row in rows if row.get(coding)} for coding in CODINGS
    }
    values = {coding: of for coding, of in values.items() if of}

    def draw(panels: Sequence[Axes]) -> None:
        _dots(panels[0], values, "How many times smaller than fp32", "times (further right is smaller)")

    alt = "Dots: how many times smaller than fp32 the same weights are in each coding. " + "; ".join(
        f"{row['network']}: .dcz {row['fp32'] / row['dcz']:.1f} times" for row in rows
    )
    return [Picture("sizes", alt, draw, 1.6 + 0.62 * len(rows))]


def _latency(rows: list[Row]) -> list[Picture]:
    timed = [row for row in rows if "ratio" in row]
    batches = sorted({row["batch"] for row in timed})
    by_batch: dict[int, dict[str, dict[str, float]]] = {batch: {"dcz": {}} for batch in batches}
    wrong = {(row["batch"], row["engine"], row["network"]) for row in timed if row["max_error"] > LARGE_ERROR}
    for row in timed:
        by_batch[row["batch"]].setdefault(row["engine"], {})[row["network"]] = row["ratio"]["median"]

    def draw(panels: Sequence[Axes]) -> None:
        for panel, (batch, values) in zip(panels, by_batch.items(), strict=True):
            panel.axvline(1, color=RED, linewidth=1)
            hollow = {(engine, network) for of, engine, network in wrong if of == batch}
            _dots(panel, values, f"Batch {batch}", "times as long as dcz (left of 1 is faster than dcz)", hollow)

    networks = len({row["network"] for row in timed})
    alt = "Dots: how many times as long as dcz each engine takes. " + "; ".join(
        f"batch {batch}, {engine}: {min(of.values()):.2g} to {max(of.values()):.2g}"
        for batch, values in by_batch.items()
        for engine, of in values.items()
        if engine != "dcz"
    )
    return [Picture("latency", alt, draw, 1.2 + len(batches) * (0.6 + 0.55 * networks), rows=len(batches))]


def _load(rows: list[Row]) -> list[Picture]:
    started = [row for row in rows if "not_run" not in row]
    seconds: dict[str, dict[str, float]] = {}
    memory: dict[str, dict[str, float]] = {}
    for row in started:
        seconds.setdefault(row["engine"], {})[row["network"]] = row["load_s"] + row["first_s"]
        memory.setdefault(row["engine"], {})[row["network"]] = row["peak_mib"]

    def draw(panels: Sequence[Axes]) -> None:
        _dots(panels[0], seconds, "From a cold file to the first answer, imports apart", "seconds")
        _dots(panels[1], memory, "Most memory that the process held", "MiB")

    alt = (
        "Dots: seconds from a cold file to the first answer, imports apart, and MiB at the peak, by network and "
        "engine. "
        + "; ".join(
            f"dcz, {row['network']}: {row['load_s'] + row['first_s']:.2g} s, {row['peak_mib']:.0f} MiB"
            for row in started
            if row["engine"] == "dcz"
        )
    )
    return [Picture("load", alt, draw, 2.4 + 1.1 * len(next(iter(seconds.values()), {})), rows=2)]


def _density(rows: list[Row]) -> list[Picture]:
    chosen: dict[str, list[Row]] = {}
    for row in rows:
        if row["axis"] == "density":
            chosen.setdefault(row["what"], []).append(row)

    def draw(panels: Sequence[Axes]) -> None:
        for panel, (what, points) in zip(panels, chosen.items(), strict=True):
            values = {engine: [point["median"][engine] for point in points] for engine in points[0]["median"]}
            _lines(panel, [100 * point["x"] for point in points], values, what)
            panel.set_xlabel("density, %")
        panels[0].set_ylabel("microseconds")

    alt = "Lines: microseconds of one layer against its density, ours beside dense engines. " + "; ".join(
        f"{what}: dcz {points[0]['median']['dcz']:.3g} at {points[0]['x']:.0%} to {points[-1]['median']['dcz']:.3g} "
        f"at {points[-1]['x']:.0%}, prepacked about {points[0]['median']['prepacked']:.3g}"
        for what, points in chosen.items()
    )
    return [Picture("density", alt, draw, 3.6, columns=len(chosen))] if chosen else []


def _accuracy(rows: list[Row]) -> list[Picture]:
    scored: dict[str, list[Row]] = {}
    for row in rows:
        if "top1" in row:
            scored.setdefault(row["data"], []).append(row)

    def draw(panels: Sequence[Axes]) -> None:
        for panel, (data, models) in zip(panels, scored.items(), strict=True):
            sizes, right = [row["file_bytes"] / 1000 for row in models], [100 * row["top1"] for row in models]
            _points(panel, sizes, right, "dcz", [False] * len(models))
            low, high = min(sizes) / 3, 3 * max(sizes)  # room for the names
            names: dict[tuple[float, float], list[str]] = {}
            for place, row in zip(zip(sizes, right, strict=True), models, strict=True):
                names.setdefault(place, []).append(Path(row["model"]).stem)
            for (x, y), several in names.items():
                side = {"xytext": (-7, 0), "ha": "right"} if x * x > low * high else {"xytext": (7, 0), "ha": "left"}
                panel.annotate("\n".join(several), (x, y), textcoords="offset points", va="center", **side)
            panel.set_xlim(low, high)
            panel.margins(y=0.25)
            _logarithmic(panel, "x", narrow=100)
            panel.set_xlabel("kB of the file")
            panel.set_title(data)
        panels[0].set_ylabel("top-1, %")

    alt = "Points: top-1 accuracy against bytes of our models. " + "; ".join(
        f"{row['model']}, {data}: {row['top1']:.2%} at {row['file_bytes']:,} bytes"
        for data, models in scored.items()
        for row in models
    )
    return [Picture("accuracy", alt, draw, 3.2, columns=len(scored))] if scored else []
