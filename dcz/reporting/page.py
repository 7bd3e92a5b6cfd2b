"""The page: one HTML file without scripts that needs no network and no other file."""

from __future__ import annotations

from importlib.resources import files

from . import file_sections, size_sections
from .elements import name, shape
from .facts import Facts
from .histogram_section import histograms
from .html import Markup, join, tag

SECTIONS = {
    "sizes": (size_sections.headline, "Sizes"),
    "stages": (size_sections.waterfall, "Stages"),
    "parts": (size_sections.parts, "Parts"),
    "layers": (size_sections.layers, "Layers"),
    "times": (size_sections.times, "Times"),
    "inside": (histograms, "Histograms"),
    "inputs": (file_sections.inputs, "Preprocessing"),
    "labels": (file_sections.labels, "Labels"),
    "provenance": (file_sections.provenance, "Provenance"),
    "graph": (file_sections.graph, "Graph"),
    "tensors": (file_sections.tensors, "All tensors"),
}
"""Sections by id, in the order of the page: the function that makes each, and its name in the menu."""

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
"""Content security policy: the browser loads and runs nothing, whatever the names in a file contain."""


def render(facts: Facts) -> str:
    """Make the page.

    Parameters
    ----------
    facts : Facts

    Returns
    -------
    str
        HTML; the same facts give the same page.
    """
    made = {key: build(facts) for key, (build, _) in SECTIONS.items()}
    links = [tag("li", tag("a", SECTIONS[key][1], href=f"#{key}")) for key, markup in made.items() if markup]
    takes = "weights only"
    if facts.graph:
        takes = f"{', '.join(shape(given.shape) for given in facts.graph.inputs)} in, {len(facts.graph.nodes):,} nodes"
    body = tag(
        "body",
        tag("a", "Skip to the report", href="#sizes", class_="skip"),
        tag("header", tag("h1", name(facts.file)), tag("p", f"Compressed network, dcz format "
            f"{facts.info['format_version']}: {takes}.")),
        tag("nav", tag("ul", links), aria_label="Sections"),
        tag("main", made.values()),
        tag("footer", tag("p", "Made by dcz report.")),
    )  # fmt: skip
    return join(Markup("<!DOCTYPE html>\n"), tag("html", _head(facts), body, lang="en"), Markup("\n"))


def _head(facts: Facts) -> Markup:
    style = Markup(files(__package__).joinpath("report.css").read_text(encoding="utf-8"))
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("link", rel="icon", href="data:,"),
        tag("title", f"{facts.file}: dcz report"),
        tag("style", style),
    )
