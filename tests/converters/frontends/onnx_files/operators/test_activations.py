from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import agrees, node, ops, save, weights

from dcz.dcformat.tensors import Array

PLAIN: dict[str, tuple[str, dict[str, Any], int]] = {
    "sigmoid": ("Sigmoid", {}, 13),
    "tanh": ("Tanh", {}, 13),
    "elu": ("Elu", {"alpha": 0.7}, 13),
    "celu": ("Celu", {"alpha": 0.7}, 13),
    "selu": ("Selu", {}, 13),
    "hard-sigmoid, the default": ("HardSigmoid", {}, 13),
    "hard-sigmoid, torch's": ("HardSigmoid", {"alpha": 1 / 6}, 13),
    "hard-sigmoid, Paddle's": ("HardSigmoid", {"alpha": 0.1666667, "beta": 0.5}, 13),
    "hard-swish": ("HardSwish", {}, 14),
    "softplus": ("Softplus", {}, 13),
    "softsign": ("Softsign", {}, 13),
    "thresholded relu": ("ThresholdedRelu", {"alpha": 0.0}, 13),
    "mish": ("Mish", {}, 18),
    "gelu": ("Gelu", {}, 20),
    "gelu by tanh": ("Gelu", {"approximate": "tanh"}, 20),
    "erf": ("Erf", {}, 13),
    "exp": ("Exp", {}, 13),
    "abs": ("Abs", {}, 13),
    "sine": ("Sin", {}, 13),
    "cosine": ("Cos", {}, 13),
    "hyperbolic sine": ("Sinh", {}, 13),
    "hyperbolic cosine": ("Cosh", {}, 13),
    "neg": ("Neg", {}, 13),
    "reciprocal": ("Reciprocal", {}, 13),
    "softmax": ("Softmax", {"axis": 1}, 13),
}


@pytest.mark.parametrize(("op", "attributes", "opset"), PLAIN.values(), ids=PLAIN)
def test_functions_of_one_number(tmp_path: Path, op: str, attributes: dict[str, Any], opset: int) -> None:
    agrees(save(tmp_path / "net.onnx", [node(op, "x", **attributes)], opset=opset))


SLOPES = {"one": np.array([0.2], np.float32), "channels": weights(4, 1, 1), "pixels": weights(1, 9, 11)}


@pytest.mark.parametrize("slope", SLOPES.values(), ids=SLOPES)
def test_prelu(tmp_path: Path, slope: Array) -> None:
    agrees(save(tmp_path / "net.onnx", [node("PRelu", "x s")], {"s": slope}))


@pytest.mark.parametrize(("low", "high"), [(None, 1.0), (-1.0, None), (-1.0, 2.0), (None, None)])
def test_clip(tmp_path: Path, low: float | None, high: float | None) -> None:
    limits = {name: np.float32(limit) for name, limit in (("low", low), ("high", high)) if limit is not None}
    names = " ".join(name if name in limits else "_" for name in ("low", "high"))
    agrees(save(tmp_path / "net.onnx", [node("Clip", f"x {names}")], limits))


@pytest.mark.parametrize("sixth", [6.0, 1 / 6, 0.1666667])
def test_a_hard_swish_in_parts(tmp_path: Path, sixth: float) -> None:
    nodes = [
        node("Add", "x three", "a"),
        node("Clip", "a zero six", "c"),
        node("Mul", "x c", "m"),
        node("Div" if sixth == 6 else "Mul", "m sixth"),
    ]
    constants = {"three": np.array([3], np.float32), "zero": np.float32(0), "six": np.float32(6)}
    source = agrees(save(tmp_path / "net.onnx", nodes, {**constants, "sixth": np.array([sixth], np.float32)}))
    assert ops(source) == ["hardswish"]


def test_a_gelu_in_parts(tmp_path: Path) -> None:
    nodes = [
        node("Div", "x root", "d"),
        node("Erf", "d", "e"),
        node("Add", "e one", "a"),
        node("Mul", "x a", "m"),
        node("Mul", "m half"),
    ]
    constants = {"root": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)}
    assert ops(agrees(save(tmp_path / "net.onnx", nodes, constants))) == ["gelu"]
