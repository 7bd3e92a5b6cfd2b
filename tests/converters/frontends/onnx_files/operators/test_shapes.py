from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto
from onnx_models import agrees, node, ops, save, weights

from dcz.dcformat.tensors import Array

BEFORE_INPUTS: dict[str, tuple[list[NodeProto], int]] = {
    "squeeze": ([node("GlobalAveragePool", "x", "g"), node("Squeeze", "g", axes=[2, -1])], 11),
    "squeeze all": ([node("GlobalAveragePool", "x", "g"), node("Squeeze", "g")], 11),
    "unsqueeze": (
        [node("GlobalAveragePool", "x", "g"), node("Flatten", "g", "f"), node("Unsqueeze", "f", axes=[1])],
        11,
    ),
    "slice": ([node("Slice", "x", starts=[1, -4], ends=[3, 1000], axes=[1, 3])], 9),
    "pad": ([node("Pad", "x", pads=[0, 0, 1, 2, 0, 0, 0, 3])], 10),
    "clip": ([node("Clip", "x", min=0.0, max=6.0)], 10),
    "softmax over the rest": ([node("Softmax", "x")], 12),
    "dropout": ([node("Dropout", "x", ratio=0.5)], 11),
}
"""Forms in which attributes say what inputs say in newer versions."""


@pytest.mark.parametrize(("nodes", "opset"), BEFORE_INPUTS.values(), ids=BEFORE_INPUTS)
def test_older_versions(tmp_path: Path, nodes: list[NodeProto], opset: int) -> None:
    agrees(save(tmp_path / "net.onnx", nodes, opset=opset))


WITH_INPUTS: dict[str, tuple[list[NodeProto], dict[str, Array]]] = {
    "squeeze": ([node("GlobalAveragePool", "x", "g"), node("Squeeze", "g a")], {"a": np.array([2, 3])}),
    "reshape": ([node("Reshape", "x s")], {"s": np.array([0, -1])}),
    "reshape to more axes": ([node("Reshape", "x s")], {"s": np.array([-1, 2, 2, 99])}),
    "flatten": ([node("Flatten", "x", axis=-3)], {}),
    "slice": ([node("Slice", "x a b c d")], {k: np.array([v]) for k, v in zip("abcd", (1, 9, 3, 3), strict=True)}),
    "pad": ([node("Pad", "x p")], {"p": np.array([0, 0, 1, 2, 0, 0, 0, 3])}),
    "pad named axes": ([node("Pad", "x p _ a")], {"p": np.array([1, 2, 0, 3]), "a": np.array([-2, -1])}),
    "clip": ([node("Clip", "x a b")], {"a": np.float32(0), "b": np.float32(6)}),
    "concat": ([node("Relu", "x", "r"), node("Concat", "x r", axis=-1)], {}),
    "softmax": ([node("LogSoftmax", "x", axis=1)], {}),
    "dropout": ([node("Dropout", "x r")], {"r": np.float32(0.5)}),
    "sum": ([node("Relu", "x", "r"), node("Sum", "x r")], {}),
    "leaky relu": ([node("LeakyRelu", "x", alpha=0.2)], {}),
}


@pytest.mark.parametrize(("nodes", "constants"), WITH_INPUTS.values(), ids=WITH_INPUTS)
@pytest.mark.parametrize("opset", [18, 21])
def test_newer_versions(tmp_path: Path, nodes: list[NodeProto], constants: dict[str, Array], opset: int) -> None:
    agrees(save(tmp_path / "net.onnx", nodes, constants, opset=opset))


