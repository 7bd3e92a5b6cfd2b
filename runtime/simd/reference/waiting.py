"""What a thread does while it waits for another one: its meaning, in NumPy."""

from __future__ import annotations

from .types import I64, span

__all__ = ["pause", "peek"]


def peek(flags: I64, place: int) -> int:
    """``flags[place]``, read from memory on each call, with all that was written before it (acquire order)."""
    return int(span(flags, place, 1)[0])


def pause() -> None:
    """Pause for a moment in favour of the core's other hardware thread, on processors with such an instruction."""
