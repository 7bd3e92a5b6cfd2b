"""The benchmark of plain floats, on a checkpoint of some hundred weights and without ZipNN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.questions import floats
from benchmarks.suite import Options


def test_each_type_is_counted_and_a_missing_coder_named(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save({"w": torch.randn(40, 30), "steps": torch.tensor(3)}, tmp_path / "net.pt")
    options = Options(work=tmp_path / "work", peers=tmp_path / "peers", checkpoints=tmp_path)
    cases = floats.cases(options)
    assert set(cases) == {"net.pt", "rate"}
    rows = cases["net.pt"]()
    assert [row["dtype"] for row in rows] == ["F32", "BF16", "F16"]
    assert [row["dense"] for row in rows] == [4800, 2400, 2400]
    assert all(row["dcz"] < row["dense"] for row in rows)
    assert all(row["missing"]["zipnn"].endswith("python -m benchmarks.peers zipnn") for row in rows)
    sizes, rate = floats.tables([*rows, *floats.rates(1 << 12)])
    assert [row[:2] for row in sizes.rows] == [("net.pt", "F32"), ("net.pt", "BF16"), ("net.pt", "F16")]
    assert [row[:2] for row in rate.rows] == [("F32", "planes"), ("BF16", "planes"), ("F16", "planes")]


@pytest.mark.parametrize("dtype", floats.TYPES)
def test_weights_are_rounded_as_torch_rounds_them(dtype: str) -> None:
    array = np.random.default_rng(0).normal(size=500).astype(np.float32)
    expected = torch.from_numpy(array).to(getattr(torch, floats.TYPES[dtype]))
    ours = floats.rounded(array, dtype).array
    assert ours.tobytes() == expected.view(torch.uint8).numpy().tobytes()
