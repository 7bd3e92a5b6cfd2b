from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import agrees, node, ops, save

POOLS: dict[str, dict[str, Any]] = {
    "plain": {"kernel_shape": [3, 2], "strides": [2, 2]},
    "padding": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
    "ceil mode": {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1},
    "ceil mode with padding": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
}


@pytest.mark.parametrize("attributes", POOLS.values(), ids=POOLS)
@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_pool(tmp_path: Path, op: str, attributes: dict[str, Any]) -> None:
    source = agrees(save(tmp_path / "net.onnx", [node(op, "x", **attributes)]))
    assert len(ops(source)) == 1


def test_padding_counts_as_zeros_if_asked(tmp_path: Path) -> None:
    attributes = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]}
    agrees(save(tmp_path / "net.onnx", [node("AveragePool", "x", count_include_pad=1, **attributes)]))


def test_dilated_maxima(tmp_path: Path) -> None:
    agrees(save(tmp_path / "net.onnx", [node("MaxPool", "x", kernel_shape=[3, 2], dilations=[2, 3])]))


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
def test_global_pool(tmp_path: Path, op: str) -> None:
    assert len(ops(agrees(save(tmp_path / "net.onnx", [node(op, "x")])))) == 1


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize(
    ("op", "opset"), [("ReduceMean", 13), ("ReduceMean", 18), ("ReduceMax", 11), ("ReduceMax", 20)]
)
def test_reductions_over_height_and_width(tmp_path: Path, op: str, opset: int, keepdims: int) -> None:
    nodes, constants = [node(op, "x", axes=[2, -1], keepdims=keepdims)], {}
    if opset >= 18:
        nodes, constants = [node(op, "x axes", keepdims=keepdims)], {"axes": np.array([2, -1])}
    agrees(save(tmp_path / "net.onnx", nodes, constants, opset=opset))
