"""The styles of output: one class each."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import IO, TYPE_CHECKING, ClassVar, TextIO

from ...core.errors import InputError
from ...core.json_text import to_json
from ...core.printable import printable
from .resuming import Answered, begun, whole_lines

if TYPE_CHECKING:
    from ...runtime import Answer, Prediction

COLUMNS = ("path", "rank", "label", "index", "score", "error")


class Output:
    """Answers on their way to a person or a file.

    Attributes
    ----------
    shows_errors : bool
        Whether errors stand among the answers.
    """

    shows_errors: ClassVar[bool] = True

    def remaining(self, paths: Iterator[str], batch_size: int) -> Iterator[str]:
        """The paths that are to be answered, where the output holds answers of an earlier run."""
        return paths

    def write(self, answer: Answer) -> None:
        """Take an answer."""
        raise NotImplementedError

    def close(self, complete: bool) -> None:
        """Write what is held back; `complete`: whether all answers came."""


class Text(Output):
    """Lines for people, aligned, at the end."""

    shows_errors = False

    def __init__(self) -> None:
        self._answers: list[tuple[str, Sequence[Prediction]]] = []

    def write(self, answer: Answer) -> None:
        """Keep an answer."""
        if answer.error is None:
            self._answers.append((answer.name, answer.predictions))

    def close(self, complete: bool) -> None:
        """Print all lines."""
        if complete and self._answers:
            print("\n".join(lines(self._answers)))


class Document(Output):
    """One JSON document, at the end."""

    def __init__(self) -> None:
        self._answers: list[dict[str, object]] = []

    def write(self, answer: Answer) -> None:
        """Keep an answer."""
        self._answers.append(_as_dict(answer))

    def close(self, complete: bool) -> None:
        """Print the document."""
        if complete:
            print(to_json(self._answers))


class Rows(Output):
    """Lines in a file, or on standard output, each written as its answer comes.

    Parameters
    ----------
    path : str or None
        The file; without one, standard output.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._file: TextIO | None = None

    def remaining(self, paths: Iterator[str], batch_size: int) -> Iterator[str]:
        """The paths from the last batch in the file on, whose rows are removed, since some may lack."""
        if self._path is None or not os.path.exists(self._path):
            return paths
        with open(self._path, "rb") as written:
            batch, offset = begun(paths, self._answered(written), self._path, self._key, batch_size)
        os.truncate(self._path, offset)
        return chain(batch, paths)

    def write(self, answer: Answer) -> None:
        """Write an answer through to the file, so that it stays if the process is killed."""
        if self._file is None:  # a run that fails before its first answer leaves no file
            self._file = self._opened()
        self._file.write(self._rows(answer))
        self._file.flush()

    def close(self, complete: bool) -> None:
        """Close the file."""
        if self._path is not None and self._file is not None:
            self._file.close()

    def _opened(self) -> TextIO:
        return sys.stdout if self._path is None else open(self._path, "a", encoding="utf-8", newline="")

    def _rows(self, answer: Answer) -> str:
        raise NotImplementedError

    def _answered(self, file: IO[bytes]) -> Iterator[Answered]:
        """The answers in the file."""
        raise NotImplementedError

    @staticmethod
    def _key(path: str) -> str:
        """A path as the file shows it."""
        return path


class JsonLines(Rows):
    """A line of JSON an image."""

    def _rows(self, answer: Answer) -> str:
        return to_json(_as_dict(answer), indent=None) + "\n"

    def _answered(self, file: IO[bytes]) -> Iterator[Answered]:
        for offset, line in whole_lines(file):
            try:
                yield Answered(json.loads(line)["path"], offset)
            except (ValueError, TypeError, KeyError):
                raise _other_output("--jsonl", file.name, offset) from None


class Csv(Rows):
    """Rows of `COLUMNS`: one for each class of an image; one with the error for an image that cannot be read."""

    def _opened(self) -> TextIO:
        file = super()._opened()
        if self._path is None or not os.path.getsize(self._path):
            file.write(_csv([COLUMNS]))
        return file

    def _rows(self, answer: Answer) -> str:
        return _csv(rows(answer))

    def _answered(self, file: IO[bytes]) -> Iterator[Answered]:
        for offset, line in whole_lines(file):
            row = next(csv.reader([line.decode("utf-8", "replace")]), [])
            if len(row) != len(COLUMNS) or (offset == 0 and tuple(row) != COLUMNS):
                raise _other_output("--csv", file.name, offset)
            if offset and row[1] in ("", "1"):
                yield Answered(row[0], offset)

    @staticmethod
    def _key(path: str) -> str:
        return printable(path)


def rows(answer: Answer) -> list[tuple[object, ...]]:
    """The rows of an answer, as `COLUMNS` names them; None where a cell is empty."""
    name = printable(answer.name)
    if answer.error is not None:
        return [(name, None, None, None, None, printable(answer.error))]
    return [(name, rank, printable(p.label), p.index, p.score, None) for rank, p in enumerate(answer.predictions, 1)]


def lines(answers: Sequence[tuple[str, Sequence[Prediction]]]) -> Iterable[str]:
    """One line an image, its best answer first, in columns."""
    width = max(len(path) for path, _ in answers)
    cell = max(len(p.label) for _, top in answers for p in top)
    for path, top in answers:
        cells = (f"{printable(p.label):<{cell}} {p.score:>6.1%}" for p in top)
        yield f"{printable(path):<{width}}  {'  '.join(cells)}"


def _as_dict(answer: Answer) -> dict[str, object]:
    if answer.error is not None:
        return {"path": answer.name, "error": str(answer.error)}
    return {"path": answer.name, "predictions": [p._asdict() for p in answer.predictions]}


def _csv(table: Iterable[Sequence[object]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows(table)
    return written.getvalue()


def _other_output(style: str, path: str, offset: int) -> InputError:
    hint = "name another file, or leave out --resume"
    return InputError(f"not an output of dcz infer {style}", path=path, where=f"byte {offset:,}", hint=hint)
