"""`dcz convert`, `verify` and `infer` of ONNX files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper


def network(path: Path, *nodes: onnx.NodeProto) -> Path:
    """A small network with these nodes behind its layers."""
    rng = np.random.default_rng(0)
    arrays = {
        "conv.weight": rng.normal(size=(4, 3, 3, 3)),
        "fc.weight": rng.normal(size=(10, 4)),
        "fc.bias": rng.normal(size=10),
    }
    tensors = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()]
    layers = [
        helper.make_node("Conv", ["x", "conv.weight"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["g"]),
        helper.make_node("Flatten", ["g"], ["f"]),
        helper.make_node("Gemm", ["f", "fc.weight", "fc.bias"], ["y"], transB=1),
    ]
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 8]),
        helper.make_tensor_value_info(nodes[-1].output[0] if nodes else "y", TensorProto.FLOAT, ["N", 10]),
    ]
    graph = helper.make_graph([*layers, *nodes], "net", ends[:1], ends[1:], tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_a_file_becomes_a_container_that_runs(dcz: Callable, tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx")
    assert dcz("convert", path).code == 0
    np.save(tmp_path / "x.npy", np.zeros((2, 3, 8, 8), np.float32))
    assert dcz("infer", tmp_path / "net.dcz", tmp_path / "x.npy").code == 0
    result = dcz("verify", tmp_path / "net.dcz", "--against", path)
    assert result.out.startswith(f"{tmp_path / 'net.dcz'}: ok, tensors equal bit for bit, answers within ")


def test_onnxruntime_is_the_judge(dcz: Callable, tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx")
    assert dcz("convert", path, "--bits", "1").code == 0
    result = dcz("verify", tmp_path / "net.dcz", "--against", path)
    assert result.code == 1
    assert "answers differ by" in result.out.splitlines()[-1]


def test_verify_says_that_onnxruntime_is_missing(
    dcz: Callable, fails: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = network(tmp_path / "net.onnx")
    assert dcz("convert", path).code == 0
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "need onnxruntime; pip install onnxruntime" in fails("verify", tmp_path / "net.dcz", "--against", path)


def test_the_weights_alone_only_if_asked(dcz: Callable, fails: Callable, tmp_path: Path) -> None:
    path = network(tmp_path / "net.onnx", helper.make_node("TopK", ["y", "k"], ["t", "i"]))
    assert "net.onnx: " in fails("convert", path)
    assert not (tmp_path / "net.dcz").exists()
    path = network(tmp_path / "net.onnx", helper.make_node("Strange", ["y"], ["z"], domain="my"))
    said = fails("convert", path)
    assert "my.Strange: operator is not supported (node 'z')" in said
    assert "--partial" in said
    result = dcz("-v", "convert", path, "--partial")
    assert result.code == 0
    assert "without its graph: my.Strange: operator is not supported" in result.err
    assert dcz("verify", tmp_path / "net.dcz", "--against", path).out.endswith("ok, tensors equal bit for bit\n")
