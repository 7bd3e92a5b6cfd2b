"""Safe standard streams: stdout in any encoding, and a stderr that may be closed, full or broken."""

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
"""Error handler for encodings: escapes a character as JSON does, in JSON and in text alike."""


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(ESCAPE, _escape)


class _Messages:
    """A stream for messages. It drops a message when the stream is full or closed, or its reader has gone."""

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
    """Within the context, stdout escapes characters it cannot encode, and stderr drops messages it cannot write."""
    stderr = sys.stderr
    with _escaping(sys.stdout), open(os.devnull, "w") as nowhere:
        sys.stderr = cast(TextIO, _Messages(stderr or nowhere))  # None where the caller closed it
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
        with suppress(OSError):  # reconfigure flushes, which may fail
            stream.reconfigure(errors=errors)
