from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto, TensorProto
from onnx_models import agrees, node, save

from dcz.dcformat.tensors import Array

FLOATS, NUMBERS = (node("Cast", "p", name, to=TensorProto.FLOAT) for name in "yq")
FORMS: dict[str, tuple[list[NodeProto], dict[str, Array]]] = {
    "argmax": ([node("ArgMax", "x", "p", axis=1), FLOATS], {}),
    "argmin without its axis": ([node("ArgMin", "x", "p", axis=-1, keepdims=0), FLOATS], {}),
    "the greatest": ([node("TopK", "x k", "v p", axis=1), NUMBERS, node("Mul", "v q")], {"k": np.array([3])}),
    "the least": ([node("TopK", "x k", "v p", largest=0), NUMBERS, node("Mul", "v q")], {"k": np.array([2])}),
    "running sums": ([node("CumSum", "x a")], {"a": np.array(2)}),
    "running sums of those before, from the end": (
        [node("CumSum", "x a", exclusive=1, reverse=1)],
        {"a": np.array(3)},
    ),
    "a triangle": ([node("Trilu", "x k", upper=0)], {"k": np.array(1)}),
}


@pytest.mark.parametrize(("nodes", "constants"), FORMS.values(), ids=FORMS)
def test_positions_and_running_sums(tmp_path: Path, nodes: list[NodeProto], constants: dict[str, Array]) -> None:
    agrees(save(tmp_path / "net.onnx", nodes, constants))
