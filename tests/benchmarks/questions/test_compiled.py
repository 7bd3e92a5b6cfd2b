"""Compiled models: the program in C answers as the runtime does, and goals that are missed are told."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

import dcz
from benchmarks.questions import compiled

RATIOS = {"dcz": {"median": 1.1, "of_least": 1.0}}
ROW = {"network": "N", "bit_equal": True, "object": 300_000, "peak_mib": 4.0, "first_ms": 1.0, "ratios": RATIOS}


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_a_program_tells_its_start_its_memory_and_the_answer(small_container: Path, tmp_path: Path) -> None:
    program, report = compiled.build(small_container, tmp_path)
    first, peak, answer = compiled.start(program, 2)
    assert first > 0
    assert peak * 1024 > report.file_bytes / 1024
    sample = ((np.arange(64) % 7) - 3).astype(np.float32).reshape(1, 1, 8, 8)
    np.testing.assert_array_equal(answer, dcz.load(small_container)(sample)[0])


def test_goals_are_those_of_one_network() -> None:
    assert compiled.problems(compiled.GOAL, ROW) == []
    assert compiled.problems(compiled.GOAL, {**ROW, "object": 300_001}) == ["N: object is 300001, more than 300000"]
    assert compiled.problems("other", {**ROW, "object": 300_001}) == []
    assert compiled.problems("other", {**ROW, "bit_equal": False}) == ["N: the answers are not the runtime's"]
    slow = {**ROW, "ratios": {"dcz": {"of_least": 1.5}}}
    assert compiled.problems("other", slow) == ["N: a call takes 1.50 times the runtime's"]


def test_tables_compare_with_the_other_engines() -> None:
    row = {**ROW, "target": "t", "constants": 1000, "arena": 2000, "timer": "wall time"}
    seconds = {"compiled": 1e-6, "dcz": 1e-6}
    sizes, times = compiled.tables([{**row, "seconds": seconds}])
    assert sizes.rows == [("N", "t", "300", "1", "2", 4.0, 1.0, "equal")]
    assert (times.header, times.rows) == (("network", "compiled, us", "over dcz's"), [("N", 1.0, "1.10 (1.00)")])


def test_an_engine_that_did_not_run_is_told_so() -> None:
    row = {**ROW, "target": "t", "constants": 1000, "arena": 2000, "timer": "wall time"}
    both = {**row, "seconds": {"compiled": 1e-6, "ncnn": 1e-6}, "ratios": {"ncnn": {"median": 1, "of_least": 1}}}
    _, times = compiled.tables([{**row, "seconds": {"compiled": 1e-6}, "ratios": {}}, both])
    assert [line[-1] for line in times.rows] == ["not run", "1.00 (1.00)"]
