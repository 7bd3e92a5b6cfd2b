"""Files kept between processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dcz.core import kept


def test_what_was_kept_is_read_for_the_same_key_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "file")
    assert kept.read(path, ("key", 1)) is None
    kept.write(path, ("key", 1), b"data")
    assert kept.read(path, ("key", 1)) == b"data"
    assert kept.is_sound(path, ("key", 1))
    assert kept.read(path, ("key", 2)) is None
    assert not kept.is_sound(path, ("key", 2))
    kept.write(path, ("key", 2), b"")
    assert kept.read(path, ("key", 2)) == b""
    assert os.listdir(tmp_path / "new") == ["file"]


def test_damage_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_PIECE", 3)
    path = tmp_path / "file"
    kept.write(str(path), "key", b"some data")
    whole = path.read_bytes()
    assert kept.is_sound(str(path), "key")
    for damaged in (b"", whole[:10], whole[:-1], whole + b"\0", b"S" + whole[1:], whole[:-1] + b"\0"):
        path.write_bytes(damaged)
        assert kept.read(str(path), "key") is None
        assert not kept.is_sound(str(path), "key")


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, content: bytes) -> None:
        Path(path).write_bytes(content[:3])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept, "_fill", full)
    with pytest.raises(OSError, match="No space"):
        kept.write(str(tmp_path / "file"), "key", b"data")
    assert not os.listdir(tmp_path)


def test_folders_are_those_of_the_setting_the_source_and_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/user")
    assert kept.folders("kind", "/source") == ["/source", "/home/user/.cache/dcz/kind"]
    monkeypatch.setenv("NUMBA_CACHE_DIR", "/given")
    monkeypatch.setenv("XDG_CACHE_HOME", "/own")
    assert kept.folders("kind", "/source") == ["/given/kind", "/source", "/own/dcz/kind"]
