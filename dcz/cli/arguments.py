"""Types of command-line arguments: text to value, with a message that says what was expected."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..converters.frontends.inputs import Asked
    from ..dcformat import Shape

TUNING = "kernels picked by trial: tries what the file does not know, and adds it"
"""Help for ``--tuning FILE``."""

PRECISION = "numbers to compute with: s16; u8, with ranges of dcz calibrate; auto: u8 if there are any (default fp32)"
"""Help for ``--precision``."""

PRECISIONS = ("fp32", "s16", "u8", "auto")
"""Choices of ``--precision``: those of `dcz.runtime.options`, which takes time to import."""

SHAPE = "shape of one sample: 3,32,32; once for each of several inputs: image:3,32,32, ids:32:int64"
"""Help for ``--input-shape``."""


def positive(value: str) -> int:
    """Parse an integer of at least 1."""
    if not value.isdecimal() or int(value) < 1:
        raise argparse.ArgumentTypeError(f"expected an integer of at least 1, found {value!r}")
    return int(value)


def shape(value: str) -> Asked:
    """Parse an input: ``3,32,32``, ``image:3,32,32`` or ``ids:32:int64``."""
    from ..converters.frontends.inputs import parse_input
    from ..core.errors import DczError

    try:
        return parse_input(value)
    except DczError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def picture_shape(value: str) -> Shape:
    """Parse the shape of a picture: ``3,32,32``."""
    asked = shape(value)
    if len(asked.shape) != 3 or asked.name or asked.dtype:
        raise argparse.ArgumentTypeError(f"expected C,H,W, for example 3,32,32, found {value!r}")
    return asked.shape


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
