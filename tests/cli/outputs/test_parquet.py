"""Answers in Parquet files."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dcz.cli.outputs import parquet as output
from dcz.runtime import Model

parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of inputs and batches; parts end after four rows."""
    monkeypatch.setattr(output, "PART_ROWS", 4)
    folder = tmp_path / "in"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for name, count in (("a", 1), ("b", 2), ("c", 1), ("d", 3), ("e", 1)):
        np.save(folder / f"{name}.npy", rng.normal(size=(count, 1, 8, 8)).astype(np.float32))
    (folder / "bad.npy").write_bytes(b"nothing")
    return folder


def rows(folder: Path) -> list[dict[str, object]]:
    return [row for part in sorted(folder.iterdir()) for row in parquet.read_table(part).to_pylist()]


def test_parts_hold_the_rows_of_csv(
    dcz: Callable, fails: Callable, small_container: Path, inputs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert dcz("infer", small_container, inputs, "--parquet", out, "--top", 2, "--batch-size", 2).code == 1
    assert [part.name for part in sorted(out.iterdir())] == [f"part-{i:06}.parquet" for i in range(2)]
    table = csv.DictReader(dcz("infer", small_container, inputs, "--csv", "--top", 2).out.splitlines())
    assert [{k: "" if v is None else str(v) for k, v in row.items()} for row in rows(out)] == list(table)
    assert "the folder is not empty" in fails("infer", small_container, inputs, "--parquet", out)


@pytest.mark.parametrize("count", [0, 2, 5, 8])
def test_a_run_goes_on_where_it_was_interrupted(
    dcz: Callable, small_container: Path, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    answers = Model.answers

    def interrupted(*args: object) -> object:
        for i, answer in enumerate(answers(*args)):
            if i == count:
                raise KeyboardInterrupt
            yield answer

    whole, out = tmp_path / "whole", tmp_path / "out"
    dcz("infer", small_container, inputs, "--parquet", whole, "--top", 2, "--batch-size", 2)
    with monkeypatch.context() as patch:
        patch.setattr(Model, "answers", interrupted)
        assert dcz("infer", small_container, inputs, "--parquet", out, "--top", 2, "--batch-size", 2).code == 130
    dcz("infer", small_container, inputs, "--parquet", out, "--top", 2, "--batch-size", 2, "--resume")
    assert rows(out) == rows(whole)


def test_parts_of_others_are_not_gone_on_with(
    fails: Callable, small_container: Path, inputs: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "part-000000.parquet").write_bytes(b"something else")
    line = fails("infer", small_container, inputs, "--parquet", tmp_path / "out", "--resume")
    assert "part-000000.parquet: not an output of dcz infer --parquet" in line
