"""Starts of Python: what a process takes, and goals that are missed are told."""

from __future__ import annotations

from benchmarks import start

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


def test_the_table_is_in_milliseconds() -> None:
    (table,) = start.tables([{**ROW, "whole_s": 0.25, "median_s": 0.125}])
    assert table.rows == [("N", start.PROGRAM, 250.0, 125.0, 120.0, 55.0)]
