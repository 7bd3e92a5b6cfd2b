"""From a file to a graph: sizes, the batch, constants, and what is said where that is not possible."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from onnx_models import agrees, node, ops, save, weights

from dcz.converters.frontends.onnx_files.onnx_file import from_onnx
from dcz.converters.frontends.onnx_files.session import Session
from dcz.converters.torch.module import GraphModule
from dcz.dcformat import ConversionError, UnsupportedOpError


def test_open_sizes_ask_for_a_shape(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [node("Relu", "x")], shape=("N", 3, "height", "width"))
    said = r"found \[3, height, width\]\); give the shape of one sample: --input-shape 3,224,224, say"
    with pytest.raises(ConversionError, match=said):
        from_onnx(path)
    assert agrees(path, (3, 5, 7)).graph.input_shape == (3, 5, 7)  # type: ignore[union-attr]


def test_an_input_without_axes_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [node("Relu", "x")], shape=())
    with pytest.raises(ConversionError, match=r"input 'x' is one number for the whole batch .*make it an initializer"):
        from_onnx(path)


def test_a_shape_must_agree_with_the_file(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [node("Relu", "x")], shape=("N", 3, "height", 8))
    with pytest.raises(ConversionError, match=r"another shape \(expected \[3, height, 8\], found \[3, 5, 7\]\)"):
        from_onnx(path, (3, 5, 7))


@pytest.mark.parametrize("batch", [1, 3])
def test_a_file_of_a_fixed_batch(tmp_path: Path, batch: int) -> None:
    """Exporters write the batch of their example into every Reshape."""
    nodes = [node("Reshape", "x s", "r"), node("MatMul", "r w")]
    constants = {"s": np.array([batch, 396]), "w": weights(396, 3)}
    source = agrees(save(tmp_path / "net.onnx", nodes, constants, shape=(batch, 4, 9, 11)), samples=3)
    assert source.batch == batch


def test_a_mix_of_samples_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [node("Flatten", "x", axis=0)])
    with pytest.raises(UnsupportedOpError, match="Flatten: the batch axis must stay whole"):
        from_onnx(path)


def test_all_that_is_missing_is_listed_by_onnx_names(tmp_path: Path) -> None:
    nodes = [node("Hardmax", "x", "a", axis=1, name="/top"), node("NonZero", "a", "c"), node("Strange", "c")]
    with pytest.raises(UnsupportedOpError) as refused:
        from_onnx(save(tmp_path / "net.onnx", nodes))
    said = str(refused.value)
    assert "Hardmax: operator is not supported (node '/top', shape (4, 9, 11))" in said
    assert "NonZero: operator is not supported (node 'c')" in said
    assert "Strange: operator is not supported (node 'y')" in said
    assert said.endswith("keep the weights without the graph with --partial (partial=True)")


def test_operators_of_other_domains_are_named_with_these(tmp_path: Path) -> None:
    nodes = [node("Conv", "x w", "a", domain="com.microsoft.nchwc"), node("FusedConv", "a w", domain="com.microsoft")]
    with pytest.raises(UnsupportedOpError) as refused:
        from_onnx(save(tmp_path / "net.onnx", nodes, {"w": weights(4, 4, 1, 1)}))
    said = str(refused.value)
    assert "com.microsoft.nchwc.Conv: operator is not supported" in said
    assert "com.microsoft.FusedConv: operator is not supported" in said
    assert said.count("ORT_ENABLE_BASIC") == 1


def test_arithmetic_on_sizes_is_not_among_what_is_missing(tmp_path: Path) -> None:
    nodes = [node("NonZero", "x", "a"), node("Shape", "a", "s"), node("ConstantOfShape", "s", "c"), node("Add", "c x")]
    with pytest.raises(UnsupportedOpError, match="NonZero: operator is not supported") as refused:
        from_onnx(save(tmp_path / "net.onnx", nodes))
    assert "ConstantOfShape" not in str(refused.value)


def test_a_refused_node_hides_none_behind_it(tmp_path: Path) -> None:
    nodes = [node("Hardmax", "x", "a", axis=1), node("Hardmax", "a", axis=2)]
    with pytest.raises(UnsupportedOpError, match="Hardmax: operator is not supported, 2 times"):
        from_onnx(save(tmp_path / "net.onnx", nodes))


def test_an_old_operator_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=r"expected 7 or newer, found 6\); onnx.version_converter"):
        from_onnx(save(tmp_path / "net.onnx", [node("Relu", "x")], opset=6))


def test_sizes_that_do_not_fit(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [node("Flatten", "x", "f"), node("MatMul", "f w")], {"w": weights(5, 5)})
    with pytest.raises(ConversionError, match=r"cannot be run on an input of shape \[2, 4, 9, 11\].*--input-shape"):
        from_onnx(path)


def test_a_function_is_inlined(tmp_path: Path) -> None:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("my", 1)]
    body = [node("Relu", "a", "c"), node("Add", "c a", "b")]
    function = helper.make_function("my", "Block", ["a"], ["b"], body, opsets[:1])
    model = onnx.load(save(tmp_path / "net.onnx", [helper.make_node("Block", ["x"], ["y"], domain="my")]))
    model.functions.append(function)
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    onnx.save(model, tmp_path / "net.onnx")
    assert ops(agrees(tmp_path / "net.onnx")) == ["relu", "add"]


def test_weights_beside_the_file_and_in_constant_nodes(tmp_path: Path) -> None:
    constant = node("Constant", "", "w", value=onnx.numpy_helper.from_array(weights(396, 5)))
    path = save(
        tmp_path / "net.onnx",
        [constant, node("Flatten", "x", "f"), node("MatMul", "f w", "m"), node("Add", "m b")],
        {"b": weights(5)},
    )
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="net.data", size_threshold=0)
    assert ops(agrees(path)) == ["flatten", "linear"]


def test_a_sparse_initializer(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [node("Flatten", "x", "f"), node("MatMul", "f w")])
    model = onnx.load(path)
    values = onnx.numpy_helper.from_array(weights(4), "w")
    places = helper.make_tensor("", TensorProto.INT64, [4], [3, 50, 700, 1100])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [396, 3]))
    onnx.save(model, path)
    source = from_onnx(path)
    (tensor,) = source.tensors.values()
    assert np.count_nonzero(tensor.array) == 4


def two_ends(path: Path, width: int | str = 4) -> Path:
    """Two inputs and two outputs."""
    shapes = {"values": ["N", 3, width], "shift": ["N", 1, 4]}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("total", "part")]
    nodes = [node("Relu", "shift", "part"), node("Add", "values part", "total")]
    graph = helper.make_graph(nodes, "net", inputs, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_several_inputs_and_outputs_have_their_names(tmp_path: Path) -> None:
    path = two_ends(tmp_path / "net.onnx")
    source = from_onnx(path)
    assert source.graph is not None
    assert [(given.name, given.shape) for given in source.graph.inputs] == [("values", (3, 4)), ("shift", (1, 4))]
    assert [output.name for output in source.graph.outputs] == ["total", "part"]
    x, shift = torch.randn(2, 3, 4), torch.randn(2, 1, 4)
    answers = GraphModule(source.graph, source.tensors)(x, shift)
    for name, expected in zip(("total", "part"), Session(path)(x, shift), strict=True):
        torch.testing.assert_close(answers[name], expected)


def test_shapes_of_several_inputs_by_name(tmp_path: Path) -> None:
    path = two_ends(tmp_path / "net.onnx", "width")
    with pytest.raises(ConversionError, match=r"'values' open \(found \[3, width\]\); .*--input-shape values:3,224"):
        from_onnx(path)
    source = from_onnx(path, {"values": (3, 4)})
    assert source.graph is not None
    assert source.graph.inputs[0].shape == (3, 4)
    with pytest.raises(ConversionError, match=r"other inputs \(expected shapes for 'values', 'shift', found pixels"):
        from_onnx(path, {"pixels": (3, 4)})
