from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from dcz.converters.onnx import from_onnx
from dcz.dcformat import ConversionError


def save(path: Path, initializers: list[onnx.TensorProto], nodes: list[onnx.NodeProto]) -> Path:
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph(nodes, "net", [], [output], initializers)
    onnx.save(helper.make_model(graph), path)
    return path


def test_initializers_and_constants_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "conv/w:0": rng.normal(size=(2, 3, 3, 3)).astype(np.float32),
        "half": rng.normal(size=5).astype(np.float16),
        "shape": np.array([1, -1]),
        "scalar": np.array(2.5, np.float64),
        "empty": np.zeros((0, 2), np.float32),
        "flags": np.array([True, False]),
    }
    brain = rng.normal(size=(2, 2)).astype(ml_dtypes.bfloat16)
    initializers = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    initializers.append(numpy_helper.from_array(brain, "brain"))
    nodes = [
        helper.make_node("Constant", [], ["kernel"], value=numpy_helper.from_array(np.eye(3, dtype=np.float32))),
        helper.make_node("Constant", [], ["factor"], value_float=0.1),
        helper.make_node("Constant", [], ["axes"], value_ints=[2, 3]),
        helper.make_node("Relu", ["kernel"], ["y"]),
    ]
    source = from_onnx(save(tmp_path / "net.onnx", initializers, nodes))
    assert source.graph is None
    assert any("not converted yet" in message for message in source.messages)
    assert list(source.tensors) == [*arrays, "brain", "kernel", "factor", "axes"]
    for name, array in arrays.items():
        assert source.tensors[name].array.tobytes() == array.tobytes()
        assert source.tensors[name].shape == array.shape
    assert source.tensors["brain"].dtype == "BF16"
    assert source.tensors["brain"].array.tobytes() == brain.tobytes()
    assert np.array_equal(source.tensors["kernel"].array, np.eye(3))
    assert source.tensors["factor"].array == np.float32(0.1)
    assert source.tensors["axes"].array.tolist() == [2, 3]


def test_damaged(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [numpy_helper.from_array(np.zeros(100, np.float32), "w")], [])
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ConversionError, match="not an ONNX file"):
        from_onnx(path)


def test_without_tensors(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="holds no tensors"):
        from_onnx(save(tmp_path / "net.onnx", [], [helper.make_node("Relu", ["x"], ["y"])]))


def test_types_that_a_container_cannot_hold(tmp_path: Path) -> None:
    path = save(tmp_path / "net.onnx", [numpy_helper.from_array(np.array(["a"], object), "names")], [])
    with pytest.raises(ConversionError, match=r"'names' cannot be stored"):
        from_onnx(path)


def test_what_is_not_read_is_told(tmp_path: Path) -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "pruned")
    sparse = helper.make_sparse_tensor(values, numpy_helper.from_array(np.array([2])), [5])
    hidden = helper.make_graph(
        [], "inner", [], [helper.make_tensor_value_info("w", TensorProto.FLOAT, [1])],
        [numpy_helper.from_array(np.ones(1, np.float32), "w")],
    )  # fmt: skip
    nodes = [
        helper.make_node("Constant", [], ["few"], sparse_value=sparse),
        helper.make_node("If", ["flag"], ["y"], "choice", then_branch=hidden, else_branch=hidden),
    ]
    path = save(tmp_path / "net.onnx", [numpy_helper.from_array(np.zeros(3, np.float32), "dense")], nodes)
    model = onnx.load(path)
    model.graph.sparse_initializer.append(sparse)
    onnx.save(model, path)
    source = from_onnx(path)
    assert list(source.tensors) == ["dense"]
    told = "\n".join(source.messages)
    assert "sparse tensors, which are not read yet: 'pruned', 'few'" in told
    assert "inside these nodes hold: 'choice'" in told
