"""The spread over seeds: its cases, what a run asks for, and its tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.questions import seeds
from benchmarks.suite import Options, not_run
from dcz.converters.training import pipeline
from dcz.converters.training.recipe import Recipe, load_recipe
from dcz.converters.training.report import CompressionReport, StageReport

BOTH = ("lenet-300-100", "lenet-5", "vgg-16")


def test_without_pictures_it_says_what_to_give() -> None:
    cases = seeds.cases(Options(networks=BOTH))
    assert list(cases) == ["lenet_300_100", "lenet5_caffe"]
    assert not_run(cases["lenet5_caffe"]()) == ["the recipe was not run: give the pictures: --mnist FOLDER"]


@pytest.mark.parametrize(("quick", "count"), [(False, 5), (True, 1)])
def test_a_case_for_each_network_and_seed(quick: bool, count: int, tmp_path: Path) -> None:
    cases = seeds.cases(Options(quick=quick, networks=("lenet-5",), mnist=tmp_path))
    assert list(cases) == [f"lenet5_caffe seed {seed}" for seed in range(count)]


def test_a_run_changes_the_seed_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Recipe] = []

    def compress(data: Path, out: Path, recipe: Recipe, **options: Any) -> CompressionReport:
        asked.append(recipe)
        out.write_bytes(b"12345")
        stage = StageReport("1 train", 0.99, 50, 100, 0.5, 3.0, 5, 80.0, None, None, 1.0)
        return CompressionReport(recipe.arch, str(out), 0.9845, 10_000, [stage])

    monkeypatch.setattr(pipeline, "compress", compress)
    cases = seeds.cases(Options(networks=("lenet-5",), mnist=tmp_path, work=tmp_path / "work"))
    (row,) = cases["lenet5_caffe seed 3"]()
    (recipe,) = asked
    assert recipe.seed == 3
    assert recipe.stages == load_recipe("lenet5_caffe").stages
    assert (row["bytes"], row["ratio"], row["error"], row["pictures"]) == (5, 80.0, 0.0155, 10_000)


def test_median_least_and_greatest() -> None:
    runs = [(0, 5000, 213.3, 0.0155), (1, 5300, 201.2, 0.0149), (2, 5100, 209.1, 0.0161)]
    rows = [
        {"network": "lenet_300_100", "seed": seed, "bytes": size, "ratio": ratio, "error": error}
        for seed, size, ratio, error in runs
    ]
    (table,) = seeds.tables(rows)
    assert table.title == "LeNet-300-100: 3 seeds"
    assert table.rows[0] == ("seed 0", 5000, "213.3", "1.55%")
    assert table.rows[3:] == [
        ("median", 5100, "209.1", "1.55%"),
        ("least", 5000, "201.2", "1.49%"),
        ("greatest", 5300, "213.3", "1.61%"),
    ]
