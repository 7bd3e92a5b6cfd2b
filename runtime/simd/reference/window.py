"""Windows over an image, whole with all weights in registers, or tap by tap: their meaning, in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arithmetic import fma_vectors
from .memory import get, load_masked_or
from .types import F32, LANES, Tag, span

__all__ = [
    "fma_window",
    "load_places",
    "spread",
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
) -> F32:
    """Add to each vector of `acc` the products of a row of windows with a kernel, tap by tap, each rounded once.

    ``acc[r, lane] + weights[ky * KW + kx] * pixel(top + r * S + ky, lane * S + kx)``. KW is the length of `columns`, S
    that of `step`: 1 or 2. Pixel (y, x) is ``array[index + y * pitch + x]``; it is zero and not read in rows outside
    ``0 <= y < height``, and where a mask says so. Columns are loaded for each tap, at a stride of 2 for each two of
    them, as S vectors, whose masks are ``masks[at]`` and after: the bits of the lanes that are read.
    """
    kw, s, sums, nothing = len(columns), len(step), acc.copy(), np.zeros((1, LANES), np.float32)
    kh = len(weights) // kw
    for y in range((len(acc) - 1) * s + kh):
        for kx in range(kw):
            first, inside = kx // s * s, 0 <= top + y < height
            place = index + (top + y) * pitch + first
            vectors = [
                load_masked_or(array, place + part * LANES, int(masks[at + first + part]) * inside, nothing)
                for part in range(s)
            ]
            pixels = np.concatenate(vectors, axis=1)[:, kx % s :: s]
            for r in range(len(acc)):
                if 0 <= y - r * s < kh:
                    tap = (y - r * s) * kw + kx
                    sums[r : r + 1] = fma_vectors(weights[tap : tap + 1], pixels, sums[r : r + 1])
    return sums
