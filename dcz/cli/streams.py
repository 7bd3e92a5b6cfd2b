"""Standard streams that lose no answer: stdout in any encoding, and a stderr that is closed, full or broken."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

ESCAPE = "dcz.escape"
"""Error handler for encodings: escapes as in JSON, which serve in text too."""


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(ESCAPE, _escape)


class _Messages:
    """A stream for messages that drops what it cannot write: it is full, its reader has gone, or it was closed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, message: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(message)
        return len(message)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


@contextmanager
def safe_streams() -> Iterator[None]:
    """While it lasts, what stdout cannot encode is escaped, and what stderr does not take is dropped."""
    stderr = sys.stderr
    with _escaping(sys.stdout), open(os.devnull, "w") as nowhere:
        sys.stderr = cast(TextIO, _Messages(stderr or nowhere))  # there is none where it was closed beforehand
        try:
            yield
        finally:
            sys.stderr = stderr


@contextmanager
def _escaping(stream: TextIO | None) -> Iterator[None]:
    if not isinstance(stream, io.TextIOWrapper):
        yield
        return
    errors = stream.errors
    stream.reconfigure(errors=ESCAPE)
    try:
        yield
    finally:
        with suppress(OSError):  # it flushes, too
            stream.reconfigure(errors=errors)
