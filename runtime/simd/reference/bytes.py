"""Products of bytes summed in 32 bits, for integer layers: their meaning, in NumPy.

A `Sums` value holds sums of int32 for some rows (output channels) of some pixels each, ``32 * len(halves)``. It is an
ndarray, shape (rows, pixels). In memory (`store_sums`, `interleave`) pixels lie in the order in which unpacking bytes
leaves them: see `interleaved`.

Inputs are uint8, weights int8. Four products at a time are summed exactly; nothing saturates, sums wrap around at 32
bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .types import I64, Tag, span

__all__ = [
    "dot_quad",
    "dot_rows",
    "interleave",
    "load_sums",
    "start_sums",
    "store_sums",
]

HALF = 32
"""Pixels of half a vector of bytes, the unit in which tiles are cut."""
QUAD = 4
"""Products that are summed at a time."""
Bytes = NDArray[np.uint8]
Sums = NDArray[np.int32]


def interleaved(halves: int) -> I64:
    """Number of the pixel in each place of memory, shape (32 * halves,).

    Pieces of 64 pixels, and of 32 where one is left: of each 16 pixels, bits 3 and 2 of a pixel's number become the
    number of the vector of int32.
    """
    sizes = [2 * HALF] * (halves // 2) + [HALF] * (halves % 2)
    pieces = np.split(np.arange(HALF * halves), np.cumsum(sizes)[:-1])
    return np.concatenate([piece.reshape(-1, QUAD, QUAD).swapaxes(0, 1).ravel() for piece in pieces])


def start_sums(rows: Tag, halves: Tag, biases: Sums, index: int) -> Sums:
    """Sums that begin with ``biases[index + row]``."""
    found = span(biases, index, len(rows))
    return np.repeat(found[:, None], HALF * len(halves), axis=1)


def load_sums(rows: Tag, halves: Tag, array: Sums, index: int) -> Sums:
    """Sums from ``array[index]`` on, row by row, as `store_sums` left them."""
    pixels = HALF * len(halves)
    sums = np.empty((len(rows), pixels), np.int32)
    sums[:, interleaved(len(halves))] = span(array, index, len(rows) * pixels).reshape(len(rows), pixels)
    return sums


def store_sums(array: Sums, index: int, sums: Sums) -> None:
    """Write sums from ``array[index]`` on, row by row, pixels in the order of `interleaved`."""
    span(array, index, sums.size)[:] = sums[:, interleaved(sums.shape[1] // HALF)].ravel()


def dot_quad(
    sums: Sums, x: Bytes, index: int, offsets: NDArray[np.uint16], weights: NDArray[np.int8], quad: int
) -> Sums:
    """Sums of one row gain four products: weight ``4 * quad + i`` times the pixels from its offset on.

    Those are ``x[index + offset + pixel]``.
    """
    total = sums.copy()
    for k in range(QUAD * quad, QUAD * quad + QUAD):
        pixels = span(x, index + int(span(offsets, k, 1)[0]), sums.shape[1]).astype(np.int32)
        total += pixels * np.int32(span(weights, k, 1)[0])
    return total


def interleave(
    halves: Tag, x: Bytes, index: int, offsets: NDArray[np.uint32], quad: int, out: Bytes, place: int
) -> None:
    """Write the pixels at four offsets side by side: four bytes a pixel, from ``out[place]`` on, as `dot_rows` reads
    them.

    Offset i is ``offsets[4 * quad + i]``; its pixels are those from ``x[index + offset]`` on.
    """
    pixels = HALF * len(halves)
    quads = np.stack([span(x, index + int(at), pixels) for at in span(offsets, QUAD * quad, QUAD)], axis=1)
    span(out, place, QUAD * pixels)[:] = quads[interleaved(len(halves))].ravel()


def dot_rows(sums: Sums, x: Bytes, index: int, weights: NDArray[np.int8], first: int) -> Sums:
    """Each row gains the product of what `interleave` wrote at ``x[index]`` and its four of weights.

    Those of row r begin at ``weights[4 * (first + r)]``.
    """
    rows, pixels = sums.shape
    quads = np.empty((pixels, QUAD), np.int32)
    quads[interleaved(pixels // HALF)] = span(x, index, QUAD * pixels).reshape(pixels, QUAD)
    by = span(weights, QUAD * first, QUAD * rows).reshape(rows, QUAD).astype(np.int32)
    result: Sums = sums + by @ quads.T
    return result
