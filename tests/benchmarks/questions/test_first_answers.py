from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.questions import first_answers
from benchmarks.suite import HERE, Options


def test_without_another_build_there_is_nothing_to_measure() -> None:
    assert first_answers.cases(Options(networks=("lenet-5",))) == {}
    assert first_answers.tables([]) == []


def test_a_build_beside_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_answers, "STARTS", 1)
    options = Options(networks=("lenet-300-100",), work=tmp_path, build=HERE.parent)
    ((_, case),) = first_answers.cases(options).items()
    (row,) = case()
    assert row["default"]["bytes"] < row["huffman"]["bytes"]
    assert row["default"]["answer_s"] == pytest.approx(row["ratio"] * row["huffman"]["answer_s"])
    for table in first_answers.tables([row]):
        assert len(table.rows[0]) == len(table.header)
