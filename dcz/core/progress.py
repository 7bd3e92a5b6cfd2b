"""Progress of work that takes a while, on a terminal; a library that nobody told to speak is silent."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")


def progress(items: Iterable[Item], unit: str, total: int, title: str | None = None) -> Iterable[Item]:
    """Go through items with a progress bar, where one is shown.

    Parameters
    ----------
    items : iterable
    unit : str
        What an item is.
    total : int
        How many there are.
    title : str, optional
        Stands before the bar.
    """
    return progress_bar(items, unit=unit, total=total, desc=title) if _shown() else items


@contextmanager
def status(text: str) -> Iterator[None]:
    """Show a line, where bars are shown, while something lasts that no bar can measure."""
    if not _shown():
        yield
        return
    with progress_bar(desc=text, bar_format="{desc}"):
        yield


def progress_bar(*items: Any, **options: Any) -> Any:
    """Make a bar on stderr that goes away when it is done.

    It is shown on a terminal or in a notebook, if the logger ``dcz`` lets messages of level INFO through. The command
    line lets them through but for ``--quiet``.

    Parameters
    ----------
    *items, **options
        As for ``tqdm.tqdm``.
    """
    if _in_notebook():
        from tqdm.auto import tqdm
    else:
        from tqdm import tqdm  # a third of the time, as it brings no asyncio

    return tqdm(*items, **options, leave=False, disable=not _shown())


def _shown() -> bool:
    if not logging.getLogger("dcz").isEnabledFor(logging.INFO):
        return False
    return _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules
