from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_compile_writes_object_and_header_and_reports(
    dcz: Callable[..., Any], small_container: Path, tmp_path: Path
) -> None:
    made, header = tmp_path / "m.o", tmp_path / "m.h"
    result = dcz("compile", small_container, "-o", made, "--header", header, "--prefix", "net_", "--report")
    assert result.code == 0
    first, *rows = result.out.splitlines()
    assert first.startswith(f"{made}: {made.stat().st_size:,} bytes, for ")
    assert [row[:16].strip() for row in rows] == ["weights", "code", "arena", "largest layer"]
    assert "int net_run(const float *in, float *out, void *arena);" in header.read_text()


def test_a_target_that_is_unknown_is_one_clear_line(
    fails: Callable[..., str], small_container: Path, tmp_path: Path
) -> None:
    said = fails("compile", small_container, "-o", tmp_path / "m.o", "--target", "z80")
    assert "unknown target (expected native, x86-64-v2" in said
