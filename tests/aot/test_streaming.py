"""Streamed weights: the bits that the runtime gives, whatever the encoding, from a smaller file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from compiled_models import compiled

import dcz
from dcz.dcformat import Graph, Input, Output, make_node, write

NODES = (
    make_node("conv2d", (0,), {"weight": "sparse"}, {"padding": (1, 1)}),
    make_node("flatten", (1,)),
    make_node("linear", (2,), {"weight": "sparse_floats"}),
    make_node("relu", (3,)),
    make_node("linear", (4,), {"weight": "shared"}),
    make_node("linear", (5,), {"weight": "plain"}),
)


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """A network whose weights are shared and sparse, sparse, shared, and neither."""
    rng = np.random.default_rng(6)

    def sparse(array: np.ndarray, density: float) -> np.ndarray:
        return np.where(rng.random(array.shape) < density, array, 0).astype(np.float32)

    book = rng.normal(size=16)
    tensors = {
        "sparse": sparse(rng.choice(book, (16, 16, 3, 3)), 0.4),
        "sparse_floats": sparse(rng.normal(size=(48, 1024)), 0.1),
        "shared": rng.choice(book, (48, 48)).astype(np.float32),
        "plain": rng.normal(size=(24, 48)).astype(np.float32),
    }
    write(tmp_path / "net.dcz", Graph((Input((16, 8, 8)),), NODES, (Output(6),)), tensors)
    return tmp_path / "net.dcz"


def test_streamed_weights_give_the_same_bits(container: Path, tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    streamed, whole = compiled(container, tmp_path, stream_weights=True), compiled(container, tmp_path / "whole")
    model = dcz.load(container, threads=1)
    for seed in (1, 2):  # the second call finds other weights in the buffer
        x = model.noise(1, seed=seed)["input"]
        np.testing.assert_array_equal(streamed.load()(x), model(x))
    sizes = streamed.report.streamed
    assert sizes is not None
    assert whole.report.streamed is None
    assert "plain" in sizes.unpacked
    assert "sparse" not in sizes.unpacked
    assert sizes.coded_bytes < 0.8 * sizes.packed_bytes
    assert streamed.report.constant_bytes < whole.report.constant_bytes
    assert streamed.report.arena_bytes == whole.report.arena_bytes + sizes.buffer_bytes
    assert streamed.report.peak_bytes == streamed.report.arena_bytes + 4 * (16 * 8 * 8 + 24)
