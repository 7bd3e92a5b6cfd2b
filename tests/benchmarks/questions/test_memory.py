"""The memory of commands: told by a process of their own, and held against what a large network may take."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.questions import memory


def test_a_command_runs_in_a_process_of_its_own(small_container: Path, tmp_path: Path) -> None:
    imported, peak = memory.run("export", str(small_container), "-o", str(tmp_path / "out.safetensors"))
    assert (tmp_path / "out.safetensors").exists()
    assert 50 < imported <= peak
    with pytest.raises(subprocess.CalledProcessError):
        memory.run("export", str(tmp_path / "nothing.dcz"), "-o", str(tmp_path / "out.pt"))


def test_each_network_is_converted_and_exported_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[tuple[str, ...]] = []

    def run(*command: str) -> tuple[float, float]:
        assert command[0] == "export" or Path(command[1]).exists()
        commands.append(command)
        return 200.0, 300.0

    monkeypatch.setattr(memory, "run", run)
    rows = memory.measure("lenet-300-100")
    assert [command[0] for command in commands] == ["convert", "convert", "export", "export"]
    assert all(row["fp32"] == 4 * 266_610 and row["problems"] == [] for row in rows)
    (table,) = memory.tables(rows)
    assert table.rows[0][2:] == (4 * 266_610 / (1 << 20), 200.0, 300.0, "294.97")


def test_a_large_network_has_a_limit() -> None:
    gib = 1 << 30
    assert memory._row("N", "convert --bits 5", gib, 300.0, 2.49 * 1024)["problems"] == []
    assert memory._row("N", "convert --bits 5", gib, 300.0, 2.51 * 1024)["problems"] != []
    assert memory._row("N", "export to .pt", gib, 300.0, 1.31 * 1024)["problems"] != []
