"""Pixels of float32 as words: the grid of a sample, two tiles packed together, and two units of a tile."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import simd
from ...jit import inlined
from ...simd import LANES
from ..contract import F32, I64
from ..conv.direct.pack_input import gathered, piece
from ..descriptor import Direct

LEAST = np.float32(1e-30)
"""The least greatest magnitude that a grid is made by, so that its steps are normal numbers."""
INFINITE, NAN, ZERO = np.float32(np.inf), np.float32(np.nan), np.float32(0)


@inlined
def grid_of(x: F32, first: int, count: int, levels: Any) -> tuple[Any, Any]:
    """What activations are multiplied by to become words, and the step that a word stands for.

    It is made by the greatest magnitude of ``x[first]`` to ``x[first + count - 1]``. If one is infinite or NaN, the
    step is NaN, and so are all sums.
    """
    most, i, end = simd.zeros((0, 0, 0, 0)), first, first + count
    while i + 4 * LANES <= end:
        most = simd.magnitude(most, simd.load((0, 0, 0, 0), x, i))
        i += 4 * LANES
    rest = simd.zeros((0,))
    while i < end:
        rest = simd.magnitude(rest, simd.load_masked(x, i, 0, end - i))
        i += LANES
    greatest, other = simd.greatest_magnitude(most), simd.greatest_magnitude(rest)
    if not (greatest < INFINITE and other < INFINITE):
        return ZERO, NAN
    greatest = max(greatest, other, LEAST)
    return levels / greatest, greatest / levels


@inlined
def pack_words(
    x: F32,
    sample: int,
    first: int,
    last: int,
    tiles: tuple[int, int],
    corners: tuple[tuple[int, int], tuple[int, int]],
    packed: NDArray[np.int16],
    scale: Any,
    d: I64,
) -> None:
    """Pack units `first` to `last` as two tiles see them.

    Parameters
    ----------
    x : ndarray of float32, flat
    sample : int
        Index of the sample's first element in `x`.
    tiles, corners : tuple
        Numbers of the tiles, and the output pixels at which they begin.
    packed : ndarray of int16, flat
        Written: (last - first) * phases * reach vectors of 32 words, see `simd.store_words`.
    scale : float32
        What pixels are multiplied by.
    d : ndarray of int64
        The descriptor.
    """
    taps, vectors, plane = d[Direct.TAPS], d[Direct.UNIT_VECTORS], d[Direct.IN_PLANE]
    masks, other_masks = simd.get(d, d[Direct.TILE_MASKS] + tiles[0]), simd.get(d, d[Direct.TILE_MASKS] + tiles[1])
    channel, tap, at = first // taps, first % taps, 0
    source = sample + channel * plane + _start(corners[0], d)
    apart = _start(corners[1], d) - _start(corners[0], d)
    whole = d[Direct.CHUNKS] * d[Direct.PIECES] == 1
    while first < last:
        taken = min(taps - tap, last - first)
        if whole:
            for i in range(tap * vectors, (tap + taken) * vectors):
                offset = d[Direct.OFFSETS] + i
                one = piece(x, source, offset, masks + i, simd.zeros((0,)), d)
                other = piece(x, source + apart, offset, other_masks + i, simd.zeros((0,)), d)
                simd.store_words(packed, at, one, other, scale)
                at += 2 * LANES
        else:
            for i in range(tap * vectors, (tap + taken) * vectors):
                one = gathered(x, source, i, masks, d)
                simd.store_words(packed, at, one, gathered(x, source + apart, i, other_masks, d), scale)
                at += 2 * LANES
        first, tap = first + taken, 0
        source += plane


@inlined
def pack_unit_pairs(
    x: F32,
    sample: int,
    first: int,
    last: int,
    tile: int,
    place: tuple[int, int],
    packed: NDArray[np.int16],
    scale: Any,
    d: I64,
) -> None:
    """Pack units `first` to `last` as a tile sees them, two at a time; an odd last one is packed beside itself.

    Parameters
    ----------
    x, sample, scale, d
        As `pack_words` takes them.
    tile : int
        Number of the tile.
    place : tuple of int
        The output pixel at which it begins.
    packed : ndarray of int16, flat
        Written: for each two units phases * reach vectors of 32 words, see `simd.store_word_pairs`.
    """
    taps, vectors, plane = d[Direct.TAPS], d[Direct.UNIT_VECTORS], d[Direct.IN_PLANE]
    masks, at, start = simd.get(d, d[Direct.TILE_MASKS] + tile), 0, sample + _start(place, d)
    whole = d[Direct.CHUNKS] * d[Direct.PIECES] == 1
    for unit in range(first, last, 2):
        second = min(unit + 1, last - 1)
        source, other = start + unit // taps * plane, start + second // taps * plane
        i, j = unit % taps * vectors, second % taps * vectors
        if whole:
            for k in range(vectors):
                one = piece(x, source, d[Direct.OFFSETS] + i + k, masks + i + k, simd.zeros((0,)), d)
                two = piece(x, other, d[Direct.OFFSETS] + j + k, masks + j + k, simd.zeros((0,)), d)
                simd.store_word_pairs(packed, at, one, two, scale)
                at += 2 * LANES
        else:
            for k in range(vectors):
                one = gathered(x, source, i + k, masks, d)
                simd.store_word_pairs(packed, at, one, gathered(x, other, j + k, masks, d), scale)
                at += 2 * LANES


@inlined
def pack_channel_pairs(
    tag: Any, x: F32, start: int, first: int, last: int, packed: NDArray[np.int16], scale: Any, d: I64
) -> None:
    """Pack channels `first` to `last` of a tile that `needs_no_packing` but as words, as `pack_unit_pairs` does.

    Parameters
    ----------
    tag : Tag
        As long as a tile has rows.
    start : int
        Index of the first channel's pixel at which the tile begins.
    """
    at, plane, ahead = 0, d[Direct.IN_PLANE], len(tag) * LANES
    for channel in range(first, last, 2):
        one, two = start + channel * plane, start + min(channel + 1, last - 1) * plane
        simd.prefetch(tag, x, one + ahead)
        simd.prefetch(tag, x, two + ahead)
        simd.store_word_pairs(packed, at, simd.load(tag, x, one), simd.load(tag, x, two), scale)
        at += 2 * ahead


@inlined
def _start(place: tuple[int, int], d: I64) -> int:
    """The pixel of a channel at which a tile begins."""
    start: int = place[0] * d[Direct.ROW_STEP] + place[1] * d[Direct.COLUMN_STEP]
    return start
