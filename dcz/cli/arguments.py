"""Types of command-line arguments: text to value, with a message that says what was expected."""

from __future__ import annotations

import argparse

TUNING = "kernels picked by trial: tries what the file does not know, and adds it"
"""Help for ``--tuning FILE``."""


def positive(value: str) -> int:
    """Parse an integer of at least 1."""
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"expected an integer of at least 1, found {value!r}")
    return int(value)


def shape(value: str) -> tuple[int, ...]:
    """Parse the shape of one sample: ``3,32,32``."""
    try:
        return tuple(positive(size) for size in value.split(","))
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"expected sizes such as 3,32,32, found {value!r}") from None
