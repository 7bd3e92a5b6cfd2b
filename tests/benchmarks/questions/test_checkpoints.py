from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from benchmarks.questions import checkpoints
from benchmarks.suite import Options


@pytest.fixture
def options(tmp_path: Path) -> Options:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    torch.save({"module.fc.weight": torch.randn(4, 3), "n": torch.tensor(7)}, tmp_path / "in" / "deep" / "net.pt")
    (tmp_path / "in" / "readme.txt").write_text("no checkpoint")
    return Options(work=tmp_path / "work", checkpoints=tmp_path / "in")


def test_every_checkpoint_comes_back(options: Options) -> None:
    cases = checkpoints.cases(options)
    assert list(cases) == ["net.pt"]
    (row,) = cases["net.pt"]()
    assert row["lossless"]
    assert row["bit_equal"]
    assert row["problems"] == []
    assert row["not_run"] == "weights alone"
    (table,) = checkpoints.tables([row])
    assert table.rows[0][:3] == ("net.pt", "lossless", 4 * 12)
    assert table.rows[0][6] == "yes"


def test_an_export_that_differs_is_a_problem(options: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    module = sys.modules["dcz.converters.export"]
    real = module.export

    def wrong(container: Path, out: Path) -> None:
        real(container, out)
        if out.suffix == ".pt":
            torch.save({**torch.load(out), "n": torch.tensor(8)}, out)

    monkeypatch.setattr(module, "export", wrong)
    (row,) = checkpoints.cases(options)["net.pt"]()
    assert row["problems"] == ["net.pt: export is not what came in"]


def test_without_a_folder_there_is_nothing_to_do() -> None:
    assert checkpoints.cases(Options()) == {}


def test_the_largest_difference_is_shown() -> None:
    scores = {"pictures": 10, "agree": 1.0, "top1": 0.5, "torch_top1": 0.5, "logit_error": 2e-7}
    common = {"model": "m", "options": "", "dense_bytes": 8, "file_bytes": 4, "labels_bytes": 0, "ratio": 2.0}
    (table,) = checkpoints.tables([common | scores | {"reference_error": 3e-7}])
    assert table.rows[0][-4:] == ("50.00%", "50.00%", "10 of 10", "3.0e-07")
