"""The comparison of compression tools: its cases, its table, and the arithmetic of its training loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.questions import compressors
from benchmarks.questions.compressors import tools
from benchmarks.questions.compressors.train import size_of, train
from benchmarks.suite import Options, not_run


def test_without_data_it_says_what_to_give() -> None:
    (case,) = compressors.cases(Options()).values()
    (line,) = not_run(case())
    assert "--cifar10 FOLDER --checkpoints FOLDER" in line


def test_a_case_for_each_tool_and_one_for_the_times(tmp_path: Path) -> None:
    cases = compressors.cases(Options(cifar10=tmp_path, checkpoints=tmp_path))
    assert list(cases) == [*tools.TOOLS, "times"]


def test_a_tool_that_does_not_run_here_has_no_time() -> None:
    shipped = {"ships": ".x", "bytes": 1000, "top1": 0.9, "training_s": 60, "steps": 300}
    clock = {"median_ms": 2.0, "ratio": {"median": 2.5, "of_least": 2.25}}
    rows = [{"tool": "a", **shipped}, {"tool": "b", **shipped}, {"tool": "b", **clock}]
    (table,) = compressors.tables(rows)
    assert "in 150 steps" in table.title
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
    assert density == pytest.approx(tools.DENSITY, abs=0.5 / sum(weight.size for weight in weights))


def test_the_density_falls_gradually_to_its_target() -> None:
    law = tools.densities(100)
    assert list(law) == [10, 20, 30, 40, 50, 60]
    assert list(law.values()) == sorted(law.values(), reverse=True)
    assert law[30] == pytest.approx(0.3)  # half of the way: .2 + .8 / 8
    assert law[60] == tools.DENSITY
    assert tools.densities(10) == {6: tools.DENSITY}
