from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import starts
from benchmarks.suite import HERE, Options


def test_without_another_build_there_is_nothing_to_measure() -> None:
    assert starts.cases(Options(networks=("lenet-5",))) == {}
    assert starts.tables([]) == []


def test_a_build_beside_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "STARTS", 1)
    options = Options(networks=("lenet-300-100",), work=tmp_path, build=HERE.parent)
    ((_, case),) = starts.cases(options).items()
    (row,) = case()
    assert row["default"]["bytes"] < row["huffman"]["bytes"]
    assert row["default"]["answer_s"] == pytest.approx(row["ratio"] * row["huffman"]["answer_s"])
    for table in starts.tables([row]):
        assert len(table.rows[0]) == len(table.header)
