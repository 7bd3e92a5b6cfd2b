from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from dcz.dcformat import write
from dcz.reporting import Facts, LayerTimes, collect, render
from dcz.reporting.histogram_section import DRAWN
from dcz.reporting.timing import LayerTime

VOID = {"meta", "link", "wbr"}
MAX_BYTES = 1_500_000


class Outline(HTMLParser):
    """A page as a tree: checks that every element is closed, and keeps what a test may ask for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, list[str]] = {}
        self.section = ""
        self.feed(page)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.elements.append((tag, found))
        if tag not in VOID:
            self.stack.append(tag)
        if tag == "section":
            self.section = found["id"]

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag
        if tag == "section":
            self.section = ""

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.section, []).append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def text(self, section: str) -> str:
        return "".join(self.texts[section])


@pytest.fixture(scope="module")
def page(facts: Facts) -> Outline:
    return Outline(render(facts))


def test_the_same_facts_give_the_same_page(facts: Facts, container: Path) -> None:
    assert render(facts) == render(collect(container))


@pytest.mark.parametrize("section", ["layers", "inside", "tensors"])
def test_every_layer_is_shown(page: Outline, facts: Facts, section: str) -> None:
    assert len(facts.layers) == 9
    for layer in facts.layers:
        assert layer.name in page.text(section)


def test_every_tensor_and_every_node_is_shown(page: Outline, facts: Facts) -> None:
    for row in facts.info["tensors"]:
        assert row["name"] in page.text("tensors")
    assert facts.graph is not None
    for node in facts.graph.nodes:
        assert node.op in page.text("graph")


def test_sizes_are_those_of_the_file(page: Outline, facts: Facts) -> None:
    said = page.text("sizes") + page.text("stages") + page.text("parts")
    for figure in (f"{facts.info['file_bytes']:,}", f"{facts.info['dense_bytes']:,}", f"{facts.info['ratio']:.2f}"):
        assert figure in said
    assert f"{facts.info['ratio_course']:.2f}" in page.text("sizes")
    for part, size in facts.info["bytes"].items():
        assert f"{size:,}" in page.text("parts"), part
    assert sum(facts.info["bytes"].values()) == facts.info["file_bytes"]


def test_preprocessing_labels_and_provenance(page: Outline, facts: Facts) -> None:
    said = page.text("inputs")
    assert "to 9 by 11 pixels" in said
    assert "8 \u00d7 8 pixels from the centre" in said
    assert "0.5, 0.25, 0.125" in said
    assert "25 classes" in page.text("labels")
    assert "class 19" in page.text("labels")
    assert "class 20" not in page.text("labels")
    assert "5 more" in page.text("labels")
    for text in (f"{facts.crc32:08x}", facts.sha256, "CC0", facts.info["format_version"]):
        assert text in page.text("provenance")


def test_charts_are_named_and_not_empty(page: Outline) -> None:
    charts = page.all("svg")
    assert len(charts) > 30
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)
    assert len(page.all("rect")) + len(page.all("path")) > len(charts)


def test_landmarks_headings_and_links(page: Outline) -> None:
    tags = [tag for tag, _ in page.elements]
    assert [tags.count(tag) for tag in ("header", "nav", "main", "footer", "h1")] == [1] * 5
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert {link["href"].removeprefix("#") for link in page.all("a")} <= set(ids)
    assert all(section["aria-labelledby"] in ids for section in page.all("section"))
    assert page.all("html") == [{"lang": "en"}]
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert tags.count("table") == tags.count("caption") > 3


def test_sections_fold_and_are_open_at_first(page: Outline) -> None:
    tags = [tag for tag, _ in page.elements]
    assert page.all("details") == [{"open": ""}] * tags.count("section")
    assert all(
        tags[i : i + 4] == ["section", "details", "summary", "h2"] for i, tag in enumerate(tags) if tag == "section"
    )


def external(page: str) -> Iterator[str]:
    """What in a page could make a browser load something."""
    outline = Outline(page)
    for tag, attributes in outline.elements:
        yield from (value for key, value in attributes.items() if key in ("src", "srcset", "xlink:href", "action"))
        if tag in ("script", "img", "iframe", "object", "embed", "base"):
            yield tag
        if (target := attributes.get("href", "")) and not target.startswith(("#", "data:,")):
            yield target
    yield from re.findall(r"url\(|@import|https?:", page)


def test_nothing_is_loaded_from_anywhere(facts: Facts) -> None:
    assert list(external(render(facts))) == []
    policies = [meta for meta in Outline(render(facts)).all("meta") if "http-equiv" in meta]
    assert [meta["http-equiv"] for meta in policies] == ["Content-Security-Policy"]
    assert policies[0]["content"].startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")


def test_hostile_text_stays_text(hostile: Path, hostile_name: str) -> None:
    made = render(collect(hostile))
    outline = Outline(made)
    assert list(external(made)) == []
    assert not any(key.startswith("on") for _, attributes in outline.elements for key in attributes)
    assert made.count("</style>") == made.count("</title>") - made.count("</title></rect>") == 1
    assert "<img src=x onerror=alert(1)>.dcz" in outline.text("provenance")
    for section in ("layers", "labels", "graph", "tensors", "provenance"):
        assert hostile_name.replace("\x07", "\ufffd") in outline.text(section)
    assert "\x07" not in made


def test_weights_alone(tmp_path: Path) -> None:
    path = tmp_path / "weights.dcz"
    write(path, None, {"w": np.eye(4, dtype=np.float32)})
    outline = Outline(render(collect(path)))
    sections = [section["id"] for section in outline.all("section")]
    assert sections == ["sizes", "stages", "parts", "layers", "inside", "provenance", "tensors"]
    assert [link["href"][1:] for link in outline.all("a")[1:]] == sections


def test_an_empty_container(tmp_path: Path) -> None:
    path = tmp_path / "empty.dcz"
    write(path, None, {})
    sections = [section["id"] for section in Outline(render(collect(path))).all("section")]
    assert sections == ["sizes", "stages", "parts", "provenance"]


def test_times(facts: Facts) -> None:
    rows = [
        LayerTime("conv.weight", "conv2d", "conv_sparse", 12.5, 25.0),
        LayerTime("relu", "relu", "clamp", 2.5, None),
    ]
    said = Outline(render(replace(facts, times=LayerTimes(rows, "batch 1; Abacus 1")))).text("times")
    for text in ("conv.weight", "conv_sparse", "12.5", "25.0", "2.00", "15.0", "27.5", "1.83", "Abacus 1"):
        assert text in said
    alone = [replace(row, dense=None) for row in rows]
    said = Outline(render(replace(facts, times=LayerTimes(alone, "batch 1")))).text("times")
    assert "83.3%" in said
    assert "dense" not in said


def test_before_sharing_is_drawn_behind(facts: Facts) -> None:
    layer = next(layer for layer in facts.layers if layer.name == "fc.weight")
    assert layer.spread is not None
    old = replace(layer, spread=replace(layer.spread, before=layer.spread.counts), errors=(0.25, 0.125))
    made = render(replace(facts, layers=[old], against="model.pt"))
    assert made.count('class="behind"') == 1
    assert "error at most 0.25, rms 0.125" in made
    assert "model.pt" in Outline(made).text("inside")


def test_a_large_network_makes_a_page_of_bounded_size(facts: Facts) -> None:
    layers, rows = [], []
    for i in range(500):
        layer = facts.layers[i % 4]
        row = dict(layer.row) | {"name": f"features.stage{i // 50}.block{i}.branch.conv.weight"}
        layers.append(replace(layer, row=row))
        rows += [row, dict(row) | {"name": f"features.stage{i // 50}.block{i}.branch.norm.running_mean"}]
    info = dict(facts.info) | {"tensors": [*facts.info["tensors"], *rows]}
    made = render(replace(facts, layers=layers, others=rows[1::2], info=info))
    assert len(made.encode()) <= MAX_BYTES
    outline = Outline(made)
    assert all(row["name"] in outline.text("tensors") for row in rows)
    assert all(layer.name in outline.text("layers") for layer in layers)
    assert len(outline.all("article")) == DRAWN
    assert "300 smallest layers of 500" in outline.text("inside")
