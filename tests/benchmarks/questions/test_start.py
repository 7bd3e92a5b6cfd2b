"""Starts of Python: what a process takes, and goals that are missed are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.questions import start

ROW = {"network": "N", "way": start.PROGRAM, "least_s": 0.12, "peak_mib": 55.0}


def test_a_process_tells_its_time_and_memory() -> None:
    (alone, memory), (numpy, more) = (start.start(way, "no.dcz") for way in (start.PYTHON, start.NUMPY))
    assert alone > 0
    assert numpy > 0
    assert 1 < memory < more


def test_goals_are_those_of_compiled_programs() -> None:
    assert start.problems(ROW) == []
    assert start.problems({**ROW, "least_s": 0.13}) == ["N: least_s is 0.13, more than 0.12"]
    assert start.problems({**ROW, "way": start.KERNELS, "least_s": 0.13, "peak_mib": 99.0}) == []


def test_a_fresh_machine_has_a_goal_of_its_own() -> None:
    row = {**ROW, "way": start.FRESH, "least_s": 0.5, "whole_s": 0.9}
    assert start.problems(row) == []
    assert start.problems({**row, "whole_s": 1.5}) == ["N: a fresh machine takes 1.5 s, more than 1.0"]


def test_programs_of_a_container_are_copied_and_no_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    (tmp_path / "programs").mkdir()
    for name in ("3-a.program", "33-b.program", "3-c.code"):
        (tmp_path / "programs" / name).touch()
    (tmp_path / "n.dcz").write_bytes(b"dcz")
    start.copy_programs(tmp_path / "n.dcz", tmp_path / "fresh")
    assert [path.name for path in (tmp_path / "fresh").iterdir()] == ["3-a.program"]


def test_the_table_is_in_milliseconds() -> None:
    (table,) = start.tables([{**ROW, "whole_s": 0.25, "median_s": 0.125}])
    assert table.rows == [("N", start.PROGRAM, 250.0, 125.0, 120.0, 55.0)]
