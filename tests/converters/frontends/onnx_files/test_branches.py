"""Graphs with If: a condition on sizes is known at conversion, and one branch remains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper
from onnx_models import agrees, node, ops, save

from dcz.converters.frontends.onnx_files.branches import lifted
from dcz.converters.frontends.onnx_files.onnx_file import from_onnx
from dcz.dcformat import UnsupportedOpError


def branch(op: str, weight: float, inner: GraphProto | None = None) -> GraphProto:
    """A graph of the outer value ``x``, and of names that the branch beside it has as well."""
    k, w, t, u, r = (name + ("2" if inner is None else "") for name in "kwtur")
    nodes = [node("Constant", "", k, value=numpy_helper.from_array(np.float32(0.5))), node(op, f"x {w}", t)]
    if inner is not None:
        nodes.append(helper.make_node("If", ["flag"], [u], "inner", then_branch=inner, else_branch=inner))
    nodes.append(node("Add", f"{t if inner is None else u} {k}", r))
    answer = helper.make_tensor_value_info(r, TensorProto.FLOAT, None)
    return helper.make_graph(nodes, "branch", [], [answer], [numpy_helper.from_array(np.float32(weight), w)])


def choice(then: GraphProto, otherwise: GraphProto) -> NodeProto:
    return helper.make_node("If", ["flag"], ["z"], "choice", then_branch=then, else_branch=otherwise)


@pytest.mark.parametrize("channels", [4, 5])
def test_a_condition_on_sizes_takes_its_branch(tmp_path: Path, channels: int) -> None:
    """Either has a branch of the same names inside."""
    condition = [node("Shape", "x", "s"), node("Gather", "s one", "c"), node("Equal", "c size", "flag")]
    nested = choice(branch("Mul", 2.0, branch("Div", 5.0)), branch("Sub", 3.0, branch("Div", 4.0)))
    constants = {"one": np.int64(1), "size": np.int64(channels)}
    path = save(tmp_path / "net.onnx", [*condition, nested, node("Relu", "z")], constants)
    assert ops(agrees(path)) == ["affine", "affine", "affine", "relu"]


def test_names_of_branches_become_their_own(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [choice(branch("Mul", 2.0), branch("Sub", 3.0))], {"flag": np.bool_(True)})
    graph = lifted(onnx.load(path)).graph
    assert {tensor.name for tensor in graph.initializer} == {"flag", "z.then_branch.w2", "z.else_branch.w2"}
    assert onnx.load(path).graph.node[0].attribute[0].g.initializer[0].name == "w2"


def test_a_condition_on_the_input_is_refused(tmp_path: Path) -> None:
    condition = [node("ReduceMax", "x", "m", keepdims=0), node("Greater", "m zero", "flag")]
    path = save(
        tmp_path / "net.onnx", [*condition, choice(branch("Mul", 2.0), branch("Sub", 3.0))], {"zero": np.float32(0)}
    )
    with pytest.raises(UnsupportedOpError, match="If: the condition depends on the network's input"):
        from_onnx(path)
