from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from dcz.converters.frontends.onnx_files.arrays import dense
from dcz.converters.frontends.onnx_files.onnx_file import weights_of
from dcz.converters.frontends.source import Source
from dcz.dcformat import ConversionError


def save(
    path: Path,
    initializers: list[onnx.TensorProto],
    nodes: list[onnx.NodeProto],
    functions: list[onnx.FunctionProto] | None = None,
) -> Path:
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    graph = helper.make_graph(nodes, "net", [], [output], initializers)
    onnx.save(helper.make_model(graph, functions=functions or []), path)
    return path


def constant(name: str, tensor: onnx.TensorProto) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=tensor)


def block(nodes: list[onnx.NodeProto]) -> onnx.FunctionProto:
    return helper.make_function("my", "Block", ["x"], ["y"], nodes, [helper.make_opsetid("", 21)])


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
    source = weights_of(save(tmp_path / "net.onnx", initializers, nodes))
    assert source.graph is None
    assert any("weights only" in message for message in source.messages)
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
        weights_of(path)


def test_without_tensors(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="holds no tensors"):
        weights_of(save(tmp_path / "net.onnx", [], [helper.make_node("Relu", ["x"], ["y"])]))


def test_four_bits_are_kept_in_eight(tmp_path: Path) -> None:
    signed, unsigned = [-8, -1, 0, 7, 3], [15, 0, 9]
    initializers = [
        helper.make_tensor("signed", TensorProto.INT4, [5], signed),
        helper.make_tensor("unsigned", TensorProto.UINT4, [3], unsigned),
    ]
    source = weights_of(save(tmp_path / "net.onnx", initializers, []))
    assert (source.tensors["signed"].dtype, source.tensors["signed"].array.tolist()) == ("I8", signed)
    assert (source.tensors["unsigned"].dtype, source.tensors["unsigned"].array.tolist()) == ("U8", unsigned)
    assert not source.lost


def test_brain_floats_that_onnx_gives_as_float32() -> None:
    brain = np.array([1.5, -0.0, np.inf], ml_dtypes.bfloat16)
    assert dense(brain.astype(np.float32), "BF16").array.tobytes() == brain.tobytes()


def test_texts_are_set_aside_and_told(tmp_path: Path) -> None:
    initializers = [
        numpy_helper.from_array(np.array(["cat", "dog"], object), "classes"),
        numpy_helper.from_array(np.ones(2, np.float32), "w"),
    ]
    nodes = [helper.make_node("Constant", [], ["unit"], value_string="km")]
    source = weights_of(save(tmp_path / "net.onnx", initializers, nodes))
    assert list(source.tensors) == ["w"]
    assert not source.lost
    assert [m for m in source.messages if "texts" in m] == [
        "left out of the container, which holds no texts: 'classes'",
        "left out of the container, which holds no texts: 'unit'",
    ]


@pytest.mark.parametrize("kind", [TensorProto.FLOAT8E4M3FN, TensorProto.COMPLEX64])
def test_numbers_that_a_container_cannot_hold_are_counted(tmp_path: Path, kind: int) -> None:
    odd = helper.make_tensor("odd", kind, [2, 3], [1, 0, 1, 0, 1, 0])
    source = weights_of(save(tmp_path / "net.onnx", [odd, numpy_helper.from_array(np.ones(2, np.float32), "w")], []))
    assert list(source.tensors) == ["w"]
    assert source.lost == {"odd": 6}
    assert source.way_out is not None
    assert TensorProto.DataType.Name(kind) in source.way_out


def test_an_unknown_element_type_is_damage(tmp_path: Path) -> None:
    odd = numpy_helper.from_array(np.ones(2, np.float32), "w")
    odd.data_type = 0
    with pytest.raises(ConversionError, match=r"'w' has no known element type \(found 0\)"):
        weights_of(save(tmp_path / "net.onnx", [odd], []))


def test_a_tensor_that_is_too_short_is_damage(tmp_path: Path) -> None:
    short = numpy_helper.from_array(np.ones(2, np.float32), "w")
    short.dims[0] = 3
    with pytest.raises(ConversionError, match="'w' cannot be read"):
        weights_of(save(tmp_path / "net.onnx", [short], []))


def test_external_data_of_a_function_is_read(tmp_path: Path) -> None:
    """onnx loads the external data of graphs alone."""
    weight = numpy_helper.from_array(np.arange(3, dtype=np.float32), "w")
    (tmp_path / "data.bin").write_bytes(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="data.bin")
    source = weights_of(save(tmp_path / "net.onnx", [], [], [block([constant("w", weight)])]))
    assert source.tensors["my.Block.w"].array.tolist() == [0, 1, 2]


def sparse(values: list[float], places: list[int] | list[list[int]], shape: list[int]) -> onnx.SparseTensorProto:
    return helper.make_sparse_tensor(
        numpy_helper.from_array(np.array(values, np.float32), "pruned"),
        numpy_helper.from_array(np.array(places, np.int64)),
        shape,
    )


def from_sparse(path: Path, tensor: onnx.SparseTensorProto) -> Source:
    save(path, [], [])
    model = onnx.load(path)
    model.graph.sparse_initializer.append(tensor)
    onnx.save(model, path)
    return weights_of(path)


@given(st.data())
def test_sparse_initializers_becomedense(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3))
    size = int(np.prod(shape))
    places = sorted(data.draw(st.sets(st.integers(0, size - 1))))
    values = data.draw(st.lists(st.floats(width=32), min_size=len(places), max_size=len(places)))
    expected = np.zeros(size, np.float32)
    expected[places] = values
    flat = from_sparse(tmp_path_factory.mktemp("flat") / "net.onnx", sparse(values, places, shape))
    columns = np.array(np.unravel_index(places, shape), np.int64).T.tolist() if places else np.zeros((0, len(shape)))
    by_axis = from_sparse(tmp_path_factory.mktemp("axes") / "net.onnx", sparse(values, columns, shape))
    for source in (flat, by_axis):
        assert source.tensors["pruned"].shape == tuple(shape)
        assert source.tensors["pruned"].array.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("values", "places", "shape", "why"),
    [
        ([1.0], [5], [5], "positions from 5 to 5"),
        ([1.0], [-1], [5], "positions from -1"),
        ([1.0, 2.0], [0], [5], r"\[1\] positions for \[2\] values"),
        ([1.0], [[0, 5]], [2, 5], "invalid entry"),
        ([1.0], [0], [1 << 20, 1 << 20], "up to"),
    ],
)
def test_damaged_sparse_initializers(
    tmp_path: Path, values: list[float], places: list[int], shape: list[int], why: str
) -> None:
    with pytest.raises(ConversionError, match=rf"'pruned' cannot be read: .*{why}"):
        from_sparse(tmp_path / "net.onnx", sparse(values, places, shape))
