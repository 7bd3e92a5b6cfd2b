"""After a fork: a child process inherits neither threads nor usable locks, so it makes new ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

Owner = TypeVar("Owner")

_handlers: WeakKeyDictionary[Any, Callable[[Any], None]] = WeakKeyDictionary()


def after_fork(owner: Owner, renew: Callable[[Owner], None]) -> None:
    """Call ``renew(owner)`` in every process that is forked from this one, as long as the owner lives.

    Servers load a model first and fork their workers then.

    Parameters
    ----------
    owner : object
        Keeps threads, or locks that other threads may hold.
    renew : callable
        Drops the owner's threads, locks and queues, and makes new ones.
    """
    _handlers[owner] = renew


def _renew_all() -> None:
    for owner, renew in list(_handlers.items()):
        renew(owner)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
