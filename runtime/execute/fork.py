"""What a child process makes anew: threads and locks do not follow it through a fork."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """Something that keeps threads, or locks that other threads may hold."""

    def renew(self) -> None:
        """Forget threads, locks and queues, and make new ones."""


_living: WeakSet[Renewable] = WeakSet()


def renew_in_children(it: Renewable) -> None:
    """Have `it` renewed in every process that is forked off this one, as servers do that load first and fork then."""
    _living.add(it)


def _renew() -> None:
    for it in list(_living):
        it.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
