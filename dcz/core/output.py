"""Where results go: refuse what cannot be written to before the work is done, and replace files whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from .errors import InputError


def with_ending(path: str | os.PathLike[str], ending: str) -> Path:
    """The path of a result that is named after what it is made of: ``net.dcz`` for ``net.pt``.

    Raises
    ------
    InputError
        The path ends in no name.
    """
    if not Path(path).name:
        raise InputError("a result cannot be named after this", path=path, hint="name it with -o")
    return Path(path).with_suffix(ending)


def check_output(path: str | os.PathLike[str], *reads: str | os.PathLike[str] | None) -> None:
    """Refuse a path that a result cannot be written to. To be asked before the work, as `replacing` comes after it.

    Parameters
    ----------
    path : path
        Of the result.
    *reads : path or None
        Files that the result is made of. One that is missing ends the check: whoever reads it says so.

    Raises
    ------
    InputError
        The result would take the place of one of `reads`.
    OSError
        A folder, a path in a folder that does not exist, or one that may not be written to; names `path`.
    """
    given = [read for read in reads if read is not None]
    if not all(map(os.path.exists, given)):
        return
    if any(os.path.exists(path) and os.path.samefile(path, read) for read in given):
        raise InputError("the result would take the place of what it is made of", path=path, hint="name another output")
    if os.path.isdir(path):
        raise _refusal(IsADirectoryError, errno.EISDIR, path)
    if _is_special(path):
        written = os.fspath(path)
    elif not os.path.isdir(written := os.path.dirname(os.path.realpath(path))):
        raise FileNotFoundError(errno.ENOENT, "there is no such folder to write to", os.fspath(path))
    if not os.access(written, os.W_OK):
        raise _refusal(PermissionError, errno.EACCES, path)


def files_among(*options: object) -> list[str | os.PathLike[str]]:
    """Those of some options that are files, and not names of something else: for `check_output`."""
    return [option for option in options if isinstance(option, str | os.PathLike) and os.path.isfile(option)]


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder for results, if there is none. Like `check_output`, to be asked before the work.

    Raises
    ------
    OSError
        It cannot be made, or not be written to; names `path`.
    """
    os.makedirs(path, exist_ok=True)
    if not os.access(path, os.W_OK | os.X_OK):
        raise _refusal(PermissionError, errno.EACCES, path)


def _refusal(kind: type[OSError], number: int, path: str | os.PathLike[str]) -> OSError:
    return kind(number, os.strerror(number), os.fspath(path))


def _is_special(path: str | os.PathLike[str]) -> bool:
    """Whether there is a device or a pipe, which is written to and never replaced."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """Open a temporary file (to write and read) beside a target; rename it over the target if all went well.

    A link stays one: what it leads to is replaced. A device or a pipe stays too, and gets what was written.

    Raises
    ------
    OSError
        Names the target, whatever file was at fault.
    """
    check_output(path)
    if _is_special(path):
        with tempfile.TemporaryFile() as file:
            yield file
            file.seek(0)
            with open(path, "wb") as device:
                shutil.copyfileobj(file, device)
        return
    target = Path(os.path.realpath(path))
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name[:40]}.", delete=False) as file:
            temporary = file.name
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, target)
    except BaseException as error:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
        if isinstance(error, OSError) and error.errno and error.filename in (None, temporary):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from None
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
