"""Garbage collection, paused where it finds nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
            gc.freeze()
        if enabled:
            gc.enable()
