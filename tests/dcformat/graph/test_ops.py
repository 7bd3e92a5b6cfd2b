import re
from typing import Any

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from op_cases import CASES, IDS, OpCase, batch_for, network

from dcz.dcformat import OPS, FormatError, Graph, Input, Node, Output, infer_shapes, make_node
from dcz.dcformat.constants import MAX_ACTIVATION, MAX_LIVE
from dcz.dcformat.graph.ops import FAMILIES
from dcz.dcformat.graph.ops.conv import conv_out
from dcz.dcformat.graph.ops.pool import pool_out


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_shapes(case: OpCase) -> None:
    node = make_node(case.op, range(len(case.inputs)), {role: role for role in case.params}, case.attrs)
    assert OPS[case.op].shape(case.inputs, case.params, node.attrs) == case.output


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_meaning_has_the_shape_of_the_rule(case: OpCase) -> None:
    graph, tensors = network(case)
    answers = reference.run(graph, tensors, batch_for(graph, 2))
    assert answers.shape == (2, *case.output)
    assert np.isfinite(answers).all()


def test_every_op_has_a_case() -> None:
    assert {case.op for case in CASES} == set(OPS)


def test_no_op_is_of_two_families() -> None:
    assert sum(map(len, FAMILIES)) == len(OPS)


windows = st.integers(1, 30), st.integers(1, 6), st.integers(1, 4), st.integers(0, 3), st.integers(1, 3)


