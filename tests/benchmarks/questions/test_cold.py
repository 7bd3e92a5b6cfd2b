"""Cold calls of one layer: goals, and what the table says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.questions import cold

ROW = {"layer": "alexnet.fc8", "density": 0.25, "engine": cold.PROGRAM, "timer": "wall time", "error": 2e-7}
ROW |= {"median_ms": 0.02, "min_ms": 0.01, "ratio": {"median": 9.0, "of_least": 10.0}}


def test_a_goal_that_is_missed_is_told() -> None:
    assert cold.problems(ROW) == []
    slow = {**ROW, "ratio": {"median": 8.5}}
    assert cold.problems(slow) == ["alexnet.fc8: F.linear takes 8.5 times as long, less than 9"]
    assert cold.problems({**slow, "engine": cold.KERNELS}) == []


def test_times_are_in_microseconds() -> None:
    (table,) = cold.tables([ROW])
    assert table.rows == [("alexnet.fc8", "0.25", cold.PROGRAM, "20 (10)", "9.0 (10.0)", "2e-07")]


@pytest.mark.parametrize("before", [None, "1"])
def test_loading_without_a_program_leaves_the_settings(
    before: str | None, small_container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if before is None:
        monkeypatch.delenv("DCZ_PROGRAMS", raising=False)
    else:
        monkeypatch.setenv("DCZ_PROGRAMS", before)
    assert cold.loaded(small_container, cold.KERNELS).input_shape == (1, 8, 8)
    assert os.environ.get("DCZ_PROGRAMS") == before
