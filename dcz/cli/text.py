"""Text for people: aligned tables, byte counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..core.printable import printable


def table(header: Sequence[str], rows: Iterable[Sequence[object]], left: int = 1) -> str:
    """Align cells in columns.

    Parameters
    ----------
    header : sequence of str
        Column titles.
    rows : iterable of sequences
        Cells; floats are shown with four significant digits, None as ``-``.
    left : int
        How many columns, from the first, are aligned left; the others are numbers, aligned right.
    """
    cells = [list(header), *([cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            content.ljust(width) if i < left else content.rjust(width)
            for i, (content, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def cell(value: object) -> str:
    """A value as a table shows it."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return printable(value)


def shape(sizes: Iterable[int]) -> str:
    """A shape as ``64x3x3x3``; ``scalar`` for no axes."""
    return "x".join(map(str, sizes)) or "scalar"
