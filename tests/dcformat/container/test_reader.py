"""Sources of a container: paths, bytes, files."""

import io
import os
from pathlib import Path
from threading import Thread

import pytest

from dcz.dcformat import FormatError, InputError, TruncatedError
from dcz.dcformat import open as open_container


def test_a_path_or_a_binary_file(path: Path) -> None:
    data = path.read_bytes()
    for source in (str(path), path, io.BytesIO(data), path.open("rb"), path.open("rb", buffering=0)):
        with open_container(source) as container:
            assert container.file_bytes == len(data)
            assert container.verify() == []
        if not isinstance(source, str | Path):
            assert not source.closed, "the caller opened it"
            source.close()


def test_bytes(path: Path) -> None:
    data = path.read_bytes()
    for source in (data, bytearray(data), memoryview(data)):
        with open_container(source) as container:
            assert container.path == "<bytes>"
            assert container.verify() == []
    with pytest.raises(TruncatedError, match=r"^<bytes>: file is cut short"):
        open_container(data[:-1])


def test_what_was_given_as_an_array_of_bytes_may_change(path: Path) -> None:
    data = bytearray(path.read_bytes())
    container = open_container(data)
    data[:] = bytes(len(data))
    assert container.verify() == []


class Stream(io.BytesIO):
    """A file that comes once, as from a network."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation("seek")


def test_a_stream_that_is_not_seekable(path: Path) -> None:
    stream = Stream(path.read_bytes())
    with open_container(stream) as container:
        assert container.verify() == []
    assert not stream.closed


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe(path: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_bytes, args=(path.read_bytes(),))
    writer.start()
    with open_container(pipe) as container:
        assert container.verify() == []
    writer.join()


def test_a_file_that_is_open_as_text_is_refused(path: Path) -> None:
    with path.open(encoding="latin-1") as file, pytest.raises(InputError, match=r"\.dcz: file is open as text"):
        open_container(file)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="open it as binary"):
        open_container(io.StringIO("text"))  # type: ignore[arg-type]


def test_it_is_shown_in_short(path: Path) -> None:
    container = open_container(path)
    size = f"{path.stat().st_size:,}"
    assert repr(container) == f"<dcz.Container {str(path)!r}: 8 tensors, {size} bytes>"
    container.close()
    assert repr(container) == f"<dcz.Container {str(path)!r}: 8 tensors, {size} bytes, closed>"


def test_a_bad_file_is_named_and_closed(tmp_path: Path) -> None:
    bad = tmp_path / "bad.dcz"
    bad.write_bytes(b"GIF89a" + bytes(50))
    with pytest.raises(FormatError) as caught:
        open_container(bad)
    assert str(caught.value).startswith(f"{bad}: not a .dcz container (expected first bytes 89 44 43 5a")
    assert caught.value.path == str(bad)
    stream = io.BytesIO(b"")
    with pytest.raises(FormatError, match=r"^<stream>: .*an empty file"):
        open_container(stream)
    assert not stream.closed


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_container(tmp_path / "none.dcz")
    with pytest.raises(IsADirectoryError):
        open_container(tmp_path)
