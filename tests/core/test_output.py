"""Output files: replaced as a whole or not at all; clear errors for paths that cannot be written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from dcz.core.output import check_output, files_among, make_folder, replacing, scratch_beside, with_ending
from dcz.dcformat import InputError

posix = pytest.mark.skipif(os.name != "posix", reason="links, pipes and modes are posix's")


KILLED = """
import os, signal, sys
from dcz.core.output import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def put(path: str | Path, content: bytes = b"new") -> None:
    with replacing(path) as file:
        file.write(content)


def test_a_result_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    put(tmp_path / "x", b"old")
    put(str(tmp_path / "x"))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path, error: type[BaseException]) -> None:
    def interrupted() -> None:
        with replacing(tmp_path / "x") as file:
            file.write(b"half")
            raise error

    put(tmp_path / "x", b"old")
    with pytest.raises(error):
        interrupted()
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_errors_of_the_temporary_file_name_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    def taken(source: str, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted", source, None, str(target))

    for name, step in (("fsync", full), ("replace", taken)):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, step)
            with pytest.raises(OSError, match=r"x'$") as caught:
                put(tmp_path / "x")
        assert caught.value.filename == str(tmp_path / "x")
        assert not list(tmp_path.iterdir())


def test_scratch_is_empty_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with scratch_beside(tmp_path / "x") as file:
        file.write(b"some bytes")
        file.seek(5)
        assert file.read() == b"bytes"
        assert not (tmp_path / "x").exists()
    assert not list(tmp_path.iterdir())

    def full() -> None:
        with scratch_beside(tmp_path / "x"):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        full()
    assert caught.value.filename == str(tmp_path / "x")


@posix
def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path: Path) -> None:
    names = ("x", "[x]*")  # the second would match others as a pattern
    for name in names:
        killed = subprocess.run([sys.executable, "-c", KILLED, tmp_path / name], check=False)
        assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == len(names)
    for name in names:
        put(tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


@posix
def test_what_a_living_writer_writes_stays(tmp_path: Path) -> None:
    with replacing(tmp_path / "x") as file:
        file.write(b"the slower")
        put(tmp_path / "x", b"the faster")
        assert (tmp_path / "x").read_bytes() == b"the faster"
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"the slower"]


@posix
def test_a_file_taken_for_stale_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    lock, removed = fcntl.flock, []

    def late(held: int, how: int) -> None:
        if not removed:
            (unlocked,) = tmp_path.iterdir()
            unlocked.unlink()
            removed.append(unlocked)
        lock(held, how)

    monkeypatch.setattr(fcntl, "flock", late)
    put(tmp_path / "x")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]
    assert removed


@posix
def test_without_locks_nothing_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(pytest.importorskip("fcntl"), "flock", unsupported)
    with replacing(tmp_path / "x"):
        put(tmp_path / "x", b"the faster")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b""]


def test_a_full_disk_is_named_whatever_a_library_makes_of_it(
    tmp_path: Path, disk_with_room_for: Callable[[int], None]
) -> None:
    def save() -> None:
        with replacing(tmp_path / "x") as file:
            try:
                file.write(bytes(200_000))
            except OSError as error:
                raise RuntimeError("unexpected position") from error  # as torch.save does

    disk_with_room_for(100_000)
    with pytest.raises(OSError, match=r"File too large.*x'$"):
        save()
    assert not list(tmp_path.iterdir())


@posix
def test_a_full_device_is_named() -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        put("/dev/full")


def test_our_own_errors_stay_whatever_they_come_from(tmp_path: Path) -> None:
    def refuse() -> None:
        with replacing(tmp_path / "x"):
            try:
                raise OSError(5, "Input/output error")
            except OSError as error:
                raise InputError("no picture") from error

    with pytest.raises(InputError, match="no picture"):
        refuse()


def test_errors_about_other_files_stay(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="missing"), replacing(tmp_path / "x"):
        (tmp_path / "missing").read_bytes()


def test_folders_and_places_in_none_are_refused_before_and_after(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path, kind in (
        (tmp_path, IsADirectoryError),
        (tmp_path / "none" / "x", FileNotFoundError),
        (tmp_path / "file" / "x", NotADirectoryError),
    ):
        for use in (check_output, put):
            with pytest.raises(kind) as caught:
                use(path)
            assert caught.value.filename == str(path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_name_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    put(tmp_path / ("x" * 255))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_may_not_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != (str(tmp_path), os.W_OK))  # root may anywhere
    with pytest.raises(PermissionError, match=r"x'$"):
        check_output(tmp_path / "x")


def test_a_file_system_that_is_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class ReadOnly:
        f_flag = getattr(os, "ST_RDONLY", 1)

    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(os, "statvfs", lambda _: ReadOnly)
    for refuse in (lambda: check_output(tmp_path / "x"), lambda: make_folder(tmp_path)):
        with pytest.raises(OSError, match="Read-only file system"):
            refuse()


@posix
def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there/x")
    for content in (b"old", b"new"):  # the link leads nowhere at first
        check_output(tmp_path / "link")
        put(tmp_path / "link", content)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "there" / "x").read_bytes() == content


@posix
def test_a_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    check_output(pipe)
    put(pipe)
    reader.join(10)
    assert got == [b"new"]
    assert pipe.is_fifo()


def test_what_is_read_is_not_written(tmp_path: Path) -> None:
    model, other = tmp_path / "model", tmp_path / "other"
    model.touch()
    check_output(other, model, None)
    check_output(tmp_path / "none" / "x", tmp_path / "missing")  # who reads that says so
    other.hardlink_to(model)
    for output in (model, other, f"{tmp_path}/./model"):
        with pytest.raises(InputError, match="take the place"):
            check_output(output, None, model)


def test_results_are_named_after_what_they_are_made_of() -> None:
    assert with_ending("a.b/net.v2.pt", ".dcz") == Path("a.b/net.v2.dcz")
    for folder in (".", "/", ""):
        with pytest.raises(InputError, match="cannot be named after this"):
            with_ending(folder, ".dcz")


def test_options_that_are_files(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("cat")
    path = str(tmp_path / "labels.txt")
    options = (None, ["cat"], "mnist", tmp_path, path, tmp_path / "labels.txt", tmp_path / "missing")
    assert files_among(*options) == [path, tmp_path / "labels.txt"]


def test_a_folder_for_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):  # made, then found
        make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    put(tmp_path / "file")
    with pytest.raises(OSError, match="file"):
        make_folder(tmp_path / "file")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match=r"a'$"):
        make_folder(tmp_path / "a")
