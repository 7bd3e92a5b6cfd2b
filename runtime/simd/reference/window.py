"""Windows over an image, whole or tap by tap: their meaning, in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arithmetic import fma_vectors
from .memory import get, load_masked_or
from .types import F32, LANES, Tag, span

__all__ = [
    "fma_pairs",
    "fma_window",
    "load_places",
    "splat_pair",
    "spread",
    "store_pairs",
    "store_places",
]


def spread(tag: Tag, array: F32, index: int) -> F32:
    """As many vectors as `tag` is long: vector i has ``array[index + i]`` in all lanes."""
    return np.repeat(np.array([[get(array, index + i)] for i in range(len(tag))], np.float32), LANES, axis=1)


def load_places(
    tag: Tag, step: Tag, array: F32, index: int, places: NDArray[np.int64], at: int, masks: NDArray[np.uint16],
    first: int,
) -> F32:  # fmt: skip
    """As many vectors as `tag` is long, from places that a table tells.

    Lane l of vector v is ``array[index + places[at + v] + l * S]``, S being the length of `step`: 1 or 2. It is loaded
    as S vectors, whose masks are ``masks[first + v * S]`` and after: the bits of the lanes that are read. Others are
    zero.
    """
    s, loaded, nothing = len(step), [], np.zeros((1, LANES), np.float32)
    for v in range(len(tag)):
        place = index + get(places, at + v)
        parts = [
            load_masked_or(array, place + part * LANES, get(masks, first + v * s + part), nothing) for part in range(s)
        ]
        loaded.append(np.concatenate(parts, axis=1)[:, ::s])
    return np.concatenate(loaded)


def store_places(
    array: F32, index: int, places: NDArray[np.int64], at: int, masks: NDArray[np.uint16], first: int, value: F32
) -> None:
    """The way back of `load_places`, at a step of 1."""
    for v, vector in enumerate(value):
        for lane in range(LANES):
            if get(masks, first + v) >> lane & 1:
                span(array, index + get(places, at + v) + lane, 1)[:] = vector[lane]


def fma_window(
    acc: F32,
    weights: F32,
    columns: Tag,
    step: Tag,
    array: F32,
    index: int,
    pitch: int,
    masks: NDArray[np.int64],
    at: int,
    top: int,
    height: int,
    nothing: F32,
) -> F32:
    """Add to each vector of `acc` the products of a row of windows with a kernel, tap by tap, each rounded once.

    ``acc[r, lane] + weights[ky * KW + kx] * pixel(top + r * S + ky, lane * S + kx)``. KW is the length of `columns`, S
    that of `step`: 1 or 2. Pixel (y, x) is ``array[index + y * pitch + x]``; it is zero and not read in rows outside
    ````0 <= y < height``, in whose place `nothing` is read: at least 64 zeros. It is zero, too, where a mask says so:
    columns are loaded as vectors that lie end to end, and ``masks[at]`` and after are the bits of the lanes that are
    read of each.
    """
    kw, s, sums, zero = len(columns), len(step), acc.copy(), np.zeros((1, LANES), np.float32)
    kh = len(weights) // kw
    for y in range((len(acc) - 1) * s + kh):
        inside = 0 <= top + y < height
        image, place = (array, index + (top + y) * pitch) if inside else (nothing, 0)
        starts = range(0, s * LANES + kw - s, LANES)
        loaded = [load_masked_or(image, place + x, int(masks[at + i]), zero) for i, x in enumerate(starts)]
        line = np.concatenate(loaded, axis=1)
        for kx in range(kw):
            pixels = line[:, kx : kx + s * LANES : s]
            for r in range(len(acc)):
                if 0 <= y - r * s < kh:
                    tap = (y - r * s) * kw + kx
                    sums[r : r + 1] = fma_vectors(weights[tap : tap + 1], pixels, sums[r : r + 1])
    return sums


def splat_pair(tag: Tag, array: F32, index: int) -> F32:
    """As many vectors as `tag` is long, each with ``array[index]`` in even lanes and the element after it in others."""
    return np.tile(span(array, index, 2), (len(tag), LANES // 2))


def fma_pairs(
    acc: F32,
    taps: Tag,
    columns: Tag,
    step: Tag,
    pad: Tag,
    weights: F32,
    position: int,
    array: F32,
    first: int,
    second: int,
    pitch: int,
    bits: int,
    top: int,
    height: int,
    nothing: F32,
) -> F32:
    """As `fma_window`, for two planes at once: the first has the even lanes, 8 pixels of a row, the second the others.

    ``acc[r, 2 * l + p] + weights[position + 2 * (ky * KW + kx) + p] * pixel(p, top + r * S + ky, l * S + kx - P)``, P
    being the length of `pad`. Pixel (p, y, x) is ``array[(first, second)[p] + y * pitch + x]``. A row is loaded as one
    vector; `bits` tells the lanes that are read, without the last. Pixels outside the row are zero.
    """
    kw, s, sums, zero = len(columns), len(step), acc.copy(), np.zeros((1, LANES), np.float32)
    kh, half = len(taps) // kw, np.arange(LANES // 2)
    for y in range((len(acc) - 1) * s + kh):
        inside = 0 <= top + y < height
        places = [(array, start + (top + y) * pitch) if inside else (nothing, 0) for start in (first, second)]
        rows = [load_masked_or(image, place, bits, zero)[0] for image, place in places]
        for kx in range(kw):
            x = half * s + kx - len(pad)
            within = (x >= 0) & (x < LANES)
            pixels = np.stack([np.where(within, row[x % LANES], np.float32(0)) for row in rows], 1).reshape(1, LANES)
            for r in range(len(acc)):
                if 0 <= y - r * s < kh:
                    by = splat_pair((0,), weights, position + 2 * ((y - r * s) * kw + kx))
                    sums[r : r + 1] = fma_vectors(by, pixels, sums[r : r + 1])
    return sums


def store_pairs(array: F32, first: int, second: int, pitch: int, width: int, rows: int, value: F32) -> None:
    """Store `rows` vectors at most: of vector r the first `width` even lanes, and the first of the others.

    They go to ``array[first + r * pitch]`` and to ``array[second + r * pitch]`` and after.
    """
    for r, vector in enumerate(value[:rows]):
        for p, start in enumerate((first, second)):
            span(array, start + r * pitch, width)[:] = vector[p::2][:width]