MOVES: dict[str, tuple[list[NodeProto], dict[str, Array]]] = {
    "transpose": ([node("Transpose", "x", perm=[0, 2, 3, 1])], {}),
    "split evenly": ([node("Split", "x", "a b", axis=1), node("Sub", "a b")], {}),
    "split": ([node("Split", "x s", "a b c", axis=3), node("Sub", "a c")], {"s": np.array([4, 3, 4])}),
    "gather one": ([node("Gather", "x i", axis=2)], {"i": np.array(-1)}),
    "gather a stride": ([node("Gather", "x i", axis=3)], {"i": np.array([1, 4, 7])}),
    "gather any": ([node("Gather", "x i", axis=3)], {"i": np.array([5, 0, -1, 5])}),
    "gather a table": ([node("Gather", "x i", axis=1)], {"i": np.array([[0, 1], [3, 2]])}),
    "expand": ([node("GlobalAveragePool", "x", "g"), node("Expand", "g s")], {"s": np.array([1, 4, 2, 3])}),
    "tile": ([node("Tile", "x s")], {"s": np.array([1, 2, 1, 3])}),
    "slice backwards": (
        [node("Slice", "x a b c d")],
        {k: np.array([v]) for k, v in zip("abcd", (-1, -100, 3, -2), strict=True)},
    ),
    "pad with a number": ([node("Pad", "x p v")], {"p": np.array([0, 0, 1, 2, 0, 0, 0, 3]), "v": np.float32(2.5)}),
    "pad by reflection": ([node("Pad", "x p", mode="reflect")], {"p": np.array([0, 0, 1, 2, 0, 0, 0, 3])}),
    "pad by the edge": ([node("Pad", "x p", mode="edge")], {"p": np.array([0, 0, 1, 2, 0, 0, 0, 3])}),
    "depth to space": ([node("DepthToSpace", "x", blocksize=2)], {}),
    "depth to space, by columns": ([node("DepthToSpace", "x", blocksize=2, mode="CRD")], {}),
    "concat with a constant": (
        [node("Concat", "x e", axis=1)],
        {"e": np.arange(198, dtype=np.float32).reshape(1, 2, 9, 11)},
    ),
}


@pytest.mark.parametrize(("nodes", "constants"), MOVES.values(), ids=MOVES)
def test_moves(tmp_path: Path, nodes: list[NodeProto], constants: dict[str, Array]) -> None:
    one = "concat" in nodes[-1].op_type.lower()
    shape: list[int | str] = [1 if one else "N", 4, 9, 11]
    agrees(save(tmp_path / "net.onnx", nodes, constants, shape=shape))


def test_space_to_depth(tmp_path: Path) -> None:
    agrees(save(tmp_path / "net.onnx", [node("SpaceToDepth", "x", blocksize=2)], shape=("N", 3, 8, 6)))


def test_arithmetic_on_sizes_is_done_once(tmp_path: Path) -> None:
    nodes = [
        node("Shape", "x", "sizes"),
        node("Gather", "sizes first", "n", axis=0),
        node("Unsqueeze", "n zero", "n1"),
        node("Concat", "n1 rest", "target", axis=0),
        node("Reshape", "x target", "flat"),
        node("MatMul", "flat w"),
    ]
    constants = {"first": np.array(0), "zero": np.array([0]), "rest": np.array([-1]), "w": weights(396, 3)}
    assert ops(agrees(save(tmp_path / "net.onnx", nodes, constants))) == ["flatten", "linear"]


def test_elements_by_the_numbers_of_two_axes(tmp_path: Path) -> None:
    """As torch's exporter writes uneven windows of a pool: the axes that are indexed come first."""
    nodes = [node("Transpose", "x", "t", perm=[2, 3, 0, 1]), node("GatherND", "t i", "g")]
    nodes.append(node("Transpose", "g", perm=[2, 3, 0, 1]))
    indices = np.stack(np.meshgrid([0, 8, -1], [2, 2], indexing="ij"), -1)
    agrees(save(tmp_path / "net.onnx", nodes, {"i": indices}))


def test_elements_of_each_sample_by_numbers(tmp_path: Path) -> None:
    """As torch's exporter writes ``mask[sample, key]``."""
    indices = np.stack(np.broadcast_arrays(np.zeros((1, 1, 1), np.int64), np.array([[3, 0, 2, 2]])), -1)
    agrees(save(tmp_path / "net.onnx", [node("GatherND", "x i")], {"i": indices}, (1, 4, 9, 11)))


def test_elements_of_each_sample_by_computed_numbers(tmp_path: Path) -> None:
    nodes = [
        node("ReduceMean", "x", "m", axes=[2, 3], keepdims=0),
        node("ArgMax", "m", "a", axis=1),
        node("Concat", "sample a", "i", axis=-1),
        node("GatherND", "x i"),
    ]
    agrees(save(tmp_path / "net.onnx", nodes, {"sample": np.zeros((1, 1), np.int64)}, (1, 4, 9, 11)))


def test_elements_of_a_long_constant(tmp_path: Path) -> None:
    """onnx's own GatherElements fails for 64 elements and more. Other axes may be longer than those of the indices."""
    nodes = [node("GatherElements", "table i", "t", axis=-1), node("Add", "x t")]
    constants = {"table": weights(4, 99), "i": np.array([[98, -1, 0, -99, *range(7)]])}
    agrees(save(tmp_path / "net.onnx", nodes, constants))
