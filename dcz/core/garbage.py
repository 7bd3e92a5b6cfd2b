"""Garbage collection, paused where it finds nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def exempt() -> None:
    """Exempt all objects that there are from later searches for cycles.

    So a process that imported torch ends .7 s sooner: the interpreter would search all objects once more.
    """
    gc.freeze()


@contextmanager
def uncollected(for_good: bool = False) -> Iterator[None]:
    """Pause the search for cycles of objects while many are made that stay: it takes a fifth of an import's time.

    Parameters
    ----------
    for_good : bool
        Exempt all objects that there are at the end from later searches: for modules, in a process that ends soon.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if for_good:
            exempt()
        if enabled:
            gc.enable()
