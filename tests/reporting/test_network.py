"""The drawn graph: what shares a box, what is shown of it, and what is too large to draw."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from dcz.dcformat import Graph, Node
from dcz.reporting import Facts
from dcz.reporting.elements import shape
from dcz.reporting.network import MAX_BOXES, Box, boxes, network

TENSORS = {
    "a": {"shape": [8, 3, 3, 3], "bytes": {"symbols": 70, "gaps": 30}},
    "b": {"shape": [8, 8, 3, 3], "bytes": {"symbols": 20, "gaps": 0}},
    "mean": {"shape": [8], "bytes": {"values": 5}},
}


def conv(value: int, weight: str) -> Node:
    return Node("conv2d", (value,), {"weight": weight})


def graph(*nodes: Node) -> Graph:
    return Graph((3, 8, 8), nodes, len(nodes))


def test_a_layer_shares_its_box_with_what_alone_reads_it() -> None:
    made = graph(conv(0, "a"), Node("batch_norm", (1,), {"mean": "mean"}), Node("relu", (2,)), conv(3, "b"))
    assert boxes(made, TENSORS) == [Box([0], [], 0), Box([1, 2, 3], [0], 105), Box([4], [1], 20)]


def test_a_value_that_two_read_ends_its_box() -> None:
    shortcut = graph(conv(0, "a"), conv(1, "b"), Node("add", (1, 2)), Node("relu", (3,)))
    assert boxes(shortcut, TENSORS) == [
        Box([0], [], 0), Box([1], [0], 100), Box([2], [1], 20), Box([3, 4], [1, 2], 0),
    ]  # fmt: skip


def test_the_input_and_the_answer_are_no_part_of_what_follows() -> None:
    nodes = (Node("relu", (0,)), Node("relu", (1,)), Node("relu", (2,)))
    answered_early = Graph((3,), nodes, 2)
    assert [box.values for box in boxes(answered_early, {})] == [[0], [1, 2], [3]]


def test_a_value_that_is_read_twice_by_one_node_is_one_line() -> None:
    assert boxes(graph(conv(0, "a"), Node("add", (1, 1)), conv(2, "b")), TENSORS) == [
        Box([0], [], 0), Box([1, 2], [0], 100), Box([3], [1], 20),
    ]  # fmt: skip
    assert boxes(graph(Node("add", (0, 0))), {})[1].reads == [0]


def test_what_is_drawn(facts: Facts) -> None:
    drawn = network(facts)
    assert drawn is not None
    shown = [re.sub("<title>.*?</title>|<.*?>", "", text) for text in re.findall("<text.*?</text>", drawn)]
    assert shown[::2] == ["input", "conv2d, max_pool2d, flatten", "linear"]
    assert shown[1::2] == [shape((2, 8, 8)), "128", "3"]
    assert drawn.count("<path") == 2
    assert re.findall("<title>(.*?)</title>", drawn)[:2] == [
        f"input: {shape((2, 8, 8))}",
        f"nodes 1 to 3: conv2d, max_pool2d, flatten; 128; {nbytes(facts, 'conv.weight', 'conv.bias')} bytes",
    ]


def nbytes(facts: Facts, *names: str) -> int:
    return sum(sum(row["bytes"].values()) for row in facts.info["tensors"] if row["name"] in names)


@pytest.mark.parametrize("count", [MAX_BOXES - 1, MAX_BOXES])
def test_a_graph_of_too_many_boxes_is_not_drawn(facts: Facts, count: int) -> None:
    nodes = [Node("concat", (i, 0)) for i in range(count)]
    made = replace(facts, graph=graph(*nodes), shapes=[(3, 8, 8)] * (count + 1))
    assert network(made) is None  # each reads the input too: lines past all the others
    chain = replace(made, graph=graph(*(conv(i, "conv.weight") for i in range(count))))
    assert (network(chain) is None) == (count == MAX_BOXES)


def test_weights_alone_have_no_drawing(facts: Facts) -> None:
    assert network(replace(facts, graph=None)) is None
