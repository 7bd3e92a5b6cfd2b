"""Resuming a run: which images an output of an earlier run has answers of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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


class Begun(NamedTuple):
    """How far a run came.

    Attributes
    ----------
    batch : list of str
        The paths of the last batch that has answers.
    offset : int
        The byte at which its answers begin.
    """

    batch: list[str]
    offset: int


def begun(
    paths: Iterator[str], answered: Iterable[Answered], output: str, key: Callable[[str], str], batch_size: int
) -> Begun:
    """Take from all paths those that have answers.

    A run goes on at the start of a batch, so that images share batches as in a run that nobody stopped: how samples are
    batched may change the last digits of their answers.

    Parameters
    ----------
    paths : iterator of str
        All paths, in the order of the earlier run. Those without answers stay in it.
    answered : iterable of Answered
        The answers in its output. The last path's may be incomplete.
    output : str
        Name of the output, for messages.
    key : callable
        From a path to the name that the output gives it.
    batch_size : int

    Raises
    ------
    InputError
        The output has answers of other images.
    """
    batch: list[str] = []
    begin = 0
    for name, offset in answered:
        if batch and _is_later_sample(name, key(batch[-1])):
            continue
        path = next(paths, None)
        if path is None or name not in (key(path), f"{key(path)}[0]"):
            raise InputError(
                "the output has answers of other images",
                path=output,
                where=f"byte {offset:,}",
                expected="no more" if path is None else repr(key(path)),
                found=repr(name),
                hint="give the paths of the earlier run, or name another output",
            )
        if len(batch) == batch_size:
            batch.clear()
        if not batch:
            begin = offset
        batch.append(path)
    return Begun(batch, begin)


def _is_later_sample(name: str, path: str) -> bool:
    """Whether a name is of a sample, other than the first, of the batch in a ``.npy`` file."""
    return name.startswith(f"{path}[") and name != f"{path}[0]"
