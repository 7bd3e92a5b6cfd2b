from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dcz.aot import streaming


def test_compile_writes_object_and_header_and_reports(
    dcz: Callable[..., Any], small_container: Path, tmp_path: Path
) -> None:
    made, header = tmp_path / "m.o", tmp_path / "m.h"
    result = dcz("compile", small_container, "-o", made, "--header", header, "--prefix", "net_", "--report")
    assert result.code == 0
    first, *rows = result.out.splitlines()
    assert first.startswith(f"{made}: {made.stat().st_size:,} bytes, for ")
    assert [row[:16].strip() for row in rows] == ["flash", "weights", "code", "arena", "peak", "largest layer"]
    assert "int net_run(const float *in, float *out, void *arena);" in header.read_text()


def test_weights_that_are_stored_unpacked_are_named(
    dcz: Callable[..., Any], small_container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "LEAST_BYTES", 1)  # the network is small: nothing of it is coded
    result = dcz("compile", small_container, "-o", tmp_path / "m.o", "--stream-weights", "--report")
    assert result.code == 0
    line, flash, weights, _, arena, *_ = result.out.splitlines()[1:]
    assert re.fullmatch(r"stored unpacked, as coding .*: (\S+ \([\d,]+ bytes\)(, | and 1 more)?)+", line)
    assert flash.split()[0] == "flash"
    assert ", of which 0 are coded, 0 when packed, with their tables" in weights
    assert arena.endswith("for a call of 1, of which 0 are for decoding")


def test_a_target_that_is_unknown_is_one_clear_line(
    fails: Callable[..., str], small_container: Path, tmp_path: Path
) -> None:
    said = fails("compile", small_container, "-o", tmp_path / "m.o", "--target", "z80")
    assert "unknown target (expected native, x86-64-v2" in said
