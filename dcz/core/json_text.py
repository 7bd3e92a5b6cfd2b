"""JSON that any reader takes, and any terminal can show."""

from __future__ import annotations

import json
import math

from .printable import UNPRINTABLE


def to_json(value: object, indent: int | None = 2) -> str:
    """JSON: one document, keys in the order they were made; null for numbers that JSON lacks.

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
