from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from dcz.converters.frontends.onnx_files.named_tensors import named_tensors

X, Y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy")


def tensor(name: str) -> onnx.TensorProto:
    return numpy_helper.from_array(np.ones(1, np.float32), name)


def constant(name: str) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=tensor("inside"))


def graph(initializers: list[str], nodes: list[onnx.NodeProto] | None = None) -> onnx.GraphProto:
    return helper.make_graph(nodes or [], "g", [X], [Y], [tensor(name) for name in initializers])


def names(main: onnx.GraphProto, **fields: list[onnx.FunctionProto]) -> list[str]:
    return [name for name, _ in named_tensors(helper.make_model(main, **fields))]


def branch(name: str, then: onnx.GraphProto, otherwise: onnx.GraphProto) -> onnx.NodeProto:
    return helper.make_node("If", ["flag"], ["z"], name, then_branch=then, else_branch=otherwise)


def test_the_main_graph_keeps_its_names() -> None:
    assert names(graph(["w", "b"], [constant("k")])) == ["w", "b", "k"]


def test_branches_bodies_and_graphs_within_them() -> None:
    inner = branch("inner", graph(["deep"]), graph([], [constant("k")]))
    nodes = [
        branch("choice", graph(["w"]), graph(["w"], [inner])),
        helper.make_node("Loop", ["n", "flag"], ["y"], body=graph(["step"])),  # without a name: by what it makes
    ]
    assert names(graph(["w"], nodes)) == [
        "w",
        "choice.else_branch.w",
        "choice.else_branch.inner.else_branch.k",
        "choice.else_branch.inner.then_branch.deep",
        "choice.then_branch.w",
        "y.body.step",
    ]


def test_functions_and_what_their_attributes_default_to() -> None:
    opset = [helper.make_opsetid("", 21)]
    default = helper.make_attribute("scale", tensor("s"))
    function = helper.make_function("my", "Block", ["x"], ["y"], [constant("k")], opset, [], [default])
    assert names(graph(["w"]), functions=[function]) == ["w", "my.Block.scale", "my.Block.k"]


def test_attributes_of_any_node() -> None:
    sparse = helper.make_sparse_tensor(tensor("v"), numpy_helper.from_array(np.array([0])), [3])
    nodes = [
        helper.make_node("Custom", ["x"], ["y"], "node", domain="my", many=[tensor("a"), tensor("b")], few=sparse),
        helper.make_node("Constant", [], ["sparse"], sparse_value=sparse),
    ]
    assert names(graph([], nodes)) == ["node.few", "node.many.0", "node.many.1", "sparse"]


def test_weights_in_lists_of_classical_models() -> None:
    node = helper.make_node(
        "LinearRegressor", ["x"], ["y"], "model", domain="ai.onnx.ml", coefficients=[0.5, 2.0], targets=1
    )
    ((name, weights),) = named_tensors(helper.make_model(graph([], [node])))
    assert name == "model.coefficients"
    assert isinstance(weights, onnx.TensorProto)
    assert numpy_helper.to_array(weights).tolist() == [0.5, 2.0]


def test_training_state() -> None:
    model = helper.make_model(graph(["w"]))
    model.training_info.append(helper.make_training_info(graph(["step"]), [], graph(["rate"]), []))
    assert [name for name, _ in named_tensors(model)] == [
        "w",
        "training_info.0.initialization.rate",
        "training_info.0.algorithm.step",
    ]


def test_a_name_that_is_taken_gets_a_number() -> None:
    branches = [branch("same", graph(["w"]), graph([])), branch("same", graph(["w"]), graph([]))]
    assert names(graph(["same.then_branch.w"], branches)) == [
        "same.then_branch.w",
        "same.then_branch.w.2",
        "same.then_branch.w.3",
    ]