@given(*windows)
def test_conv_length_counts_the_windows_that_fit(n: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
    reach = dilation * (kernel - 1)
    starts = range(-padding, n + padding - reach, stride)
    assert max(0, conv_out(n, kernel, stride, padding, dilation)) == len(starts)


@given(*windows)
def test_pool_length_counts_the_windows_as_torch_does(
    n: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    reach = dilation * (kernel - 1)
    padding = min(padding, kernel // 2)
    if n + 2 * padding <= reach:
        return
    floor = pool_out(n, kernel, stride, padding, dilation, ceil_mode=False)
    assert floor == len(range(-padding, n + padding - reach, stride))
    # With ceil_mode one more window, unless it reaches no further or starts in the padding behind.
    more = (n + 2 * padding - reach - 1) % stride != 0 and floor * stride - padding < n
    assert pool_out(n, kernel, stride, padding, dilation, ceil_mode=True) == floor + more


@given(*windows)
def test_pool_length_is_that_of_torch(n: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
    torch = pytest.importorskip("torch")
    padding = min(padding, kernel // 2)
    if n + 2 * padding <= dilation * (kernel - 1):
        return
    for ceil_mode in (False, True):
        pool = torch.nn.MaxPool1d(kernel, stride, padding, dilation, ceil_mode=ceil_mode)
        assert pool(torch.zeros(1, 1, n)).shape[-1] == pool_out(n, kernel, stride, padding, dilation, ceil_mode)


def test_make_node_fills_in_defaults() -> None:
    node = make_node("conv2d", [0], {"weight": "w"}, {"padding": (1, 1)})
    assert node == Node(
        "conv2d", (0,), {"weight": "w"}, {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("conv9d", (0,)), "unknown op 'conv9d'"),
        (("relu", ()), "wrong number of inputs (expected 1, found 0)"),
        (("concat", ()), "expected 1 to 1024, found 0"),
        (("conv2d", (0,)), "wrong tensors"),
        (("relu", (0,), {"weight": "w"}), "wrong tensors"),
        (("relu", (0,), {}, {"slope": 0.1}), "no attribute 'slope'"),
        (("max_pool2d", (0,), {}, {"kernel": (2, 2)}), "lacks the attribute 'stride'"),
        (("softmax", (0,), {}, {"axis": 0.0}), "attribute 'axis' has the wrong type (expected int, found 0.0)"),
        (("softmax", (0,), {}, {"log": 1}), "expected bool, found 1"),
        (("softmax", (0,), {}, {"axis": True}), "expected int, found True"),
    ],
)
def test_make_node_refuses(args: Any, message: str) -> None:
    with pytest.raises(FormatError, match=re.escape(message)):
        make_node(*args)


def test_infer_shapes_names_the_node_and_the_tensor() -> None:
    nodes = (make_node("relu", (0,)), make_node("linear", (1,), {"weight": "fc.weight"}))
    with pytest.raises(FormatError) as caught:
        infer_shapes(Graph((4,), nodes, 2), {"fc.weight": (3, 5)})
    assert str(caught.value) == "linear 'fc.weight': weight [3, 5] does not fit 4 features (node 1 linear)"
    with pytest.raises(FormatError, match=r"weight tensor 'fc\.weight' is missing \(node 1 linear\)"):
        infer_shapes(Graph((4,), nodes, 2), {})
    assert infer_shapes(Graph((4,), nodes, 2), {"fc.weight": (3, 4)}) == [(4,), (4,), (3,)]


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (Graph((Input((3,)), Input((3,))), (), 0), "each input must have a name of its own (found ['input', 'input'])"),
        (Graph((Input((3,), ""),), (), 0), "each input must have a name"),
        (Graph((Input((3,), dtype="I8"),), (), 0), "unknown dtype (expected F32 or I64, found I8)"),
        (Graph((Input((3,)), Input((0,), "y")), (), 0), "bad input shape"),
        (Graph((3,), (), (Output(0, "a"), Output(1, "b"))), "not a value of the graph (found 1)"),
        (Graph((3,), (), (Output(0, "a"), Output(0, "a"))), "each output must have a name"),
        (Graph((3,), (), ()), "bad number of outputs (expected 1 to 1024, found 0)"),
    ],
)
def test_inputs_and_outputs_that_cannot_be_told_apart_are_refused(graph: Graph, message: str) -> None:
    with pytest.raises(FormatError, match=re.escape(message)):
        infer_shapes(graph, {})


def test_values_of_several_inputs_come_first() -> None:
    graph = Graph((Input((3,), "x"), Input((4,), "y")), (make_node("relu", (1,)),), 2)
    assert infer_shapes(graph, {}) == [(3,), (4,), (4,)]
    assert graph.value_of(0) == 2
    assert [graph.maker(value) for value in range(3)] == [None, None, graph.nodes[0]]


def test_tensor_names_come_once_in_order_of_use() -> None:
    nodes = [make_node("linear", (i,), {"weight": name}) for i, name in enumerate(["b", "a", "b"])]
    assert Graph((4,), tuple(nodes), 3).tensor_names() == ["b", "a"]


def hoarder(kept: int, size: int = MAX_ACTIVATION) -> Graph:
    """Copies of the input, all of which the end of the graph adds up: 1 GiB each of nearly no bytes in the file."""
    nodes = [make_node("relu", (value,)) for value in range(kept)]
    nodes.append(make_node("add", (0, 1)))
    nodes += [make_node("add", (value, kept + value - 1)) for value in range(2, kept + 1)]
    return Graph((size,), tuple(nodes), len(nodes))


def test_values_that_are_needed_at_a_time_are_bounded() -> None:
    with pytest.raises(FormatError, match=r"needed at a time \(node 1 relu, expected at most 536870912 elements"):
        infer_shapes(hoarder(2), {})
    with pytest.raises(FormatError, match="needed at a time"):
        infer_shapes(hoarder(1000, MAX_LIVE // 1000), {})
    infer_shapes(hoarder(1000, MAX_LIVE // 1002), {})


def test_values_that_were_read_for_the_last_time_do_not_count() -> None:
    chain = Graph((MAX_ACTIVATION,), tuple(make_node("relu", (value,)) for value in range(50)), 50)
    infer_shapes(chain, {})
    unread = (*(make_node("relu", (0,)) for _ in range(50)), make_node("relu", (0,)))
    infer_shapes(Graph((MAX_ACTIVATION,), unread, 51), {})
    with pytest.raises(FormatError, match="needed at a time"):
        infer_shapes(Graph((MAX_ACTIVATION,), unread, 1), {})  # the first is the answer


@pytest.mark.parametrize("slope", [float("inf"), float("nan"), -1e39])
def test_a_slope_that_float32_cannot_hold_is_refused(slope: float) -> None:
    graph = Graph((4,), (make_node("leaky_relu", (0,), attrs={"negative_slope": slope}),), 1)
    with pytest.raises(FormatError, match="must be a finite fp32 number"):
        infer_shapes(graph, {})
