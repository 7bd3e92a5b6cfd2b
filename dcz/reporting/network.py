"""The drawing of the graph: one box a layer, with the nodes that only it feeds, and one line a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ..dcformat import Graph
from .elements import count, shape
from .facts import Facts
from .html import Markup, tag
from .layout import Layout, Point, lay_out

MAX_BOXES = 300
"""Greatest number of boxes that is drawn: the lines of a larger graph are not readable."""
MAX_PASSED = 6000
"""Greatest number of boxes that the lines may pass altogether, likewise."""
BOX, ROW, GAP = 24, 40, 14
"""Pixels: height of a box, from one row to the next, between neighbours."""
MARGIN, BASELINE = 8, 16
"""Pixels from a box's sides to its text, and from its head to the text's foot."""
CHARACTER = 6.7
"""Upper bound of the average width of a character at a font size of 12 pixels."""
WIDEST = 320


@dataclass(frozen=True)
class Box:
    """Nodes that are drawn as one box: a node, and its followers that read nothing else and hold no matrix.

    Attributes
    ----------
    values : list of int
        Numbers of the values that its nodes make, rising; the first values are the inputs.
    reads : list of int
        Numbers of the boxes that it reads.
    nbytes : int
        Of the tensors of its nodes.
    """

    values: list[int]
    reads: list[int]
    nbytes: int


def network(facts: Facts) -> Markup | None:
    """Draw the graph; None if there is none, or if it is too large."""
    if facts.graph is None:
        return None
    made = boxes(facts.graph, {row["name"]: row for row in facts.info["tensors"]})
    edges = [(start, end) for end, box in enumerate(made) for start in box.reads]
    if len(made) > MAX_BOXES or sum(end - start for start, end in edges) > MAX_PASSED:
        return None
    titles = [(_ops(facts.graph, box), shape(facts.shapes[box.values[-1]])) for box in made]
    width = min(WIDEST, CHARACTER * max(len(ops) + len(size) + 4 for ops, size in titles))
    layout = lay_out(len(made), edges, width, GAP)
    largest = max(box.nbytes for box in made) or 1
    lines = [tag("path", d=_path(route), class_="line") for route in layout.routes]
    drawn = [
        _drawn(box, len(facts.graph.inputs), ops, size, (x - width / 2, row * ROW), width, box.nbytes / largest)
        for box, (ops, size), (x, row) in zip(made, titles, layout.centres, strict=True)
    ]
    picture = _picture(layout, [*lines, *drawn], f"The graph: {count(len(made), 'box', 'boxes')} from top to bottom")
    return tag("div", picture, class_="scroll drawing", role="region", tabindex=0, aria_label="Drawn graph")


def boxes(graph: Graph, tensors: Mapping[str, Mapping[str, Any]]) -> list[Box]:
    """The boxes, in the order of the nodes.

    Parameters
    ----------
    graph : Graph
    tensors : mapping of str to mapping
        Entries in what `Container.info` gives, by name.
    """
    readers = Counter(value for node in graph.nodes for value in dict.fromkeys(node.inputs))
    readers.update(graph.answers)
    first = len(graph.inputs)
    made, box_of = [Box([value], [], 0) for value in range(first)], list(range(first))
    for number, node in enumerate(graph.nodes, first):
        rows = [tensors[name] for name in node.params.values()]
        nbytes = sum(sum(row["bytes"].values()) for row in rows)
        sources = list(dict.fromkeys(node.inputs))
        follows = len(sources) == 1 and readers[sources[0]] == 1 and all(len(row["shape"]) < 2 for row in rows)
        if follows and (before := box_of[sources[0]]) >= first:
            box = made[before]
            made[before] = Box([*box.values, number], box.reads, box.nbytes + nbytes)
            box_of.append(before)
        else:
            box_of.append(len(made))
            made.append(Box([number], list(dict.fromkeys(box_of[value] for value in sources)), nbytes))
    return made


def _ops(graph: Graph, box: Box) -> str:
    makers = zip(box.values, map(graph.maker, box.values), strict=True)
    return ", ".join(node.op if node else graph.inputs[value].name for value, node in makers)


def _drawn(
    box: Box, inputs: int, ops: str, size: str, corner: tuple[float, int], width: float, share: float
) -> list[Markup]:
    room = int(width / CHARACTER) - len(size) - 4
    shown = ops if len(ops) <= room else f"{ops[: room - 1]}…"
    first, last = box.values[0], box.values[-1]
    nodes = f"nodes {first} to {last}" if first < last else f"node {first}"
    said = f"{nodes}: {ops}; {size}; {count(box.nbytes, 'byte')}" if last >= inputs else f"{ops}: {size}"
    left, top = corner
    frame: dict[str, str | int] = {"x": _number(left), "y": top, "height": BOX, "rx": 3}
    return [
        tag("rect", **frame, width=_number(width * share), class_="share"),
        tag("rect", tag("title", said), **frame, width=_number(width), class_="box"),
        tag("text", shown, x=_number(left + MARGIN), y=top + BASELINE),
        tag("text", size, x=_number(left + width - MARGIN), y=top + BASELINE, class_="size"),
    ]


def _picture(layout: Layout, content: list[Any], label: str) -> Markup:
    width, height = round(layout.width) + 2, (layout.rows - 1) * ROW + BOX + 2
    box = f"-1 -1 {width} {height}"
    return tag("svg", content, class_="network", role="img", aria_label=label, width=width, height=height, viewBox=box)


def _path(route: list[Point]) -> str:
    """A path from the bottom of the first box to the top of the last, vertical in the rows that it passes."""
    steps = [f"M{_number(route[0][0])} {route[0][1] * ROW + BOX}"]
    for (x, row), (next_x, next_row) in pairwise(route):
        foot, head = row * ROW + BOX, next_row * ROW
        middle = (foot + head) // 2
        steps.append(f"C{_number(x)} {middle} {_number(next_x)} {middle} {_number(next_x)} {head}")
        if (next_x, next_row) != route[-1]:
            steps.append(f"v{BOX}")
    return "".join(steps)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
