"""Products of a tile's pixels with the weights of some output channels, in words of 16 bits: their meaning, in NumPy.

A `RowSums` value holds sums of int32, of some output channels times some vectors of 16 pixels: an ndarray, shape
(channels * vectors, 16). In memory the words of two taps lie side by side for each pixel: see `store_word_pairs`.

Nothing saturates, sums wrap around at 32 bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .memory import get
from .pairs import PAIR, Words
from .types import F32, LANES, Tag, span

__all__ = ["dot_points", "dot_run", "float_sums", "no_sums", "scaled_sums", "store_word_pairs"]

RowSums = NDArray[np.int32]


def store_word_pairs(out: Words, index: int, first: F32, second: F32, scale: np.float32) -> None:
    """Write vectors of two units, multiplied by `scale` and rounded, halves to even, as words from ``out[index]`` on.

    Words of the two come by turns, 32 for each two vectors. Products are at most 32767 in magnitude; others become any
    word.
    """
    with np.errstate(invalid="ignore"):
        words = [np.clip(np.rint(vector * scale), -32768, 32767).astype(np.int16) for vector in (first, second)]
    span(out, index, PAIR * first.size)[:] = np.stack(words, axis=-1).ravel()


def no_sums(tag: Tag) -> RowSums:
    """As many vectors of sums of nothing as `tag` is long."""
    return np.zeros((len(tag), LANES), np.int32)


def dot_run(sums: RowSums, rows: Tag, x: Words, index: int, weights: Words, first: int) -> RowSums:
    """Sums gain the products of two taps: for each of ``len(rows)`` output channels, all vectors of pixels.

    The pixels lie from ``x[index]`` on, and two weights of each channel from ``weights[first]`` on.
    """
    pixels = span(x, index, sums.size // len(rows) * PAIR).reshape(-1, PAIR).astype(np.int32)
    pairs = span(weights, first, len(rows) * PAIR).reshape(-1, PAIR).astype(np.int32)
    total: RowSums = sums + (pairs @ pixels.T).reshape(sums.shape)
    return total


def dot_points(sums: RowSums, points: Tag, x: Words, index: int, hop: int, weights: Words, first: int) -> RowSums:
    """Sums of some output channels, point after point, gain the products of two taps with a vector of pixels.

    The pixels of point p lie from ``x[index + p * hop]`` on, and two weights of each sum from ``weights[first]`` on.
    """
    run, size = len(sums) // len(points), PAIR * LANES
    pixels = np.array([span(x, index + p * hop, size) for p in range(len(points))]).reshape(-1, LANES, PAIR)
    pairs = span(weights, first, len(sums) * PAIR).reshape(-1, PAIR).astype(np.int32)
    total: RowSums = sums + np.einsum("spu,su->sp", np.repeat(pixels, run, axis=0).astype(np.int32), pairs)
    return total


def float_sums(sums: RowSums) -> F32:
    """The sums, rounded to float32."""
    floats: F32 = sums.astype(np.float32)
    return floats


def scaled_sums(sums: RowSums, rows: Tag, scales: F32, first: int, step: np.float32) -> F32:
    """The sums as float32, those of output channel r times ``scales[first + r] * step``; each product is rounded."""
    by = np.array([get(scales, first + r) * step for r in range(len(rows))], np.float32)
    floats: F32 = sums.astype(np.float32) * np.repeat(by, len(sums) // len(rows))[:, None]
    return floats
