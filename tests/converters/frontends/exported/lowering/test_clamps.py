from __future__ import annotations

from math import inf, nan

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, fx

from dcz.converters.frontends.exported.lowering.clamps import CLAMPS, OURS, join_clamps, limits

aten = torch.ops.aten
NUMBERS = st.sampled_from([None, -1, 0, 0.0, 3, 6, 6.0, 8.5])
STEPS = st.one_of(
    st.just((aten.relu.default, ())),
    st.just((aten.relu6.default, ())),
    st.tuples(st.just(aten.clamp.default), st.tuples(NUMBERS, NUMBERS).filter(lambda pair: pair != (None, None))),
    st.tuples(st.just(aten.clamp_min.default), st.tuples(NUMBERS.filter(lambda x: x is not None))),
    st.tuples(st.just(aten.clamp_max.default), st.tuples(NUMBERS.filter(lambda x: x is not None))),
    st.tuples(st.just(aten.threshold.default), st.sampled_from([(0.0, 0.0), (3.0, 3.0), (0.0, -1.0)])),
)
X = torch.tensor([-inf, -7.0, -1.0, -0.5, 0.0, 0.5, 3.0, 5.9, 6.0, 7.0, 9.0, inf, nan])


def chain(steps: list[tuple[object, tuple[float, ...]]]) -> fx.Graph:
    graph = fx.Graph()
    node = graph.placeholder("x")
    for target, args in steps:
        node = graph.call_function(target, (node, *args))
    graph.output(node)
    return graph


def run(graph: fx.Graph, x: Tensor) -> Tensor:
    return fx.GraphModule({}, graph)(x)


def targets(graph: fx.Graph) -> list[object]:
    return [node.target for node in graph.nodes if node.op == "call_function"]


@given(st.lists(STEPS, min_size=1, max_size=4))
def test_joining_changes_no_answer(steps: list[tuple[object, tuple[float, ...]]]) -> None:
    graph = chain(steps)
    expected, before = run(graph, X), [limits(node) for node in graph.nodes]
    join_clamps(graph)
    graph.lint()
    assert torch.equal(run(graph, X).nan_to_num(nan=99), expected.nan_to_num(nan=99))
    after = [limits(node) for node in graph.nodes]
    if all(found in OURS for found in before[1:-1]):
        assert after == before, "what is ours stays as it is"


@given(st.lists(STEPS, min_size=1, max_size=4))
def test_limits_are_what_an_operator_does(steps: list[tuple[object, tuple[float, ...]]]) -> None:
    for node in chain(steps[:1]).nodes:
        found = limits(node)
        if found is not None:
            assert node.target in CLAMPS
            low, high = found
            assert torch.equal(run(chain(steps[:1]), X[:-1]), X[:-1].clamp_min(low).clamp_max(high))


def test_two_halves_are_one() -> None:
    for steps in (
        [(aten.clamp.default, (None, 6)), (aten.relu.default, ())],
        [(aten.clamp_min.default, (0,)), (aten.clamp_max.default, (6.0,))],
        [(aten.clamp_max.default, (8,)), (aten.clamp_min.default, (0,)), (aten.clamp_max.default, (6,))],
        [(aten.clamp.default, (-1, 9)), (aten.relu6.default, ())],
    ):
        graph = chain(steps)
        join_clamps(graph)
        (node,) = (node for node in graph.nodes if node.op == "call_function")
        assert limits(node) == (0, 6)


def test_a_half_that_is_used_elsewhere_stays() -> None:
    graph = fx.Graph()
    half = graph.call_function(aten.clamp_max.default, (graph.placeholder("x"), 6))
    graph.output((half, graph.call_function(aten.relu.default, (half,))))
    join_clamps(graph)
    assert targets(graph) == [aten.clamp_max.default, aten.clamp.default]
    half_answer, answer = fx.GraphModule({}, graph)(X[:-1])
    assert torch.equal(half_answer, X[:-1].clamp_max(6))
    assert torch.equal(answer, X[:-1].clamp(0, 6))
