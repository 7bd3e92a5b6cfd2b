"""Checks of what the manifest's JSON holds."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from ...core.errors import FormatError


def object_of(value: Any, what: str) -> dict[str, Any]:
    """An object; raises FormatError."""
    if not isinstance(value, dict):
        raise FormatError(f"manifest: {what} must be an object", found=type(value).__name__)
    return value


def list_of(fields: Mapping[str, Any], name: str, limit: int) -> list[Any]:
    """The list of that name, of at most `limit` items; raises FormatError."""
    value = fields.get(name)
    if not isinstance(value, list) or len(value) > limit:
        raise FormatError(f"manifest: {name} must be a list of at most {limit}", found=type(value).__name__)
    return value


def integers(value: Any, count: int | None, what: str, limit: int) -> tuple[int, ...]:
    """A list of integers from 0 to below `limit`, `count` of them; raises FormatError."""
    ok = isinstance(value, list) and (count is None or len(value) == count)
    if not ok or not all(type(v) is int and 0 <= v < limit for v in value):
        raise FormatError(f"manifest: bad {what}", expected="non-negative integers", found=reprlib.repr(value))
    return tuple(value)
