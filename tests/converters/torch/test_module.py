from __future__ import annotations

import numpy as np
import pytest
import reference
import torch
from op_cases import CASES, IDS, OpCase, batch_for, network

from dcz.converters.frontends.exported.lowering import CALLS
from dcz.converters.torch.module import GraphModule
from dcz.dcformat import OPS, Graph, make_node


def test_every_operator_of_the_format_has_a_call() -> None:
    assert CALLS.keys() == OPS.keys()


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_torch_gives_what_the_operator_means(case: OpCase) -> None:
    graph, tensors = network(case)
    x = batch_for(graph, 2)
    found = GraphModule(graph, tensors)(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(found, reference.run(graph, tensors, x), rtol=1e-5, atol=1e-4)


def test_tensors_of_any_float_type_are_run_in_float32() -> None:
    tensors = {"w": np.array([[1.0, -2.0]], np.float16), "unused": np.zeros(3)}
    module = GraphModule(Graph((2,), (make_node("linear", (0,), {"weight": "w"}),), 1), tensors)
    assert [(p.dtype, p.requires_grad) for p in module.parameters()] == [(torch.float32, False)]
    assert module(torch.tensor([[3.0, 1.0]])).tolist() == [[1.0]]


def test_values_may_be_read_again_and_the_output_need_not_be_the_last() -> None:
    nodes = (make_node("relu", (0,)), make_node("add", (0, 1)), make_node("flatten", (0,)))
    module = GraphModule(Graph((2,), nodes, 2), {})
    assert module(torch.tensor([[-1.0, 3.0]])).tolist() == [[-1.0, 6.0]]
