"""Elements that all sections share: names, counts, shapes, headings."""

from __future__ import annotations

from collections.abc import Sequence

from .html import Content, Markup, escape, tag

TIMES = "\u00d7"
"""The multiplication sign."""
MAX_NAME = 160
"""Characters of a name that are shown; longer names are cut in the middle."""


def name(value: str) -> Markup:
    """A name from the file, isolated from the text around it: it may be long, or run from right to left.

    Lines may break after its dots.
    """
    half = MAX_NAME // 2
    shown = value if len(value) <= MAX_NAME else f"{value[:half]}…{value[-half:]}"
    return tag("bdi", Markup(escape(shown).replace(".", ".<wbr>")), class_="name")


def count(value: int, noun: str, plural: str | None = None) -> str:
    """``1 layer``, ``1,000 layers``; give an irregular plural."""
    return f"{value:,} {noun if value == 1 else plural or f'{noun}s'}"


def shape(sizes: Sequence[int]) -> str:
    """``64 × 3 × 3 × 3``; ``scalar`` for no axes."""
    return f" {TIMES} ".join(map(str, sizes)) or "scalar"


def section(key: str, title: str, *content: Content) -> Markup:
    """A section of the page; a click on its heading folds it."""
    heading = tag("summary", tag("h2", title, id=f"{key}-title"))
    return tag("section", tag("details", heading, *content, open=True), id=key, aria_labelledby=f"{key}-title")


def definitions(items: Sequence[tuple[str, Content]]) -> Markup:
    """A definition list; names and values may come from the file."""
    return tag("dl", [tag("div", tag("dt", name(key)), tag("dd", value)) for key, value in items], class_="facts")


def percent(part: float, whole: float) -> str:
    """A share with one decimal; ``-`` if the whole is 0."""
    return f"{part / whole:.1%}" if whole else "-"


def number(value: float | None) -> str:
    """An integer in full, a float with four digits, ``-`` for None."""
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
