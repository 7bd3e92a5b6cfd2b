"""Resuming a run: which images an output of an earlier run has answers of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import IO, NamedTuple

from ...core.errors import InputError


class Answered(NamedTuple):
    """One answer in a file: the name of its image, and the byte at which it begins."""

    name: str
    offset: int


def whole_lines(file: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their offsets, but for a last one without an end: its writer was killed."""
    offset = 0
    for line in file:
        if line.endswith(b"\n"):
            yield offset, line
        offset += len(line)


def remaining(
    paths: Iterator[str], answered: Iterable[Answered], output: str, key: Callable[[str], str]
) -> tuple[Iterator[str], int]:
    """The paths still to be answered.

    Parameters
    ----------
    paths : iterator of str
        All paths, in the order of the earlier run.
    answered : iterable of Answered
        The answers in its output. The last path's may be incomplete, so that path is answered again.
    output : str
        Name of the output, for messages.
    key : callable
        From a path to the name that the output gives it.

    Returns
    -------
    rest : iterator of str
    end : int
        The byte up to which the output is kept.

    Raises
    ------
    InputError
        The output has answers of other images.
    """
    path, end = None, 0
    for name, offset in answered:
        if path is not None and _is_later_sample(name, key(path)):
            continue
        path, end = next(paths, None), offset
        if path is None or name not in (key(path), f"{key(path)}[0]"):
            raise InputError(
                "the output has answers of other images",
                path=output,
                where=f"byte {offset:,}",
                expected="no more" if path is None else repr(key(path)),
                found=repr(name),
                hint="give the paths of the earlier run, or name another output",
            )
    return (paths if path is None else chain([path], paths)), end


def _is_later_sample(name: str, path: str) -> bool:
    """Whether a name is of a sample, other than the first, of the batch in a ``.npy`` file."""
    return name.startswith(f"{path}[") and name != f"{path}[0]"
