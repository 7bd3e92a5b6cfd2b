from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.questions import builds
from benchmarks.suite import HERE, Options


def test_without_another_build_there_is_nothing_to_measure() -> None:
    assert builds.cases(Options(networks=("lenet-5",))) == {}
    assert builds.tables([]) == []


def test_a_build_beside_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "STARTS", 1)
    options = Options(networks=("lenet-300-100",), batches=(1,), seconds=0.1, work=tmp_path, build=HERE.parent)
    ((_, case),) = builds.cases(options).items()
    (row,) = case()
    assert row["bit_equal"]
    assert 0.1 < row["ratio"]["median"] < 10
    calls, starts = builds.tables([row])
    assert calls.rows[-1][0] == "geometric mean"
    assert len(starts.rows[0]) == len(starts.header)
