from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from benchmarks import peers
from benchmarks.questions import avx2
from benchmarks.questions.builds import BEFORE, NOW
from benchmarks.suite import Options


@pytest.fixture
def limiter(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "path", [str(peers.HERE), *sys.path])
    return import_module("with_onnxruntime_avx2")


def row(ratio: float, error: float = 0.0) -> dict[str, Any]:
    both = {NOW: {"median": 1.0, "of_least": 1.0}, BEFORE: {"median": ratio, "of_least": ratio}}
    times = {NOW: {"min_ms": 0.25}}
    return {"network": "N", "timer": "t", "milliseconds": times, "ratios": both, "errors": {NOW: error}}


def test_without_another_build_there_is_nothing_to_measure() -> None:
    assert avx2.cases(Options(networks=("lenet-5",))) == {}


def test_goals_are_for_the_networks_that_have_them() -> None:
    assert avx2.problems("resnet-20", row(1.7)) == avx2.problems("lenet-5", row(1.0)) == []
    assert avx2.problems("resnet-20", row(1.5)) == ["N: only 1.50 times as fast as the other build, not 1.6"]
    assert avx2.problems("lenet-5", row(1.0, 1e-3)) == ["N: this build answers otherwise: 0.001"]


def test_an_engine_that_is_missing_has_a_cell() -> None:
    (table,) = avx2.tables([row(1.7)])
    assert table.rows == [("N", 250.0, "1.70 (1.70)", "not run", "not run")]


def test_a_library_learns_that_the_system_saves_no_wide_registers(limiter: Any, tmp_path: Path) -> None:
    library = tmp_path / "a.so"
    library.write_bytes(b"\x31\xc9\x0f\x01\xd0 \x83\xe0\x0f\x01\xd0 \x0f\x01\xd0\x89\xc0\x48\xc1\xe2\x20")
    assert limiter.limit(library) == 2  # the one in the middle is `and eax, 15` and a part of another instruction
    assert library.read_bytes() == b"\x31\xc9\x6a\x07\x58 \x83\xe0\x0f\x01\xd0 \x6a\x07\x58\x89\xc0\x48\xc1\xe2\x20"
    assert limiter.limit(library) == 0
