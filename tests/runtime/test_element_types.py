"""Weights of every element type and encoding, read straight into what the kernels compute in."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from dcz.dcformat import Dense, Graph, make_node, write
from dcz.dcformat import open as open_container
from dcz.runtime import load

NODES = (
    make_node("conv2d", (0,), {"weight": "conv.weight", "bias": "conv.bias"}, {"padding": (1, 1)}),
    make_node("relu", (1,)),
    make_node("flatten", (2,)),
    make_node("linear", (3,), {"weight": "fc.weight", "bias": "fc.bias"}),
)
GRAPH = Graph((3, 6, 6), NODES, 4)
SHAPES = {"conv.weight": (16, 3, 3, 3), "conv.bias": (16,), "fc.weight": (40, 576), "fc.bias": (40,)}


def container(tensors: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    write(file, GRAPH, tensors)
    return file.getvalue()


def answers(content: bytes, tmp_path: Any, batch: int) -> np.ndarray:
    (tmp_path / "net.dcz").write_bytes(content)
    x = np.random.default_rng(batch).standard_normal((batch, 3, 6, 6), dtype=np.float32)
    found: np.ndarray = load(tmp_path / "net.dcz", threads=1)(x)
    return found


def small_integers(density: float) -> dict[str, np.ndarray]:
    """Numbers that every element type holds exactly."""
    rng = np.random.default_rng(4)
    return {
        name: np.where(rng.random(shape) < density, rng.integers(1, 9, shape), 0).astype(np.float32)
        for name, shape in SHAPES.items()
    }


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize("density", [0.1, 1])
@pytest.mark.parametrize("dtype", ["F64", "F16", "BF16", "I8", "U8", "I16", "I64"])
def test_answers_do_not_depend_on_the_element_type(dtype: str, density: float, batch: int, tmp_path: Any) -> None:
    numbers = small_integers(density)
    kinds = {"F64": "f8", "F16": "f2", "I8": "i1", "U8": "u1", "I16": "i2", "I64": "i8"}
    stored = {
        name: Dense((array.view(np.uint32) >> 16).astype(np.uint16), "BF16")
        if dtype == "BF16"
        else Dense(array.astype(kinds[dtype]), dtype)
        for name, array in numbers.items()
    }
    content = container(stored)
    with open_container(io.BytesIO(content)) as opened:
        kind = "sparse_shared" if density < 1 else "shared"
        assert opened.entries["fc.weight"].encoding.removesuffix("_any") == kind
    expected = answers(container(numbers), tmp_path, batch)
    assert answers(content, tmp_path, batch).tobytes() == expected.tobytes()


@pytest.mark.parametrize("batch", [1, 16])
@pytest.mark.parametrize("density", [0.1, 1])
def test_scaled_rows_answer_as_the_weights_that_they_stand_for(density: float, batch: int, tmp_path: Any) -> None:
    rng = np.random.default_rng(3)
    tensors = small_integers(1)
    for name in ("conv.weight", "fc.weight"):
        shape = SHAPES[name]
        scales = rng.uniform(0.01, 0.02, (shape[0], *(1,) * (len(shape) - 1))).astype(np.float32)
        levels = np.rint(rng.normal(scale=40, size=shape)).clip(-127, 127).astype(np.float32)
        tensors[name] = np.where(rng.random(shape) < density, levels * scales + np.float32(0), np.float32(0))
    content = container(tensors)
    with open_container(io.BytesIO(content)) as opened:
        assert opened.entries["fc.weight"].encoding.endswith("_scaled")
    # One weight of no grid keeps the same tensor, but for it, from being stored with scales.
    plain = tensors["fc.weight"].copy()
    plain[0, 0] = np.float32(1 / 3)
    tensors["fc.weight"] = plain
    with open_container(io.BytesIO(container(tensors))) as opened:
        assert not opened.entries["fc.weight"].encoding.endswith("_scaled")
    scaled, raw = answers(content, tmp_path, batch), answers(container(tensors), tmp_path, batch)
    assert np.array_equal(scaled[:, 1:], raw[:, 1:])
