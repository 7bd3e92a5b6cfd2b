"""Winograd's products in words of 16 bits: at each point, transformed inputs times transformed weights.

Points have grids of their own. The weights of an output channel at a point are scaled to a norm of 2^15. Inputs of a
block are scaled so that none is greater than a word, and that no column of them, what one product of matrices sums, has
a norm above 2^16: so, by Cauchy and Schwarz, no sum overflows 32 bits, and it does not matter whether one on the way to
it does.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ... import simd
from ...jit import inlined, kernel
from ...simd import LANES
from ...simd.reference.pairs import PAIR
from ..contract import F32, I64
from ..conv.winograd.tiles import SPACE
from .grid import LARGEST_SUM, MOST
from .pack_words import INFINITE, LEAST, NAN

WEIGHT_NORM = MOST
"""Greatest norm of the integer weights of an output channel at a point."""
SQUARED = np.float32(1e-15), np.float32(1e15)
"""Magnitudes whose squares are normal numbers, and sums of their squares too."""
SURE = 0.999
"""Norms are sums of rounded squares; room for what they lack."""


class WordPoints(NamedTuple):
    """Transformed weights as words, as `multiply` reads them."""

    words: NDArray[np.int16]
    """By run of output channels, point, two units, output channel of the run, unit."""
    scales: F32
    """By run of output channels, point, output channel of the run: what an integer weight stands for."""
    room: np.float32
    """Greatest norm of a column of integer inputs."""


def make_points(weights: NDArray[Any]) -> WordPoints:
    """Round transformed weights to words.

    Parameters
    ----------
    weights : ndarray of float, shape (runs, points, units, outputs of a run)
    """
    runs, points, units, outputs = weights.shape
    half = units**0.5 / 2  # a word is half a step off at most
    norms = np.sqrt(np.square(weights, dtype=np.float64).sum(axis=2))
    scales = np.where(norms > 0, norms, 1.0) / (WEIGHT_NORM - half)
    words = np.zeros((runs, points, units + units % PAIR, outputs), np.int16)
    words[:, :, :units] = np.rint(weights / scales[:, :, None])
    pairs = words.reshape(runs, points, -1, PAIR, outputs).transpose(0, 1, 2, 4, 3)
    room = SURE * (LARGEST_SUM / WEIGHT_NORM) - half
    return WordPoints(np.ascontiguousarray(pairs).ravel(), scales.astype(np.float32).ravel(), np.float32(room))


def packed_elements(points: int, units: int, columns: int) -> int:
    """Elements of float32 that the words of all points of a block take."""
    return points * -(-units // PAIR) * columns * LANES


@inlined
def round_point(
    columns: Any, scratch: F32, first: int, places: I64, factor: int, packed: NDArray[np.int16], at: int, room: Any
) -> Any:
    """Round the inputs of a point to words, two units side by side, and return the step that a word stands for.

    Parameters
    ----------
    columns : Tag
        As long as a block has vectors.
    scratch : ndarray of float32, flat
    first : int
        Where the inputs of the point begin.
    places : ndarray of int64, shape (units,)
        Times `factor`: where those of each unit lie, from there on.
    packed : ndarray of int16, flat
        Written from `at` on: for each two units, the words of all vectors; an odd last unit is packed beside itself.
    room : float32
        See `WordPoints`.
    """
    units, most, squares = len(places), simd.zeros(columns), simd.zeros(columns)
    for unit in range(units):
        value = simd.load(columns, scratch, first + simd.get(places, unit) * factor)
        most, squares = simd.magnitude(most, value), simd.fma_vectors(value, value, squares)
    greatest = simd.greatest_magnitude(most)
    if not greatest < INFINITE:
        return NAN
    greatest = max(greatest, LEAST)
    norm = greatest * np.float32(np.sqrt(np.float32(units)))
    if SQUARED[0] < greatest < SQUARED[1]:
        norm = min(norm, np.float32(np.sqrt(simd.greatest_magnitude(squares))))
    scale = min(np.float32(MOST) / greatest, room / norm)
    for unit in range(0, units, PAIR):
        one = simd.load(columns, scratch, first + simd.get(places, unit) * factor)
        other = simd.load(columns, scratch, first + simd.get(places, min(unit + 1, units - 1)) * factor)
        simd.store_word_pairs(packed, at, one, other, scale)
        at += len(columns) * PAIR * LANES
    return np.float32(1) / scale


@kernel
def multiply(
    sums_tag: Any, rows: Any, points: int, pairs: int, packed: NDArray[np.int16], words: NDArray[np.int16],
    scales: F32, run: int, steps: int, sums_at: int, scratch: F32,
) -> None:  # fmt: skip
    """Sum products over units: for each point a run of output channels times a block of vectors.

    Parameters
    ----------
    sums_tag, rows : Tag
        As long as the run has channels times the block has vectors, and as it has channels.
    points, pairs : int
        Points, and pairs of units to be summed.
    packed : ndarray of int16, flat
        What `round_point` packs, point after point.
    words, scales
        See `WordPoints`.
    run : int
        Number of the run.
    steps : int
        Where, in scratch, the steps of the points' inputs lie.
    sums_at : int
        Where the sums of the first point go; the next ones are `SPACE` further apart than they take.
    """
    columns = len(sums_tag) // len(rows)
    position, scale, place = run * points * pairs * PAIR * len(rows), run * points * len(rows), 0
    for point in range(points):
        sums = simd.no_sums(sums_tag)
        for _ in range(pairs):
            sums = simd.dot_run(sums, rows, packed, place, words, position)
            position += PAIR * len(rows)
            place += columns * PAIR * LANES
        total = simd.scaled_sums(sums, rows, scales, scale, simd.get(scratch, steps + point))
        simd.store(scratch, sums_at + point * (len(sums_tag) * LANES + SPACE), total)
        scale += len(rows)
