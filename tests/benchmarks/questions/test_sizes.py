"""Sizes of a tiny network: what is counted, and what is said of coders that are missing or too slow."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

import dcz
from benchmarks.questions import sizes


@pytest.fixture
def tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    weight = rng.choice([0, 0, 0, 0.5, -1], size=(10, 12)).astype(np.float32)
    return {"weight": weight, "bias": np.ones(10, np.float32)}


@pytest.fixture
def container(tensors: dict[str, np.ndarray], tmp_path: Path) -> Path:
    import torch

    module = torch.nn.Linear(12, 10)
    module.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in tensors.items()})
    dcz.convert(module, tmp_path / "net.dcz", input_shape=(12,))
    return tmp_path / "net.dcz"


def test_coders_that_are_missing_or_slow_are_named(
    tensors: dict[str, np.ndarray], container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "brotli", None)
    found, missing = sizes.other_coders(tensors, container, tmp_path, tmp_path / "nothing", {"xz": 100, "zip": 1000})
    assert found.keys() == {"zip", "zstd"}
    assert found["zip"] == len(zlib.compress(b"".join(tensor.tobytes() for tensor in tensors.values()), 9))
    assert missing == {
        "xz": "not tried on more than 0 MiB: it takes too long",
        "brotli": "install with: pip install '.[bench]'",
        "onnx int8": "not installed; install with: python -m benchmarks.peers onnxruntime",
        "coreml": "not installed; install with: python -m benchmarks.peers coreml",
        "nnc": "not installed; install with: python -m benchmarks.peers nnc",
    }


def test_what_is_no_weight_counts_as_it_is(
    tensors: dict[str, np.ndarray], container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizes, "count", lambda tool, folder, model, weights: len(np.load(weights)["weight"]))
    found, _ = sizes.other_coders(tensors, container, tmp_path, tmp_path, {})
    assert (found["nnc"], found["coreml"], found["onnx int8"]) == (10 + 40, 10 + 40, 10)


def test_every_column_has_its_place_even_where_nothing_was_found() -> None:
    row = {"network": "N", "fp32": 100, "dcz": 10, "best_gap": 11, "missing": {"xz": "no"}}
    (table,) = sizes.tables([row])
    assert len(table.rows[0]) == len(table.header)
    assert table.rows[0][table.header.index("xz -9")] is None
    assert table.rows[0][table.header.index("fp32 / .dcz")] == 10
