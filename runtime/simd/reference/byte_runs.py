"""Runs of bytes that are filled, copied and pooled: their meaning, in NumPy."""

from __future__ import annotations

import numpy as np

from .bytes import Bytes
from .types import I64, Tag, span

__all__ = [
    "copy_bytes",
    "copy_every",
    "copy_inside",
    "fill_bytes",
    "max_windows",
]


def fill_bytes(out: Bytes, index: int, count: int, value: int) -> None:
    """Write `count` bytes of one value."""
    span(out, index, count)[:] = value


def copy_bytes(x: Bytes, place: int, out: Bytes, index: int, count: int) -> None:
    """Copy `count` bytes, at least 32, from ``x[place]`` on."""
    span(out, index, count)[:] = span(x, place, count)


def copy_every(step: Tag, x: Bytes, place: int, out: Bytes, index: int, count: int) -> None:
    """Copy `count` bytes, from ``x[place]`` on each ``len(step)``-th: of 1, 2 or 4."""
    span(out, index, count)[:] = span(x, place, (count - 1) * len(step) + 1)[:: len(step)]


def copy_inside(
    x: Bytes, place: int, out: Bytes, index: int, mask: Bytes, at: int, count: int, zero: int
) -> None:  # fmt: skip
    """Copy `count` bytes, a multiple of 32; `zero` where ``mask[at + i]`` is 0; elsewhere it is 255."""
    inside = span(mask, at, count) != 0
    span(out, index, count)[:] = np.where(inside, span(x, place, count), np.uint8(zero))


def max_windows(
    step: Tag, rows: Tag, columns: Tag, x: Bytes, place: int, lines: I64, line: int, apart: int, out: Bytes,
    index: int, count: int,
) -> None:  # fmt: skip
    """Write the greatest byte of each of `count` windows, which begin ``len(step)`` bytes apart: 1, 2 or 4.

    A window has ``len(rows)`` times ``len(columns)`` bytes. Row r of the first one begins at
    ``x[place + lines[line + r]]``; its bytes are `apart`. Of the last window, ``len(step) - 1`` bytes behind its last
    column are read as well.
    """
    every = len(step)
    greatest = np.zeros(count, np.uint8)
    for row in span(lines, line, len(rows)).tolist():
        for column in range(len(columns)):
            seen = span(x, place + row + column * apart, count * every)
            greatest = np.maximum(greatest, seen[::every])
    span(out, index, count)[:] = greatest
