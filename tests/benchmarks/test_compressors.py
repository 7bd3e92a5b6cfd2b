"""The comparison of compression tools: its cases, its table, and the arithmetic of its training loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks import compressors
from benchmarks.compressors import tools
from benchmarks.compressors.train import size_of, train
from benchmarks.suite import Options, not_run


def test_without_data_it_says_what_to_give() -> None:
    (case,) = compressors.cases(Options()).values()
    (line,) = not_run(case())
    assert "--cifar10 FOLDER --checkpoints FOLDER" in line


def test_a_case_for_each_tool_and_one_for_the_times(tmp_path: Path) -> None:
    cases = compressors.cases(Options(cifar10=tmp_path, checkpoints=tmp_path))
    assert list(cases) == [*tools.TOOLS, "times"]


def test_a_tool_that_does_not_run_here_has_no_time() -> None:
    shipped = {"ships": ".x", "bytes": 1000, "top1": 0.9, "training_s": 60}
    clock = {"median_ms": 2.0, "ratio": {"median": 2.5, "of_least": 2.25}}
    rows = [{"tool": "a", **shipped}, {"tool": "b", **shipped}, {"tool": "b", **clock}]
    (table,) = compressors.tables(rows)
    assert table.rows == [
        ("a", ".x", 1000, "90.00%", 60, "", ""),
        ("b", ".x", 1000, "90.00%", 60, "2", "2.50 (2.25)"),
    ]


def test_sizes_of_files_and_of_folders(tmp_path: Path) -> None:
    (tmp_path / "package" / "weights").mkdir(parents=True)
    for name in ("package/manifest", "package/weights/data"):
        (tmp_path / name).write_bytes(b"12345")
    assert size_of(tmp_path / "package") == 10
    assert size_of(tmp_path / "package" / "manifest") == 5


@pytest.mark.parametrize("name", ["dcz", "torch + torchao"])
def test_the_first_phase_ends_at_the_density(name: str) -> None:
    model, tool = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.Linear(32, 10)), tools.TOOLS[name]()
    rng = torch.Generator().manual_seed(0)
    batch = torch.randn(4, 3, 4, 4, generator=rng), torch.tensor([1, 2, 3, 4])
    steps = 100
    train(tool.prune(model, steps), tool, iter([batch] * steps), steps)
    weights = [layer.weight.detach().numpy() for layer in model if isinstance(layer, nn.Conv2d | nn.Linear)]
    density = sum(map(np.count_nonzero, weights)) / sum(weight.size for weight in weights)
    assert density == pytest.approx(tools.DENSITY, abs=0.01)
