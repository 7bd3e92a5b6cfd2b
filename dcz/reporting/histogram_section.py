"""The section of histograms: weights and code lengths, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

from . import charts
from .elements import count, name, section, shape
from .facts import Facts, Layer
from .histograms import CodeLengths, Spread
from .html import Content, Markup, tag

DRAWN = 200
"""Number of layers that get charts, the largest ones: a thousand layers would make a page of many megabytes."""


def histograms(facts: Facts) -> Markup | None:
    """A card for each layer: histograms of its weights, and of the code lengths of symbols and gaps."""
    if not facts.layers:
        return None
    by_size = sorted(facts.layers, key=lambda layer: -sum(layer.row["bytes"].values()))
    chosen = {layer.name for layer in by_size[:DRAWN]}
    cards = [tag("li", _card(layer)) for layer in facts.layers if layer.name in chosen]
    said = ["Histograms of the weights that are not zero, after sharing. "]
    if facts.against:
        said.append(
            f"Outlined: the same bins before it, in {facts.against}; "
            "each of the two is drawn as high as its fullest bin. "
        )
    said.append("Code lengths in bits: the share of symbols, or of gaps, that has each; escapes are gaps too.")
    rest = len(facts.layers) - len(chosen)
    if rest:
        said.append(f" The {count(rest, 'smallest layer')} of {len(facts.layers):,} are in the tables alone.")
    return section("inside", "Inside each layer", tag("p", said), tag("ul", cards, class_="cards"))


def _card(layer: Layer) -> Markup:
    row = layer.row
    facts = f"{shape(row['shape'])}, {row['encoding']}, density {row['density']:.1%}"
    if layer.errors is not None:
        maximum, rms = layer.errors
        facts += f"; error at most {maximum:.3g}, rms {rms:.3g}" if maximum else "; equal to the checkpoint"
    figures: list[Content] = [_spread(layer.spread)] if layer.spread else [tag("p", "No weight that is not zero.")]
    for what, lengths in (("symbol", layer.symbols), ("gap", layer.gaps)):
        if lengths is not None:
            figures.append(_lengths(what, lengths))
    return tag("article", tag("h3", name(layer.name)), tag("p", facts, class_="note"), *figures)


def _spread(spread: Spread) -> Markup:
    total = sum(spread.counts)
    title = f"{count(total, 'weight')}, {count(spread.distinct, 'value')}"
    label = f"{title} between {spread.low:.3g} and {spread.high:.3g}; {max(spread.counts):,} in the fullest bin"
    axis = tag("span", [tag("span", f"{edge:.3g}") for edge in (spread.low, spread.high)], class_="axis")
    return tag("figure", tag("figcaption", title), charts.outline(spread.counts, label, spread.before), axis)


def _lengths(what: str, lengths: CodeLengths) -> Markup:
    used = sum(lengths.used)
    shares = {bits: count / used for bits, count in _trimmed(lengths.used)} if used else {}
    tips = [f"{bits} bits: {lengths.used[bits]:,} of {used:,}, {lengths.codes[bits]:,} codes" for bits in shares]
    title = f"{lengths.mean:.2f} bits a {what}; fixed {lengths.fixed_bits}"
    label = f"Code lengths of {what}s: " + ", ".join(f"{bits} bits {share:.1%}" for bits, share in shares.items())
    return tag("figure", tag("figcaption", title), charts.columns({str(k): v for k, v in shares.items()}, label, tips))


def _trimmed(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Pairs of index and count, without the empty ones at either end."""
    filled = [i for i, value in enumerate(counts) if value]
    return [(i, counts[i]) for i in range(filled[0], filled[-1] + 1)] if filled else []
