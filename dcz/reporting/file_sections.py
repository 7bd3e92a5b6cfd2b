"""The sections about the content of the file: preprocessing, labels, graph, tensors, provenance."""

from __future__ import annotations

from typing import Any

from ..dcformat import Graph, Output
from .elements import TIMES, count, definitions, name, number, section, shape
from .facts import PARTS, Facts
from .html import Content, Markup, table, tag
from .network import network

FIRST_LABELS = 20


def inputs(facts: Facts) -> Markup | None:
    """Shape of the input, and preprocessing."""
    if facts.graph is None:
        return None
    items: list[tuple[str, Content]] = [(_end("input", given.name), shape(given.shape)) for given in facts.graph.inputs]
    if steps := facts.preprocess:
        resized = {int: "shorter side to {} pixels", tuple: "to {0[0]} by {0[1]} pixels"}
        items += [
            ("colours", steps.mode),
            ("resize", resized[type(steps.resize)].format(steps.resize) if steps.resize else "no"),
            ("crop", f"{shape(steps.crop)} pixels from the centre" if steps.crop else "no"),
            ("interpolation", steps.interpolation),
            ("then", f"(pixel {TIMES} {steps.scale:.6g} - mean) / std"),
            ("mean", ", ".join(f"{value:g}" for value in steps.mean)),
            ("std", ", ".join(f"{value:g}" for value in steps.std)),
        ]
    else:
        items.append(("preprocessing", "not in the file: give arrays that are ready"))
    return section("inputs", "Preprocessing", definitions(items))


def labels(facts: Facts) -> Markup | None:
    """The number of labels, and the first of them."""
    if not facts.labels:
        return None
    first = tag("ol", [tag("li", name(label)) for label in facts.labels[:FIRST_LABELS]], start=0, class_="labels")
    rest = len(facts.labels) - FIRST_LABELS
    more = tag("p", f"… and {rest:,} more.") if rest > 0 else None
    return section("labels", "Labels", tag("p", f"{count(len(facts.labels), 'class', 'classes')}."), first, more)


def graph(facts: Facts) -> Markup | None:
    """The drawing of the graph, and the list of nodes."""
    if facts.graph is None:
        return None
    rows = [
        (
            str(i),
            node.op,
            ", ".join(_read(facts.graph, value) for value in node.inputs),
            shape(facts.shapes[i]),
            "; ".join(f"{key} {_attribute(value)}" for key, value in node.attrs.items()),
            [tag("div", tag("span", f"{role} ", class_="note"), name(tensor)) for role, tensor in node.params.items()],
        )
        for i, node in enumerate(facts.graph.nodes, len(facts.graph.inputs))
    ]
    header = ("node", "op", "reads", "makes", "attributes", "tensors")
    answers = ", ".join(f"node {output.value} gives {_answer(output.name)}" for output in facts.graph.outputs)
    text = f"{count(len(rows), 'node')}; {answers}. Shapes are those of one sample."
    drawing = network(facts)
    if drawing is not None:
        text += " A box is a layer with what reads it alone, shaded by its bytes: the largest layer's box is full."
    made = table("Nodes in the order in which they run", header, rows, left=6, class_="list")
    return section("graph", "Graph", tag("p", text), drawing, made)


def tensors(facts: Facts) -> Markup | None:
    """Every tensor with every number."""
    rows_of = facts.info["tensors"]
    if not rows_of:
        return None
    errors = {layer.name: layer.errors for layer in facts.layers}
    keys = ("codebook_size", "gap_bits", "bits_per_symbol", "bits_per_gap")
    header: tuple[str, ...] = ("tensor", "shape", "type", "encoding", "stored", "density", "codes", "gap bits")
    header += ("bits / symbol", "bits / gap", *PARTS, *(("max error", "rms error") if facts.against else ()))
    rows = []
    for row in rows_of:
        cells = [name(row["name"]), shape(row["shape"]), row["dtype"], row["encoding"], f"{row['nnz']:,}"]
        cells += [f"{row['density']:.4f}", *(number(row[key]) for key in keys)]
        cells += [f"{row['bytes'][part]:,}" for part in PARTS]
        if facts.against:
            cells += [number(value) for value in errors.get(row["name"]) or (None, None)]
        rows.append(cells)
    made = table("All tensors; bytes by part", header, rows, left=4, class_="list")
    return section("tensors", "All tensors", made)


def provenance(facts: Facts) -> Markup:
    """Checksums and metadata: the identity and the origin of the file."""
    items: list[tuple[str, Content]] = [
        ("file", name(facts.file)),
        ("format version", facts.info["format_version"]),
        ("CRC-32", tag("code", f"{facts.crc32:08x}")),
        ("SHA-256", tag("code", facts.sha256)),
        ("checked", "every checksum held and every tensor decoded when this page was made"),
        *((key, name(value)) for key, value in facts.metadata.items()),
    ]
    if facts.against:
        items.insert(1, ("compared with", name(facts.against)))
    return section("provenance", "Provenance", definitions(items))


def _end(what: str, given: str) -> str:
    """What an input is called: by its name, where that is not the default."""
    return f"{what} of one sample" if given == what else f"{what} {given}, one sample"


def _answer(given: str) -> str:
    return "the answer" if given == Output.name else given


def _read(graph: Graph, value: int) -> str:
    return str(value) if graph.maker(value) else graph.inputs[value].name


def _attribute(value: Any) -> str:
    if isinstance(value, tuple):
        return TIMES.join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
