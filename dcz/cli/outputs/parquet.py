"""Parquet output: a folder of parts, each written as a whole."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...core.errors import InputError
from ...core.output import make_folder, replacing
from ...core.printable import printable
from .resuming import Answered, begun
from .styles import COLUMNS, Output, rows

if TYPE_CHECKING:
    from ...runtime import Answer

PART_ROWS = 1 << 16
"""Rows after which a part ends: those that a process may lose when it is killed."""


class Parquet(Output):
    """Parts in a folder, with the columns of the CSV output. A part holds the answers of whole batches.

    Parameters
    ----------
    folder : str
    batch_size : int
    """

    def __init__(self, folder: str, batch_size: int) -> None:
        import pyarrow  # here, so that its absence is told before the work
        import pyarrow.parquet

        types = (pyarrow.string(), pyarrow.int32(), pyarrow.string(), pyarrow.int32(), pyarrow.float64())
        self._arrow = pyarrow
        self._schema: Any = pyarrow.schema(list(zip(COLUMNS, (*types, pyarrow.string()), strict=True)))
        self._folder = folder
        self._rows: list[tuple[object, ...]] = []
        self._batch_size = batch_size
        self._images = self._batch_start = 0
        make_folder(folder)

    def remaining(self, paths: Iterator[str], batch_size: int) -> Iterator[str]:
        """The paths without answers in the folder: a part ends with a batch, and has all answers of its images."""
        begun(paths, self._answered(), self._folder, printable, batch_size)
        return paths

    def write(self, answer: Answer) -> None:
        """Keep an answer until the part is full."""
        if _begins(answer.name):
            if self._images % self._batch_size == 0:
                if len(self._rows) >= PART_ROWS:
                    self._write_part(len(self._rows))
                self._batch_start = len(self._rows)
            self._images += 1
        self._rows += rows(answer)

    def close(self, complete: bool) -> None:
        """Write the last part; unless all answers came, without the last batch."""
        self._write_part(len(self._rows) if complete else self._batch_start)

    def _parts(self) -> list[str]:
        return sorted(glob.glob(os.path.join(glob.escape(self._folder), "part-*.parquet")))

    def _write_part(self, end: int) -> None:
        written, self._rows = self._rows[:end], self._rows[end:]
        if not written:
            return
        columns = map(self._arrow.array, zip(*written, strict=True), self._schema.types)
        path = os.path.join(self._folder, f"part-{len(self._parts()):06}.parquet")
        with replacing(path) as file:
            self._arrow.parquet.write_table(self._arrow.table(list(columns), self._schema), file)

    def _answered(self) -> Iterator[Answered]:
        for part in self._parts():
            try:
                with self._arrow.parquet.ParquetFile(part) as file:
                    for batch in file.iter_batches(columns=["path", "rank"]):
                        for name, rank in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                            if rank in (None, 1):
                                yield Answered(name, 0)
            except (self._arrow.ArrowException, OSError, ValueError) as error:
                raise InputError(f"not an output of dcz infer --parquet: {error}", path=part) from None


def _begins(name: str) -> bool:
    """Whether an answer is the first of its file: not one of the later samples of a batch."""
    return not name.endswith("]") or name.endswith("[0]")
