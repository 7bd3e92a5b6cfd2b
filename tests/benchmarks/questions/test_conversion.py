"""Conversion as a benchmark: what a process takes, and goals that are missed are told."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.questions import conversion

ROW = {"network": "N", "largest": 392 << 20, "least_s": 29.9, "peak_mib": 1416.0}


def test_a_process_tells_its_time_and_memory() -> None:
    seconds, memory = conversion.run([sys.executable, "-c", "sum(range(3000000))"])
    less, _ = conversion.run([sys.executable, "-c", ""])
    assert seconds > less > 0
    assert memory > 1


def test_a_conversion_that_fails_is_no_measurement() -> None:
    with pytest.raises(subprocess.CalledProcessError):
        conversion.run([sys.executable, "-c", "raise SystemExit(3)"])


def test_goals_are_seconds_and_memory_beside_the_largest_tensor() -> None:
    assert conversion.problems(ROW, 30.0) == []
    assert conversion.problems({**ROW, "least_s": 30.25}, 30.0) == ["N: 30.2 s, more than 30.0"]
    assert conversion.problems({**ROW, "peak_mib": 1417.5}, 30.0) == ["N: 1417.5 MiB, more than 1416.0"]


def test_the_table_is_in_mib() -> None:
    (table,) = conversion.tables([{**ROW, "fp32": 1 << 20, "bytes": 3, "processor_s": 30.0}])
    assert table.rows == [("N", 1.0, 392.0, 3, 30.0, 29.9, 1416.0)]
