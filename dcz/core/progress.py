"""Progress bars on a terminal. They are off unless the program lets log messages of dcz through."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

Item = TypeVar("Item")


def progress(items: Iterable[Item], unit: str, total: int | None, title: str | None = None) -> Iterable[Item]:
    """Iterate over items with a progress bar, if bars are shown.

    Parameters
    ----------
    items : iterable
    unit : str
        What an item is.
    total : int
        How many there are, if that is known.
    title : str, optional
        Stands before the bar.
    """
    return progress_bar(items, unit=unit, total=total, desc=title) if shown() else items


@contextmanager
def status(text: str) -> Iterator[None]:
    """Show a status line, if bars are shown, during work without a measure of progress."""
    if not shown():
        yield
        return
    with progress_bar(desc=text, bar_format="{desc}"):
        yield


def progress_bar(*items: Any, **options: Any) -> Any:
    """Make a progress bar on stderr that disappears at the end.

    It is shown on a terminal or in a notebook, if the logger ``dcz`` lets messages of level INFO through. The command
    line does so without ``--quiet``.

    Parameters
    ----------
    *items, **options
        As for ``tqdm.tqdm``.
    """
    if _in_notebook():
        from tqdm.auto import tqdm
    else:
        from tqdm import tqdm  # imports in a third of the time: no asyncio

    return tqdm(*items, **options, leave=False, disable=not shown())


def shown() -> bool:
    """Whether bars are shown."""
    if not logging.getLogger("dcz").isEnabledFor(logging.INFO):
        return False
    return _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules
