from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from networks import Call
from onnx_models import agrees, node, save, translates, weights
from torch import nn

from dcz.converters.frontends.onnx_files.onnx_file import from_onnx
from dcz.dcformat import UnsupportedOpError

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}
SIZE, WIDTH = 5, 6


def parts(op: str, directions: int) -> dict[str, Any]:
    rows = GATES[op] * SIZE
    return {
        "w": weights(directions, rows, WIDTH) / 2,
        "r": weights(directions, rows, SIZE, seed=1) / 2,
        "b": weights(directions, 2 * rows, seed=2),
    }


def form(op: str) -> dict[str, Any]:
    return {"hidden_size": SIZE} | ({"linear_before_reset": 1} if op == "GRU" else {})


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("op", GATES)
def test_each_layer_in_each_direction(tmp_path: Path, op: str, direction: str) -> None:
    constants = parts(op, 2 if direction == "bidirectional" else 1)
    nodes = [node(op, "x w r b", "y", direction=direction, **form(op))]
    translates(save(tmp_path / "net.onnx", nodes, constants, shape=(7, "N", WIDTH)), weights(7, 3, WIDTH, seed=3))


@pytest.mark.parametrize("op", ["LSTM", "GRU"])
def test_the_last_state_is_an_answer(tmp_path: Path, op: str) -> None:
    nodes = [node(op, "x w r b", "_ y", **form(op))]
    translates(save(tmp_path / "net.onnx", nodes, parts(op, 1), shape=(7, "N", WIDTH)), weights(7, 3, WIDTH, seed=3))


def test_without_biases_from_a_given_state(tmp_path: Path) -> None:
    constants = {**parts("LSTM", 1), "h": weights(1, 3, SIZE, seed=4), "c": weights(1, 3, SIZE, seed=5)}
    nodes = [node("LSTM", "x w r _ _ h c", **form("LSTM"))]
    translates(save(tmp_path / "net.onnx", nodes, constants, shape=(7, 3, WIDTH)), weights(7, 3, WIDTH, seed=3))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("op", GATES)
def test_layers_of_any_batch_as_torch_writes_torch_script(tmp_path: Path, op: str) -> None:
    """The state is zeros for the batch of the example, expanded to that of the input."""
    layer = getattr(nn, op)(WIDTH, SIZE, 2, batch_first=True, bidirectional=True)
    path, x = tmp_path / "net.onnx", weights(2, 7, WIDTH)
    batch = {"dynamic_axes": {"x": {0: "N"}}, "input_names": ["x"]}
    module = Call(lambda x, layer: layer(x)[0], layer=layer).eval()
    torch.onnx.export(module, (torch.from_numpy(x),), path, dynamo=False, **batch)
    agrees(path)


@pytest.mark.parametrize("op", ["LSTM", "GRU"])
def test_zeros_for_each_sample_serve_any_batch(tmp_path: Path, op: str) -> None:
    constants = {**parts(op, 1), "h": np.zeros((1, 3, SIZE), np.float32)}
    nodes = [
        node("Transpose", "x", "steps", perm=[1, 0, 2]),
        node(op, "steps w r b _ h h" if op == "LSTM" else "steps w r b _ h", "states", **form(op)),
        node("Squeeze", "states one", "each"),
        node("Transpose", "each", "y", perm=[1, 0, 2]),
    ]
    path = save(tmp_path / "net.onnx", nodes, {**constants, "one": np.array([1])}, shape=(3, 7, WIDTH))
    agrees(path)
    graph = from_onnx(path).graph
    assert [len(each.inputs) for each in graph.nodes if each.op == op.lower()] == [1]


@pytest.mark.parametrize(
    ("op", "attributes", "why"),
    [
        ("GRU", {"linear_before_reset": 0}, "linear_before_reset must be 1"),
        ("LSTM", {"clip": 3.0}, "clip is not supported"),
        ("RNN", {"activations": ["Relu"]}, "activations must be tanh, found relu"),
    ],
)
def test_refused_forms(tmp_path: Path, op: str, attributes: dict[str, Any], why: str) -> None:
    nodes = [node(op, "x w r b", **{**form(op), **attributes})]
    with pytest.raises(UnsupportedOpError, match=f"{op}: {why}"):
        from_onnx(save(tmp_path / "net.onnx", nodes, parts(op, 1), shape=(7, 3, WIDTH)))
