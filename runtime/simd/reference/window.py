"""A kernel that slides over packed rows, all its weights in registers: its meaning, in NumPy."""

from __future__ import annotations

import numpy as np

from .arithmetic import fma_vectors
from .memory import get, load
from .types import F32, LANES, Tag

__all__ = [
    "fma_window",
    "spread",
]


def spread(tag: Tag, array: F32, index: int) -> F32:
    """As many vectors as `tag` is long: vector i has ``array[index + i]`` in all lanes."""
    return np.repeat(np.array([[get(array, index + i)] for i in range(len(tag))], np.float32), LANES, axis=1)


def fma_window(acc: F32, weights: F32, columns: Tag, step: Tag, array: F32, index: int, pitch: int) -> F32:
    """Add to each vector of `acc` the products of a row of windows with a kernel, tap by tap, each rounded once.

    ``acc[r, lane] + weights[ky * KW + kx] * pixel(r * S + ky, lane * S + kx)``, by rows of pixels. KW is the length of
    `columns`, S that of `step`. Pixel (y, x) is ``array[index + y * pitch + x % S * (pitch // S) + x // S]``: in a row,
    pixels lie by phase.
    """
    kw, s, sums = len(columns), len(step), acc.copy()
    kh = len(weights) // kw
    for y in range((len(acc) - 1) * s + kh):
        for kx in range(kw):
            pixels = load((None,), array, index + y * pitch + kx % s * (pitch // s) + kx // s)
            for r in range(len(acc)):
                if 0 <= y - r * s < kh:
                    tap = (y - r * s) * kw + kx
                    sums[r : r + 1] = fma_vectors(weights[tap : tap + 1], pixels, sums[r : r + 1])
    return sums
