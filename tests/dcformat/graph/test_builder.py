"""The builder gives the graph that the same nodes make, and refuses what the table of operators refuses."""

from __future__ import annotations

import pytest

from dcz.dcformat import FormatError, Graph, GraphBuilder, Value, infer_shapes, make_node

SHAPES = {"conv.weight": (4, 3, 3, 3), "fc.weight": (5, 36)}


def builder() -> GraphBuilder:
    return GraphBuilder((3, 5, 5), SHAPES)


def test_it_makes_the_graph_of_its_nodes_and_knows_each_shape() -> None:
    g = builder()
    conv = g.append("conv2d", [g.input], {"weight": "conv.weight", "bias": None})
    out = g.append("linear", [g.reshape(g.append("relu", [conv]), (36,))], {"weight": "fc.weight"})
    graph = g.finish(out)
    nodes = (
        make_node("conv2d", (0,), {"weight": "conv.weight"}),
        make_node("relu", (1,)),
        make_node("flatten", (2,)),
        make_node("linear", (3,), {"weight": "fc.weight"}),
    )
    assert graph == Graph((3, 5, 5), nodes, 4)
    assert [conv.shape, out.shape] == [infer_shapes(graph, SHAPES)[i] for i in (1, 4)] == [(4, 3, 3), (5,)]


def test_a_value_is_reshaped_once_and_to_its_own_shape_never() -> None:
    g = builder()
    flat, square = g.reshape(g.input, (75,)), g.reshape(g.input, (15, 5))
    assert g.reshape(g.input, (75,)) is flat
    assert g.reshape(flat, (75,)) is flat
    assert g.reshape(g.input, (15, 5)) is square
    assert [node.op for node in g.nodes] == ["flatten", "reshape"]
    assert square.shape == (15, 5)


def test_a_tensor_becomes_one_value() -> None:
    g = builder()
    value = g.constant("fc.weight")
    assert g.constant("fc.weight") is value
    assert (value.shape, g.nodes[0].inputs) == ((5, 36), ())


def test_the_output_may_be_any_value() -> None:
    g = builder()
    first = g.append("relu", [g.input])
    g.append("relu6", [first])
    assert g.finish(first).output == 1
    assert g.finish(g.input).output == 0


def test_tensors_may_come_while_the_graph_grows() -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    g = GraphBuilder((2,), shapes)
    with pytest.raises(FormatError, match="weight tensor 'w' is missing"):
        g.append("linear", [g.input], {"weight": "w"})
    shapes["w"] = (7, 2)
    assert g.append("linear", [g.input], {"weight": "w"}) == Value(1, (7,))


@pytest.mark.parametrize(
    ("op", "params", "attrs", "message"),
    [
        ("teleport", {}, {}, "unknown op 'teleport'"),
        ("relu", {"weight": "fc.weight"}, {}, "wrong tensors"),
        ("conv2d", {"weight": "conv.weight"}, {"groups": 2}, "does not fit 3 channels"),
        ("linear", {"weight": "fc.weight"}, {}, "does not fit 5 features"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_no_node(
    op: str, params: dict[str, str], attrs: dict[str, int], message: str
) -> None:
    g = builder()
    with pytest.raises(FormatError, match=message):
        g.append(op, [g.input], params, attrs)
    assert g.nodes == []
