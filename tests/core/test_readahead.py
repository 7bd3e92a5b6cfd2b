import io
import os
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest

from dcz.core.readahead import PIECE, Content


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
    monkeypatch.setattr(Path, "open", lambda path, mode, buffering: Slow(path, mode))
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
