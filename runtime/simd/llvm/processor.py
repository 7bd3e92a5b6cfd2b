"""Instructions of x86 that the processor has that is compiled for: this machine, or that of an object file."""

from __future__ import annotations

from ....core.cpu import BYTE_DOTS, PACKS, WIDE, WORDS
from ....core.jit import current


def packs() -> bool:
    """Whether words are packed to bytes that saturate, in vectors of 256 bits."""
    return _has("avx2", PACKS)


def packs_wide() -> bool:
    """Whether they are in vectors of 512 bits."""
    return _has("avx512bw", WORDS)


def sums_bytes() -> bool:
    """Whether products of four bytes are summed at a time."""
    return _has("avx512vnni", BYTE_DOTS)


def scales() -> bool:
    """Whether vectors of 512 bits are multiplied with powers of two."""
    return _has("avx512f", WIDE)


def replaces() -> bool:
    """Whether lanes of 512 bits are replaced by their kind: those that are no number, and others."""
    return _has("avx512f", WIDE)


def has_masks() -> bool:
    """Whether masks have registers of their own, a bit a lane."""
    return _has("avx512bw", WIDE)


def _has(extension: str, here: bool) -> bool:
    processor = current()
    return here if processor is None else extension in processor.extensions
