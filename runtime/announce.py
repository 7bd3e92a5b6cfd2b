"""Says that kernels are being compiled, so that a first run of some seconds does not look like a hang."""

from __future__ import annotations

import logging

from numba.core import event


class _Announcer(event.Listener):  # type: ignore[misc]
    """Numba tells it of each compilation; kernels that come from the disk cache are none."""

    def __init__(self) -> None:
        self._said = False

    def on_start(self, event: event.Event) -> None:
        function = event.data["dispatcher"].py_func
        if not self._said and function.__module__.startswith(__package__ or ""):
            self._said = True
            logging.getLogger("dcz.runtime").info("compiling kernels, first run only")

    def on_end(self, event: event.Event) -> None:
        pass


_announcer = _Announcer()
_registered = False


def announce_compiling() -> None:
    """From now on log one message, at level INFO to ``dcz.runtime``, when a kernel has to be compiled."""
    global _registered
    if not _registered:
        _registered = True
        event.register("numba:compile", _announcer)
