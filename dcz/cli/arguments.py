"""Types of command-line arguments: text to value, with a message that says what was expected."""

from __future__ import annotations

import argparse
from collections.abc import Callable

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


def prune(value: str) -> str:
    """Check a pruning rule: ``std:S`` or ``percent:Q``."""
    from ..converters.compression.pruning import parse_prune

    return _checked(parse_prune, value)


def bits(value: str) -> str:
    """Check bits per layer: ``4`` or ``conv=8,fc=5``."""
    from ..converters.compression.sharing import parse_bits

    return _checked(parse_bits, value)


def _checked(parse: Callable[[str], object], value: str) -> str:
    from ..core.errors import DczError

    try:
        parse(value)
    except DczError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return value
