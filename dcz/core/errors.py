"""Every error that dcz raises on purpose.

::

    DczError
    ├── FormatError (ValueError)         the bytes are not a valid container
    │   ├── TruncatedError                 ... they end too early
    │   ├── ChecksumError                  ... they were changed
    │   └── UnsupportedVersionError        ... they were written by a newer dcz
    ├── UnsupportedOpError (NotImplementedError)   the network uses an operator that dcz lacks
    ├── ConversionError (ValueError)     a checkpoint cannot become a container
    └── InputError (ValueError)          an input does not fit the model, or an output path is wrong
"""

from __future__ import annotations

import os
from collections.abc import Iterable

SHOWN = 3
"""Names that a message lists before it counts the rest."""


def listed(names: Iterable[object], separator: str = ", ", rest: str = " and") -> str:
    """List the first few names and count the rest, for a message: ``a, b, c and 2 more``."""
    all_names = [str(name) for name in names]
    return _with_rest(all_names[:SHOWN], len(all_names), separator, rest)


def _with_rest(first: list[str], count: int, separator: str = ", ", rest: str = " and") -> str:
    more = f"{rest} {count - SHOWN:,} more" if count > SHOWN else ""
    return separator.join(first) + more


class Tally:
    """Names for a message, counted one by one; of many, only the first few are kept.

    Attributes
    ----------
    count : int
    """

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def add(self, name: object) -> None:
        """Count a name."""
        self.count += 1
        if len(self._first) < SHOWN:
            self._first.append(str(name))

    def __str__(self) -> str:
        """The names as `listed` shows them."""
        return _with_rest(self._first, self.count)


def quoted(names: Iterable[object]) -> str:
    """List names like `listed`, each in quotes."""
    return listed(map(repr, names))


class DczError(Exception):
    """Root of all dcz errors.

    The message is one line: ``path: what (where, expected ..., found ...); hint``.

    Parameters
    ----------
    what : str
        What is wrong.
    path : str or os.PathLike, optional
        The file concerned.
    where : str, optional
        The place in it: a section, a byte offset, a node, a key.
    expected, found : object, optional
        The value that should be there, and the one that is.
    hint : str, optional
        What the user can do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        path: str | os.PathLike[str] | None = None,
        where: str | None = None,
        expected: object = None,
        found: object = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.path = os.fspath(path) if path is not None else None
        self.where = where
        self.expected = expected
        self.found = found
        self.hint = hint

    def __str__(self) -> str:
        details = [self.where] if self.where else []
        if self.expected is not None:
            details.append(f"expected {self.expected}")
        if self.found is not None:
            details.append(f"found {self.found}")
        text = f"{self.path}: {self.what}" if self.path else self.what
        if details:
            text += f" ({', '.join(details)})"
        if self.hint:
            text += f"; {self.hint}"
        return text

    def at(self, path: str | os.PathLike[str]) -> DczError:
        """Add the path to the error if it has none, and return it: for callers that know the path."""
        if self.path is None:
            self.path = os.fspath(path)
        return self


class FormatError(DczError, ValueError):
    """The bytes are not a valid container."""


class TruncatedError(FormatError):
    """The bytes end before the length that they state."""


class ChecksumError(FormatError):
    """A stored checksum and the bytes disagree."""


class UnsupportedVersionError(FormatError):
    """The container has a major version, encoding, element type, codebook form or op that this dcz does not know."""


class UnsupportedOpError(DczError, NotImplementedError):
    """The network uses an operator, or a form of one, that dcz does not have.

    Attributes
    ----------
    op : str
        The operator.
    node : str or None
        The node that uses it.
    shape : tuple of int or None
        Shape of the value it makes, without the batch axis.
    """

    def __init__(
        self,
        op: str,
        *,
        node: str | None = None,
        shape: tuple[int, ...] | None = None,
        why: str = "operator is not supported",
        path: str | os.PathLike[str] | None = None,
        hint: str | None = None,
    ) -> None:
        where = ", ".join(
            part
            for part in (f"node {node!r}" if node else "", f"shape {tuple(shape)}" if shape is not None else "")
            if part
        )
        super().__init__(f"{op}: {why}", path=path, where=where or None, hint=hint)
        self.op = op
        self.node = node
        self.shape = shape


class ConversionError(DczError, ValueError):
    """A checkpoint cannot become a container."""


class InputError(DczError, ValueError):
    """An input (an image, a batch) does not fit the model, or the output would overwrite an input."""
