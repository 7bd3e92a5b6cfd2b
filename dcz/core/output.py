"""Output files: check before the work that a path can be written, and replace a file as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .errors import DczError, InputError

try:
    import fcntl
except ModuleNotFoundError:  # Windows: unfinished files are not locked there, and stale ones stay
    fcntl = None  # type: ignore[assignment]

UNFINISHED = ".dcz-part"
"""Ending of temporary files. A later write recognises by it the ones that a killed process left behind."""


def with_ending(path: str | os.PathLike[str], ending: str) -> Path:
    """The path of a result that is named after its source: ``net.dcz`` for ``net.pt``.

    Raises
    ------
    InputError
        The path ends in no name.
    """
    if not Path(path).name:
        raise InputError("a result cannot be named after this", path=path, hint="name it with -o")
    return Path(path).with_suffix(ending)


def check_output(path: str | os.PathLike[str], *reads: str | os.PathLike[str] | None) -> None:
    """Refuse a path that a result cannot be written to. Call it before the work; `replacing` comes after it.

    Parameters
    ----------
    path : path
        Of the result.
    *reads : path or None
        Files that the result is made from. If one is missing, the check ends: its reader reports that.

    Raises
    ------
    InputError
        The result would take the place of one of `reads`.
    OSError
        `path` is a folder, its folder does not exist, or writing is not permitted; the error names `path`.
    """
    given = [read for read in reads if read is not None]
    if not all(map(os.path.exists, given)):
        return
    if any(os.path.exists(path) and os.path.samefile(path, read) for read in given):
        raise InputError("the result would take the place of what it is made of", path=path, hint="name another output")
    if os.path.isdir(path):
        raise _error(errno.EISDIR, path)
    if _is_special(path):
        written = os.fspath(path)
    elif not os.path.isdir(written := os.path.dirname(os.path.realpath(path))):
        raise FileNotFoundError(errno.ENOENT, "there is no such folder to write to", os.fspath(path))
    if not os.access(written, os.W_OK):
        raise _error(_why_not(written), path)


def files_among(*options: object) -> list[str | os.PathLike[str]]:
    """The options that are paths of existing files: for `check_output`."""
    return [option for option in options if isinstance(option, str | os.PathLike) and os.path.isfile(option)]


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder for results if it does not exist. Call it before the work, like `check_output`.

    Raises
    ------
    OSError
        The folder cannot be made or written to; the error names `path`.
    """
    os.makedirs(path, exist_ok=True)
    if not os.access(path, os.W_OK | os.X_OK):
        raise _error(_why_not(path), path)


def _error(number: int, path: str | os.PathLike[str]) -> OSError:
    """The OSError for an error number."""
    return OSError(number, os.strerror(number), os.fspath(path))


def _why_not(path: str | os.PathLike[str]) -> int:
    """The error number for a path that is not writable: a read-only file system, or no permission."""
    read_only = hasattr(os, "statvfs") and os.statvfs(path).f_flag & os.ST_RDONLY
    return errno.EROFS if read_only else errno.EACCES


def _is_special(path: str | os.PathLike[str]) -> bool:
    """Whether the path is a device or a pipe: it is written to and never replaced."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a temporary file (to write and read) beside a target; rename it over the target on success.

    A symbolic link stays: its target is replaced. A device or a pipe stays: the content is copied to it. Temporary
    files that killed processes left behind for the same target are removed first; those of running processes are
    locked, and stay.

    Raises
    ------
    OSError
        The write failed. The error names the target, even where the temporary file failed or a library raised another
        type.
    """
    check_output(path)
    with (
        _naming(path),
        _handed_on(path) if _is_special(path) else _beside(Path(os.path.realpath(path))) as file,
    ):
        yield file


@contextlib.contextmanager
def scratch_beside(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open an empty file (to write and read) in the folder of a target, for data that memory shall not hold.

    It has no name there, so it is gone once it is closed, however the process ends.

    Raises
    ------
    OSError
        The write failed; the error names the target.
    """
    folder = None if _is_special(path) else os.path.dirname(os.path.realpath(path))
    with _naming(path), tempfile.TemporaryFile(dir=folder) as file:
        yield file


@contextlib.contextmanager
def _naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Name the target in errors of writes that have another name, or none."""
    try:
        yield
    except Exception as error:
        if fault := _failed_write(error):
            raise OSError(fault.errno, fault.strerror, os.fspath(path)) from None
        raise


@contextlib.contextmanager
def _handed_on(device: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A temporary file whose content is copied to a device or a pipe at the end."""
    with tempfile.TemporaryFile() as file:
        yield file
        file.seek(0)
        with open(device, "wb") as opened:
            shutil.copyfileobj(file, opened)


@contextlib.contextmanager
def _beside(target: Path) -> Iterator[IO[bytes]]:
    """A temporary file beside the target, renamed over it at the end."""
    _remove_stale(target)
    with contextlib.ExitStack() as lock:
        temporary = _unfinished(target, lock)
        try:
            with open(temporary, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise


def _beginning(target: Path) -> str:
    """Prefix of the names of a target's temporary files; short, as names have a greatest length."""
    return f".{target.name[:40]}."


def _unfinished(target: Path, lock: contextlib.ExitStack) -> str:
    """The path of a new, empty file beside the target, locked until `lock` is closed."""
    while True:
        held, path = tempfile.mkstemp(UNFINISHED, _beginning(target), target.parent)
        if fcntl is None:
            os.close(held)
            return path
        lock.callback(os.close, held)
        with contextlib.suppress(OSError):  # no locks on this file system, so no process removes the file as stale
            fcntl.flock(held, fcntl.LOCK_EX)
        if os.fstat(held).st_nlink:
            return path
        # Another process removed it as stale before it was locked.


def _remove_stale(target: Path) -> None:
    """Remove the target's temporary files that no process holds a lock on."""
    if fcntl is None:
        return
    for path in target.parent.glob(f"{glob.escape(_beginning(target))}*{UNFINISHED}"):
        with contextlib.suppress(OSError), path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer runs
            path.unlink()


def _failed_write(error: BaseException | None) -> OSError | None:
    """The OSError of a failed write: the error itself, or its context, as torch and zipfile raise their own over it."""
    while isinstance(error, Exception) and not isinstance(error, DczError):
        if isinstance(error, OSError):
            ours = error.filename is None or str(error.filename).endswith(UNFINISHED)
            return error if error.errno and ours else None
        error = error.__cause__ or error.__context__
    return None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
