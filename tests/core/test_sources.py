"""Digests of source files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dcz.core import sources
from dcz.core.sources import source_digest


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "package"
    (folder / "inner").mkdir(parents=True)
    (folder / "one.py").write_text("one = 1\n")
    (folder / "inner" / "two.py").write_text("two = 2\n")
    return folder


def digest(folder: Path) -> str:
    source_digest.cache_clear()  # as in a new process
    return source_digest(str(folder))


def test_contents_and_names_count_and_nothing_else(package: Path) -> None:
    first = digest(package)
    (package / "notes.txt").write_text("no source")
    os.utime(package / "one.py", (1, 1))
    assert digest(package) == first
    (package / "inner" / "two.py").rename(package / "inner" / "three.py")
    assert digest(package) != first
    (package / "inner" / "three.py").rename(package / "inner" / "two.py")
    assert digest(package) == first


def test_an_edit_that_keeps_size_and_time_counts(package: Path) -> None:
    first, file = digest(package), package / "inner" / "two.py"
    times = file.stat()
    file.write_text("two = 3\n")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert digest(package) != first


def test_sources_are_read_once(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = digest(package)
    monkeypatch.setattr(sources, "_digest", lambda *_: pytest.fail("read again"))
    assert digest(package) == first
    monkeypatch.undo()
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    (kept,) = (tmp_path / "cache").rglob("sources.*")
    kept.write_bytes(b"damaged")
    assert digest(package) == first


def test_where_nothing_can_be_kept_the_digest_is_the_same(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = digest(package)
    monkeypatch.setattr("dcz.core.kept.folders", lambda *_: ["/dev/null/cache"])
    assert digest(package) == first
