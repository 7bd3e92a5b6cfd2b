"""Text for people and for machines: aligned tables, byte counts, JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence

from ..core.printable import UNPRINTABLE, printable


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


def to_json(value: object, indent: int | None = 2) -> str:
    """JSON for stdout: one document, keys in the order they were made; null for numbers that JSON lacks.

    Without `indent` it is one line.

    All control characters are escaped, including those that JSON permits but a terminal would obey.
    """
    document = json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False)
    return UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def _finite(value: object) -> object:
    """The same, with None for NaN and the infinities."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value
