import io
import os
import tempfile
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from dcz.core import readahead
from dcz.core.readahead import PIECE, Content, name_of


@pytest.mark.parametrize("size", [0, 1, 1000, 3 * PIECE + 5])
def test_all_bytes_come(tmp_path: Path, size: int) -> None:
    data = np.random.default_rng(0).bytes(size)
    (tmp_path / "file").write_bytes(data)
    content = Content(tmp_path / "file")
    assert len(content) == size
    for offset, count in ((0, 20), (size // 2, size), (size, 1), (0, size)):
        assert content.read(offset, count) == data[offset : offset + count]
    assert content.read(0, size).readonly


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_pipes_too(tmp_path: Path) -> None:
    pipe, data = tmp_path / "pipe", bytes(range(256)) * 1000
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    content = Content(pipe)
    writer.join()
    assert content.read(0, len(content)) == data


def test_bytes_and_files_are_there_at_once(tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(1000)
    (tmp_path / "file").write_bytes(data)
    with (tmp_path / "file").open("rb") as file:
        file.seek(500)
        for source in (data, bytearray(data), memoryview(data), io.BytesIO(data), file):
            content = Content(source)
            assert content.read(10, 900) == data[10:910]
            assert content.origin == data
        assert not file.closed


def test_it_tells_where_the_same_content_can_be_had_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(b"12")
    assert Content("file").origin == str(tmp_path / "file")


def test_it_reads_all_where_no_thread_can_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: Thread) -> None:
        raise RuntimeError("can't start new thread")

    data = np.random.default_rng(0).bytes(3 * PIECE + 5)
    (tmp_path / "file").write_bytes(data)
    monkeypatch.setattr(Thread, "start", refuse)
    assert Content(tmp_path / "file").read(0, len(data)) == data


def test_names_for_messages(tmp_path: Path) -> None:
    assert name_of(tmp_path / "x.dcz") == str(tmp_path / "x.dcz")
    assert name_of(b"123") == "<bytes>"
    assert name_of(io.BytesIO()) == "<stream>"
    with (tmp_path / "x.dcz").open("wb") as file:
        assert name_of(file) == str(tmp_path / "x.dcz")
    with tempfile.TemporaryFile() as nameless:
        assert name_of(nameless) == "<stream>"


class Slow(io.FileIO):
    """A file that gives 100 bytes, and goes on, or fails, when it is told."""

    go, fails, given = Event(), False, 0

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self.given:
            assert self.go.wait(10)
            if self.fails:
                raise OSError(5, "Input/output error")
        read = super().readinto(buffer[:100])
        self.given += read
        return read


@pytest.mark.parametrize("fails", [False, True])
def test_what_has_come_is_there_before_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    data = np.random.default_rng(0).bytes(1000)
    (tmp_path / "file").write_bytes(data)
    monkeypatch.setattr(readahead, "open", lambda path, mode, buffering: Slow(path, mode), raising=False)
    monkeypatch.setattr(readahead, "FIRST_PIECE", 100)
    monkeypatch.setattr(Slow, "go", Event())
    monkeypatch.setattr(Slow, "fails", fails)
    content = Content(tmp_path / "file")
    assert content.read(20, 80) == data[20:100]
    assert not Slow.go.is_set()
    Slow.go.set()
    if fails:
        with pytest.raises(OSError, match="Input/output") as raised:
            content.read(20, 81)
        assert raised.value.filename == str(tmp_path / "file")
        assert content.read(0, 100) == data[:100], "what has come stays"
    else:
        assert content.read(20, 900) == data[20:920]


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Content(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError if os.name == "posix" else OSError):
        Content(tmp_path)
