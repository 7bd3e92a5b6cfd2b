from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx_models import agrees, node, ops, save, weights

from dcz.dcformat.tensors import Array

OPERANDS: dict[str, Array] = {
    "a number": np.float32(1.5),
    "a number of one axis": np.array([1.5], np.float32),
    "one a channel": weights(4, 1, 1) + 3,
    "one a column": weights(11) + 3,
    "one a pixel": weights(1, 1, 9, 11) + 3,
}


@pytest.mark.parametrize("constant", OPERANDS.values(), ids=OPERANDS)
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
def test_with_a_constant_on_either_side(tmp_path: Path, op: str, constant: Array) -> None:
    agrees(save(tmp_path / "net.onnx", [node(op, "x c")], {"c": constant}))
    if op != "Div":
        agrees(save(tmp_path / "net.onnx", [node(op, "c x")], {"c": constant}))


def test_a_constant_over_a_value(tmp_path: Path) -> None:
    for number in (1.0, 2.5):
        nodes = [node("Exp", "x", "e"), node("Div", "c e")]
        agrees(save(tmp_path / "net.onnx", nodes, {"c": np.float32(number)}), tolerance=1e-4)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean"])
def test_two_values(tmp_path: Path, op: str) -> None:
    agrees(save(tmp_path / "net.onnx", [node("Relu", "x", "r"), node(op, "r x")]))


def test_a_value_and_one_number_a_channel_of_it(tmp_path: Path) -> None:
    """Squeeze and excitation."""
    nodes = [node("GlobalAveragePool", "x", "g"), node("Sigmoid", "g", "s"), node("Mul", "x s")]
    assert ops(agrees(save(tmp_path / "net.onnx", nodes))) == ["adaptive_avg_pool2d", "sigmoid", "mul"]


@pytest.mark.parametrize("exponent", [2.0, 3.0, 0.5])
def test_powers(tmp_path: Path, exponent: float) -> None:
    nodes = [node("Abs", "x", "a"), node("Pow", "a e")]
    agrees(save(tmp_path / "net.onnx", nodes, {"e": np.float32(exponent)}))


def test_a_cast_to_the_same_type_is_nothing(tmp_path: Path) -> None:
    assert ops(agrees(save(tmp_path / "net.onnx", [node("Cast", "x", "c", to=1), node("Relu", "c")]))) == ["relu"]


@pytest.mark.parametrize("op", ["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"])
def test_comparisons_give_ones_and_zeros(tmp_path: Path, op: str) -> None:
    nodes = [node("Relu", "x", "r"), node(op, "r c", "t"), node("Not", "t", "n"), node("Or", "t n", "o")]
    nodes += [node("And", "t o", "a"), node("Cast", "a", "y", to=1)]
    agrees(save(tmp_path / "net.onnx", nodes, {"c": np.float32(0)}))


def test_where_a_ratio_has_no_value(tmp_path: Path) -> None:
    """As tf2onnx writes ``div_no_nan``: the ratio is NaN where its place is taken by zero."""
    nodes = [node("Relu", "x", "r"), node("Equal", "r zero", "t"), node("Div", "x r", "d"), node("Where", "t zero d")]
    found = agrees(save(tmp_path / "net.onnx", nodes, {"zero": np.float32(0)}))
    assert {"equal", "mask"} <= set(ops(found))
