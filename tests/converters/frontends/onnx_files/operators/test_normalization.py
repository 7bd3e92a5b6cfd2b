from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto
from onnx_models import agrees, node, save, translates, weights

from dcz.dcformat.tensors import Array

X = weights(3, 4, 9, 11, seed=7)
CASES: dict[str, tuple[NodeProto, dict[str, Array], int]] = {
    "layer": (node("LayerNormalization", "x s b", epsilon=1e-3), {"s": weights(11), "b": weights(11)}, 17),
    "layer, no bias": (node("LayerNormalization", "x s"), {"s": weights(11)}, 17),
    "layer, two axes": (node("LayerNormalization", "x s b", axis=2), {"s": weights(9, 11), "b": weights(9, 11)}, 17),
    "instance": (node("InstanceNormalization", "x s b"), {"s": weights(4), "b": weights(4)}, 17),
    "group": (node("GroupNormalization", "x s b", num_groups=2), {"s": weights(4), "b": weights(4)}, 21),
    "group, one number a group": (
        node("GroupNormalization", "x s b", num_groups=2),
        {"s": weights(2), "b": weights(2)},
        18,
    ),
    "response": (node("LRN", "x", size=3, alpha=0.1, beta=0.6, bias=2.0), {}, 17),
    "length": (node("LpNormalization", "x", axis=1), {}, 17),
    "mean and variance": (node("MeanVarianceNormalization", "x"), {}, 13),
}


@pytest.mark.parametrize(("made", "constants", "opset"), CASES.values(), ids=CASES)
def test_normalisation(tmp_path: Path, made: NodeProto, constants: dict[str, Array], opset: int) -> None:
    translates(save(tmp_path / "net.onnx", [made], constants, opset=opset), X, tolerance=1e-4)


@pytest.mark.parametrize("opset", [8, 9, 14, 15])
def test_batch_norm(tmp_path: Path, opset: int) -> None:
    constants = {name: weights(4, seed=i) for i, name in enumerate("sbm")} | {"v": np.abs(weights(4, seed=4)) + 0.5}
    agrees(save(tmp_path / "net.onnx", [node("BatchNormalization", "x s b m v")], constants, opset=opset))
