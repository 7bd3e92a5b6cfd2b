"""Margins of constants that a global average reads: in s16 they are not computed, and the answer is the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dcz
from dcz.dcformat import Graph, Node, Output, make_node, write

AVERAGE = make_node("adaptive_avg_pool2d", (2,))
MAXIMUM = make_node("adaptive_max_pool2d", (2,))


@pytest.mark.parametrize(
    ("kernel", "end", "answers", "cut"),
    [((1, 1), AVERAGE, (3,), True), ((1, 1), AVERAGE, (3, 2), False), ((3, 3), AVERAGE, (3,), False),
     ((1, 1), MAXIMUM, (3,), False)],
)  # fmt: skip
@pytest.mark.parametrize("bias", [True, False])
def test_answers_are_those_with_a_margin(
    tmp_path: Path, kernel: tuple[int, int], end: Node, answers: tuple[int, ...], cut: bool, bias: bool
) -> None:
    rng, path = np.random.default_rng(4), tmp_path / "net.dcz"
    weights = {"w": rng.normal(size=(16, 8, *kernel)), "b": rng.normal(size=16)}
    names = {"weight": "w", "bias": "b"} if bias else {"weight": "w"}
    nodes = make_node("conv2d", (0,), names, {"padding": (2, 1)}), make_node("relu", (1,)), end
    graph = Graph((8, 5, 6), nodes, tuple(Output(value, str(value)) for value in answers))
    write(path, graph, {name: weights[name].astype(np.float32) for name in names.values()})
    images = rng.normal(size=(3, 8, 5, 6)).astype(np.float32)
    wanted, model = dcz.load(path, threads=1)(images), dcz.load(path, threads=1, precision="s16")
    if len(answers) > 1:
        wanted, found = wanted["3"], model(images)["3"]
    else:
        found = model(images)
    np.testing.assert_allclose(found, wanted, atol=1e-3 * np.abs(wanted).max())
    whole = 5 + 5 - kernel[0], 6 + 3 - kernel[1]
    assert model._engine.network.plan(1).shapes[2] == (16, *((5, 6) if cut else whole))
