"""SIGTERM, as an exception."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn


class Terminated(BaseException):
    """SIGTERM arrived. Like KeyboardInterrupt it is no `Exception`, so only cleanup code sees it on its way."""


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Within the context, SIGTERM ends a command like Ctrl-C, unless the calling program has its own handler.

    Only the main thread can install a signal handler.
    """
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not ours:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal would interrupt the cleanup
    raise Terminated
