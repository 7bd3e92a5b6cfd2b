"""Compiled programs take a bounded room, and can be removed; how they run is in tests/runtime/compiled."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dcz.aot.programs import check_programs, clear, prune
from dcz.dcformat import InputError


def program(folder: Path, name: str, nbytes: int, age: int) -> Path:
    path = folder / f"{name}.program"
    path.write_bytes(bytes(nbytes))
    os.utime(path, (1e9 - age, 1e9 - age))
    return path


def test_the_oldest_are_removed_but_none_that_was_just_made(tmp_path: Path) -> None:
    oldest, old, new = (program(tmp_path, f"p{age}", 100, age) for age in (3, 2, 1))
    other = tmp_path / "sources.abc"
    other.write_bytes(bytes(1000))
    prune(str(tmp_path), [], limit=300)
    assert oldest.exists()
    prune(str(tmp_path), [str(oldest)], limit=250)
    assert [path.exists() for path in (oldest, old, new, other)] == [True, False, True, True]
    prune(str(tmp_path), [str(new)], limit=0)
    assert [path.exists() for path in (oldest, old, new, other)] == [False, False, True, True]
    prune(str(tmp_path / "missing"), [])


def test_all_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dcz.aot.programs.folders", lambda: [str(tmp_path), str(tmp_path / "missing")])
    program(tmp_path, "one", 1, 1)
    program(tmp_path, "two", 1, 1)
    (tmp_path / "kernel.code").write_bytes(b"")
    assert clear() == 2
    assert os.listdir(tmp_path) == ["kernel.code"]


@pytest.mark.parametrize("setting", ["DCZ_PROGRAMS=0", "NUMBA_DISABLE_JIT=1"])
def test_nothing_is_compiled_that_would_not_be_used(setting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(*setting.split("=", 1))
    with pytest.raises(InputError, match="compiled programs are not used here"):
        check_programs()


def test_without_a_linker_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr("dcz.aot.linking.importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("dcz.aot.programs.usable", lambda: True)
    with pytest.raises(InputError, match="no linker was found"):
        check_programs()
