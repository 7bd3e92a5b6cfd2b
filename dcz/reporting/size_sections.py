"""The sections about bytes and time: one function each, from facts to markup. None: the section is left out."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from . import charts
from .elements import TIMES, count, definitions, name, percent, section
from .facts import PARTS, Facts
from .html import Markup, join, table, tag
from .timing import LayerTime

DRAWN = tag("span", "drawn", class_="unseen")
"""Header of a column of bars, for screen readers only."""


def headline(facts: Facts) -> Markup:
    """Bytes in fp32 and in the file, their ratio, and the ratios by the formulas of courses and of the paper."""
    info = facts.info
    times, grew = info["ratio"], 0 < info["ratio"] < 1
    figures = [
        (f"{1 / times if grew else times:.2f}{TIMES}", "larger than fp32" if grew else "smaller than fp32"),
        (f"{info['file_bytes']:,}", "bytes in the file"),
        (f"{info['dense_bytes']:,}", "bytes in fp32"),
    ]
    cards = tag("dl", [tag("div", tag("dt", what), tag("dd", figure)) for figure, what in figures], class_="figures")
    stored = sum(layer.row["nnz"] for layer in facts.layers)
    weights = sum(prod(layer.row["shape"]) for layer in facts.layers)
    said = [f"{stored:,} of {weights:,} weights are not zero ({percent(stored, weights)}), "
            f"in {count(len(facts.layers), 'layer')}. "]  # fmt: skip
    if info["ratio_course"] is not None:
        said.append(
            f"The course formula, which counts coded symbols alone, gives {info['ratio_course']:.2f}; the paper's, "
            f"which adds gaps and codebooks, {info['ratio_paper']:.2f}. The large figure is that of the file itself."
        )
    return section("sizes", "Sizes", cards, tag("p", said))


def waterfall(facts: Facts) -> Markup:
    """From fp32 to coded: bytes after each stage, and bytes that it saved."""
    largest = max((stage.nbytes for stage in facts.stages), default=0) or 1
    rows, before = [], None
    for stage in facts.stages:
        parts = {"stored": stage.nbytes, "saved": max(0, before - stage.nbytes) if before is not None else 0}
        drawn = charts.bar(parts, max(largest, sum(parts.values())), f"{stage.name}: {stage.nbytes:,} bytes")
        factor = f"{facts.stages[0].nbytes / stage.nbytes:.2f}" if stage.nbytes else "-"
        rows.append((tag("b", stage.name), drawn, f"{stage.nbytes:,}", factor))
        before = stage.nbytes
    caption = "Bytes after each stage, and how many times smaller than fp32. Pale: what the stage saved."
    made = table(caption, ("stage", DRAWN, "bytes", "ratio"), rows, left=2, class_="bars")
    how = [(stage.name, stage.counted) for stage in facts.stages]
    return section("stages", "From dense to coded", made, tag("h3", "What is counted"), definitions(how))


def parts(facts: Facts) -> Markup:
    """The bytes of the whole file, by part."""
    total = facts.info["file_bytes"]
    sizes = {key: facts.info["bytes"][key] for key in (*PARTS, "labels", "manifest")}
    meaning = {
        "symbols": "which shared value each stored weight has",
        "gaps": "where the stored weights are",
        "values": "weights that are stored as they are",
        "codebook": "the shared values",
        "tables": "code lengths, and where chunks begin",
        "labels": "names of the classes",
        "manifest": "header, graph, names, shapes, checksums",
    }
    whole = charts.bar(sizes, total, "Bytes of the file by part: " + _listed(sizes))
    rows = [
        (join(_swatch(key), tag("b", key), tag("span", meaning[key], class_="note")), f"{size:,}",
         percent(size, total))
        for key, size in sizes.items()
    ]  # fmt: skip
    caption = "Bytes of the file by part"
    made = table(caption, ("part", "bytes", "share"), rows, total=("file", f"{total:,}", "100.0%"))
    return section("parts", "Bytes by part", tag("div", whole, class_="whole"), made)


def layers(facts: Facts) -> Markup | None:
    """Bytes and density of each layer, as bars beside their numbers."""
    if not facts.layers:
        return None
    sizes = [(name(layer.name), {part: layer.row["bytes"][part] for part in PARTS}) for layer in facts.layers]
    if facts.others:
        rest = {part: sum(row["bytes"][part] for row in facts.others) for part in PARTS}
        note = tag("span", "vectors, scalars, integers", class_="note")
        sizes.append((join(count(len(facts.others), "other tensor"), note), rest))
    largest = max(sum(parts.values()) for _, parts in sizes) or 1
    by_bytes = [
        (title, charts.bar(parts, largest, _listed(parts)), f"{sum(parts.values()):,}") for title, parts in sizes
    ]
    shares = [(name(layer.name), layer.row["density"], f"{layer.row['density']:.1%}") for layer in facts.layers]
    by_density = [
        (title, charts.bar({"stored": share}, 1, said, "of the weights"), said) for title, share, said in shares
    ]
    legend = tag("p", [tag("span", _swatch(part), part) for part in PARTS], class_="legend")
    return section(
        "layers",
        "Layer by layer",
        tag("h3", "Bytes"),
        legend,
        table("Bytes of each layer, by part", ("layer", DRAWN, "bytes"), by_bytes, left=2, class_="bars"),
        tag("h3", "Density"),
        table("Share of weights that are not zero", ("layer", DRAWN, "density"), by_density, left=2, class_="bars"),
    )


def times(facts: Facts) -> Markup | None:
    """Time of each layer, if it was measured."""
    measured = facts.times
    if measured is None or not measured.rows:
        return None
    compared = any(row.dense is not None for row in measured.rows)
    largest = max(max(row.microseconds, row.dense or 0) for row in measured.rows) or 1
    ours = sum(row.microseconds for row in measured.rows)
    dense = sum(row.microseconds if row.dense is None else row.dense for row in measured.rows)
    figures = _compared if compared else _alone
    rows = [
        (_timed_name(row), _time_bars(row, largest), *figures(row.microseconds, row.dense, ours))
        for row in measured.rows
    ]
    header = ("layer", DRAWN, "µs", *(("dense µs", "ratio") if compared else ("share",)))
    caption = "Time of each layer" + (", as it is stored and, grey, with dense weights" if compared else "")
    made = table(caption, header, rows, left=2, total=("all", "", *figures(ours, dense, ours)), class_="bars")
    return section("times", "Time by layer", tag("p", f"Measured with {measured.conditions}."), made)


def _timed_name(row: LayerTime) -> Markup:
    return join(name(row.name), tag("span", row.kernel, class_="note") if row.kernel != row.name else None)


def _time_bars(row: LayerTime, largest: float) -> Markup:
    ours = charts.bar({"stored": row.microseconds}, largest, f"{row.microseconds:,.1f} µs", "µs")
    if row.dense is None:
        return ours
    return join(ours, charts.bar({"dense": row.dense}, largest, f"dense {row.dense:,.1f} µs", "µs"))


def _compared(ours: float, dense: float | None, total: float) -> tuple[str, str, str]:
    if dense is None:
        return f"{ours:,.1f}", "-", "-"
    return f"{ours:,.1f}", f"{dense:,.1f}", f"{dense / ours:.2f}" if ours else "-"


def _alone(ours: float, dense: float | None, total: float) -> tuple[str, str]:
    return f"{ours:,.1f}", percent(ours, total)


def _listed(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{part} {size:,}" for part, size in sizes.items() if size) or "nothing"


def _swatch(part: str) -> Markup:
    return tag("span", class_=f"swatch c-{part}", aria_hidden="true")
