"""Products of words of 16 bits, summed in pairs in 32 bits: their meaning, in NumPy.

A `PairSums` value holds sums of int32 of two tiles, of some vectors of 16 pixels each: an ndarray, shape
(2, vectors, 16). In memory a vector of the one tile and a vector of the other lie together: see `store_words`.

Nothing saturates, sums wrap around at 32 bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .types import F32, LANES, Tag, span

__all__ = [
    "dot_pair",
    "first_sums",
    "greatest_magnitude",
    "magnitude",
    "no_pairs",
    "second_sums",
    "store_words",
]

PAIR = 2
"""Products that are summed at a time."""
Words = NDArray[np.int16]
PairSums = NDArray[np.int32]
_BITS = 0x7FFFFFFF


def store_words(out: Words, index: int, first: F32, second: F32, scale: np.float32) -> None:
    """Write two vectors, multiplied by `scale` and rounded, halves to even, as 32 words from ``out[index]`` on.

    Of each eight words, four are of the first vector and four of the second. Products are at most 32767 in magnitude;
    others become any word.
    """
    with np.errstate(invalid="ignore"):
        words = [np.clip(np.rint(vector * scale), -32768, 32767).astype(np.int16) for vector in (first, second)]
    span(out, index, PAIR * LANES)[:] = np.stack([each.reshape(-1, 4) for each in words], axis=1).ravel()


def no_pairs(tag: Tag) -> PairSums:
    """Sums of nothing, of as many vectors as `tag` is long for each tile."""
    return np.zeros((2, len(tag), LANES), np.int32)


def dot_pair(sums: PairSums, x: Words, offsets: NDArray[np.uint16], weights: NDArray[np.int16], pair: int) -> PairSums:
    """Sums gain two products: weight ``2 * pair + i`` times the vectors from ``x[32 * offset]`` on, of its offset."""
    total = sums.copy()
    for k in range(PAIR * pair, PAIR * pair + PAIR):
        start, size = PAIR * LANES * int(span(offsets, k, 1)[0]), sums.size
        words = span(x, start, size).reshape(-1, LANES // 4, 2, 4).transpose(2, 0, 1, 3).reshape(sums.shape)
        total += words.astype(np.int32) * np.int32(span(weights, k, 1)[0])
    return total


def first_sums(sums: PairSums) -> F32:
    """The sums of the first tile, rounded to float32."""
    floats: F32 = sums[0].astype(np.float32)
    return floats


def second_sums(sums: PairSums) -> F32:
    """The sums of the second tile, rounded to float32."""
    floats: F32 = sums[1].astype(np.float32)
    return floats


def magnitude(most: F32, value: F32) -> F32:
    """The greater magnitude of two numbers, lane by lane; `most` holds magnitudes, and NaN counts as the greatest."""
    greater: F32 = np.maximum(most.view(np.int32), value.view(np.int32) & _BITS).view(np.float32)
    return greater


def greatest_magnitude(most: F32) -> np.float32:
    """The greatest lane of magnitudes; NaN counts as the greatest."""
    return np.float32(most.view(np.int32).max(keepdims=True).view(np.float32).item())
