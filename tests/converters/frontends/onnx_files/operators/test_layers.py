from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_models import agrees, node, ops, save, weights

CONVOLUTIONS: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "plain": ({}, (6, 4, 3, 3)),
    "strides and padding": ({"strides": [2, 3], "pads": [1, 2, 1, 2]}, (6, 4, 3, 5)),
    "padding that differs": ({"pads": [0, 1, 2, 0]}, (6, 4, 3, 3)),
    "groups and dilations": ({"group": 2, "dilations": [2, 1]}, (6, 2, 3, 3)),
    "same, more behind": ({"auto_pad": "SAME_UPPER", "strides": [2, 2]}, (6, 4, 2, 3)),
    "same, more before": ({"auto_pad": "SAME_LOWER", "strides": [2, 2]}, (6, 4, 2, 4)),
    "valid": ({"auto_pad": "VALID", "strides": [2, 2]}, (6, 4, 2, 3)),
}


@pytest.mark.parametrize(("attributes", "shape"), CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_convolution(tmp_path: Path, attributes: dict[str, Any], shape: tuple[int, ...]) -> None:
    constants = {"w": weights(*shape), "b": weights(shape[0], seed=1)}
    source = agrees(save(tmp_path / "net.onnx", [node("Conv", "x w b", **attributes)], constants))
    assert ops(source)[-1] == "conv2d"
    assert list(source.tensors) == ["w", "b"]
    assert source.tensors["w"].array.tobytes() == constants["w"].tobytes()


TRANSPOSED: dict[str, dict[str, Any]] = {
    "plain": {"strides": [2, 2]},
    "padding that differs": {"strides": [2, 3], "pads": [1, 0, 0, 2]},
    "output padding": {"strides": [2, 2], "output_padding": [1, 0]},
    "output shape": {"strides": [2, 2], "output_shape": [18, 22]},
    "same": {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
}


@pytest.mark.parametrize("attributes", TRANSPOSED.values(), ids=TRANSPOSED)
def test_transposed_convolution(tmp_path: Path, attributes: dict[str, Any]) -> None:
    constants = {"w": weights(4, 6, 3, 3), "b": weights(6, seed=1)}
    agrees(save(tmp_path / "net.onnx", [node("ConvTranspose", "x w b", **attributes)], constants))


@pytest.mark.parametrize("op", ["Conv", "ConvTranspose"])
def test_lines(tmp_path: Path, op: str) -> None:
    nodes = [node(op, "x w", strides=[2], pads=[1, 1])]
    assert len(ops(agrees(save(tmp_path / "net.onnx", nodes, {"w": weights(4, 4, 3)}, shape=("N", 4, 20))))) == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_convolution_of_any_window(tmp_path: Path, data: st.DataObject) -> None:
    pairs = st.lists(st.integers(1, 3), min_size=2, max_size=2)
    kernel, attributes = data.draw(pairs), {"strides": data.draw(pairs), "dilations": data.draw(pairs)}
    pads = data.draw(st.lists(st.integers(0, 2), min_size=4, max_size=4))
    nodes = [node("Conv", "x w", pads=pads, **attributes)]
    agrees(save(tmp_path / "net.onnx", nodes, {"w": weights(2, 4, *kernel)}), samples=2)


def test_gemm_in_all_forms(tmp_path: Path) -> None:
    w, b = weights(5, 7), weights(7)
    forms: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({}, {"w": w, "b": b}),
        ({"transB": 1}, {"w": w.T.copy(), "b": b}),
        ({"transB": 1, "alpha": 0.5, "beta": 2.0}, {"w": w.T.copy(), "b": b}),
        ({"beta": 0.0}, {"w": w, "b": b}),
        ({}, {"w": w, "b": b[None]}),
    ]
    for attributes, constants in forms:
        source = agrees(save(tmp_path / "net.onnx", [node("Gemm", "x w b", **attributes)], constants, shape=("N", 5)))
        assert ops(source) == ["linear"]
    assert ops(agrees(save(tmp_path / "net.onnx", [node("Gemm", "x w")], {"w": w}, shape=("N", 5)))) == ["linear"]


def test_a_product_and_a_sum_are_a_layer(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x w", "m"), node("Add", "b m")]
    source = agrees(save(tmp_path / "net.onnx", nodes, {"w": weights(5, 7), "b": weights(7)}, shape=("N", 5)))
    assert ops(source) == ["linear"]


def test_a_weight_under_two_names_in_the_graph_is_one_tensor(tmp_path: Path) -> None:
    nodes = [node("Identity", "w", "v"), node("MatMul", "x w", "m"), node("MatMul", "m v")]
    source = agrees(save(tmp_path / "net.onnx", nodes, {"w": weights(5, 5)}, shape=("N", 5)))
    assert len(source.tensors) == 1


def test_a_weight_in_a_constant_node_in_half_precision(tmp_path: Path) -> None:
    """As Paddle writes weights, and converters that halve a file."""
    half = weights(6, 4, 3, 3).astype(np.float16)
    nodes = [node("Cast", "h", "w", to=1), node("Conv", "x w")]
    source = agrees(save(tmp_path / "net.onnx", nodes, {"h": half}))
    (tensor,) = source.tensors.values()
    assert tensor.array.tobytes() == half.astype(np.float32).tobytes()
