"""Plots of made-up runs: every engine and network is there, as text, in both themes."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest

from benchmarks import docs_page, plots
from benchmarks.suite import Benchmark, Record

Rows = list[dict[str, Any]]


def sizes() -> Rows:
    return [
        {"network": name, "fp32": 1000, "dcz": 40, "nnc": 39, "zip": 80, "missing": {"xz": "no"}} for name in ("A", "B")
    ]


def latency() -> Rows:
    return [
        {"network": network, "batch": batch, "engine": engine, "ratio": {"median": times}, "max_error": error}
        for network in ("A", "B")
        for batch in (1, 16)
        for engine, times, error in (("dcz", 1.0, 0.0), ("ncnn", 2.5, 1e-6), ("litert", 0.5, 0.3))
    ] + [{"network": "A", "batch": 1, "engine": "openvino", "not_run": "missing"}]


def load() -> Rows:
    figures = {"load_s": 0.5, "first_s": 0.25, "peak_mib": 100.0}
    return [{"network": name, "engine": engine, **figures} for name in ("A", "B") for engine in ("dcz", "torch")]


def scaling() -> Rows:
    rows: Rows = [
        {"axis": "density", "x": x, "what": what, "median": {"dcz": 90 * x, "prepacked": 50, "eager": 60}}
        for what in ("conv", "linear")
        for x in (0.01, 1.0)
    ]
    return [*rows, {"axis": "decode", "what": "A"}]


def accuracy() -> Rows:
    return [
        {"model": "a.dcz", "data": "mnist", "file_bytes": 5000, "top1": 0.99},
        {"model": "b.dcz", "data": "mnist", "file_bytes": 5000, "top1": 0.99},
        {"model": "c.dcz", "data": "cifar10", "file_bytes": 80000, "top1": 0.91},
        {"model": "d.dcz", "data": "imagenet", "file_bytes": 1, "not_run": "no data"},
    ]


SHOWN = {
    "sizes": (sizes(), ["A", "B", "dcz", "NNC", "zip"]),
    "latency": (latency(), ["A", "B", "Batch 1", "Batch 16", "dcz", "ncnn", "litert"]),
    "load": (load(), ["A", "B", "dcz", "torch", "seconds", "MiB"]),
    "scaling": (scaling(), ["conv", "linear", "dcz", "prepacked", "eager", "density, %"]),
    "accuracy": (accuracy(), ["mnist", "cifar10", "a", "b", "c"]),
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_plot_says_in_text_what_it_shows(name: str, tmp_path: Path) -> None:
    rows, words = SHOWN[name]
    (picture,) = plots.pictures(name, rows)
    plots.save(picture, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {f"{picture.name}.svg", f"{picture.name}-dark.svg"}
    for path in tmp_path.iterdir():
        texts = {
            "".join(element.itertext()).strip() for element in ElementTree.parse(path).iter() if "text" in element.tag
        }
        assert set(words) <= texts
        assert "openvino" not in texts
        assert path.stat().st_size < 60_000


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        plots.save(plots.pictures("sizes", sizes())[0], tmp_path / folder)
    assert (tmp_path / "one" / "sizes.svg").read_bytes() == (tmp_path / "two" / "sizes.svg").read_bytes()


def test_other_answers_are_hollow(tmp_path: Path) -> None:
    def hollow(rows: Rows) -> int:
        plots.save(plots.pictures("latency", rows)[0], tmp_path)
        return (tmp_path / "latency.svg").read_text().count("fill: none; stroke: #56b4e9")

    assert hollow(latency()) > 0
    assert hollow([row | {"max_error": 0.0} for row in latency()]) == 0


def test_alt_text_holds_the_numbers() -> None:
    assert "A: .dcz 25.0 times" in plots.pictures("sizes", sizes())[0].alt
    assert "batch 16, litert: 0.5 to 0.5" in plots.pictures("latency", latency())[0].alt
    assert "a.dcz, mnist: 99.00% at 5,000 bytes" in plots.pictures("accuracy", accuracy())[0].alt


def test_sizes_of_models_stand_on_a_logarithmic_axis_with_room_for_their_names() -> None:
    from matplotlib.figure import Figure

    (picture,) = plots.pictures("accuracy", accuracy())
    panels = Figure().subplots(picture.rows, picture.columns, squeeze=False).ravel()
    picture.draw(panels)
    for panel in panels:
        low, high = panel.get_xlim()
        sizes = [x for dots in panel.collections for x, _ in dots.get_offsets()]
        assert panel.get_xscale() == "log"
        assert 0 < low <= min(sizes) / 2
        assert high >= 2 * max(sizes)


def test_nothing_measured_is_no_plot() -> None:
    assert plots.pictures("accuracy", accuracy()[-1:]) == []
    assert plots.pictures("scaling", scaling()[-1:]) == []
    assert plots.pictures("paper", [{"anything": 1}]) == []


def test_the_page_shows_the_plot_by_theme(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("<!-- begin sizes -->\n<!-- end sizes -->\n")
    record = Record.start(tmp_path, "sizes", "command")
    record.add("A", sizes())
    record.finish()
    docs_page.update(tmp_path, {"sizes": Benchmark("sizes", "?", lambda options: {}, lambda rows: [])}, tmp_path)
    text = page.read_text()
    assert 'srcset="figures/sizes-dark.svg"' in text
    assert 'src="figures/sizes.svg"' in text
    assert 'alt="Dots: how many times smaller' in text
    assert "- xz was not run: no" in text
    assert (tmp_path / "figures" / "sizes.svg").exists()
