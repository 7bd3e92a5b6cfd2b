"""HTML from function calls. Escaping follows from the type: every plain string is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import TypeAlias

from ..core.printable import UNPRINTABLE

_VOID = frozenset({"link", "meta"})


class Markup(str):
    """A string that is HTML already. Everything else is text."""

    __slots__ = ()


Content: TypeAlias = "str | int | float | Iterable[Content] | None"
"""Content of an element: markup, text, a number, None, or several of these."""


def escape(value: object) -> Markup:
    """Text as HTML, for content and for quoted attributes; characters that HTML forbids become U+FFFD."""
    return Markup(html.escape(UNPRINTABLE.sub("\ufffd", str(value))))


def join(*content: Content) -> Markup:
    """Concatenate content.

    Parameters
    ----------
    *content : Content
        Markup is taken as it is; other strings and numbers are escaped; None is left out; iterables are flattened.
    """
    return Markup("".join(_pieces(content)))


def _pieces(content: Content) -> Iterable[str]:
    if content is None:
        return
    if isinstance(content, Markup):
        yield content
    elif isinstance(content, str | int | float):
        yield escape(content)
    else:
        for part in content:
            yield from _pieces(part)


def tag(element: str, /, *content: Content, **attributes: str | int | float | bool | None) -> Markup:
    """One element.

    Parameters
    ----------
    element : str
        Its name.
    *content : Content
        As for `join`.
    **attributes
        ``class_="x"`` is written ``class="x"``, ``aria_label`` ``aria-label``. True writes the name alone; None and
        False leave the attribute out.
    """
    head = [element]
    for key, value in attributes.items():
        key = key.rstrip("_").replace("_", "-")
        if value is True:
            head.append(key)
        elif value is not None and value is not False:
            head.append(f'{key}="{escape(value)}"')
    opened = f"<{' '.join(head)}>"
    return Markup(opened if element in _VOID else f"{opened}{join(*content)}</{element}>")


def table(
    caption: str,
    header: Iterable[Content],
    rows: Iterable[Iterable[Content]],
    *,
    left: int = 1,
    total: Iterable[Content] | None = None,
    class_: str | None = None,
) -> Markup:
    """A data table: caption, column headers, and the first cell of each row as its header.

    Parameters
    ----------
    caption : str
    header : iterable of Content
        Titles of the columns.
    rows : iterable of iterables of Content
    left : int
        How many columns, from the first, hold text; the others hold numbers and are aligned right.
    total : iterable of Content, optional
        A last row, set apart.
    class_ : str, optional
        Classes besides.

    Returns
    -------
    Markup
        The table in a region that scrolls sideways, also by keyboard, if it is wider than the page.
    """

    def row(cells: Iterable[Content]) -> Markup:
        out = []
        for i, cell in enumerate(cells):
            kind = {"class_": None if i < left else "n"}
            out.append(tag("th", cell, scope="row") if i == 0 else tag("td", cell, **kind))
        return tag("tr", out)

    heads = [tag("th", title, scope="col", class_=None if i < left else "n") for i, title in enumerate(header)]
    body = tag("tbody", map(row, rows))
    foot = tag("tfoot", row(total)) if total is not None else None
    made = tag("table", tag("caption", caption), tag("thead", tag("tr", heads)), body, foot, class_=class_)
    return tag("div", made, class_="scroll", role="region", tabindex=0, aria_label=caption)
