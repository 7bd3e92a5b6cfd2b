"""How the report tells its caller that it works; it prints nothing itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

Item = TypeVar("Item")


class Progress(Protocol):
    """``progress(items, total)`` gives the items back, and may show how far they were read."""

    def __call__(self, items: Iterable[Item], total: int, /) -> Iterable[Item]:
        """Go through `total` items."""
        ...


def silent(items: Iterable[Item], total: int) -> Iterable[Item]:
    """Show nothing."""
    return items
