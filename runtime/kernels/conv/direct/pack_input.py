"""How the pixels of a tile are packed: a table of masked loads, made once, and the loop that follows it.

Padding, strides, dilation and bands are all in the table, so one short loop serves every geometry. The loads of a
vector depend on the tap, the row, and the edges of the image that the tile touches, but not on the channel.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from .... import simd
from ....jit import inlined
from ....simd import LANES
from ...contract import F32, I64, Epilogue
from ...descriptor import Conv, Direct, layer_fields, pack
from .tile import Tiling, is_line


def describe(tiling: Tiling, epilogue: Epilogue) -> I64:
    """The descriptor: the fields of `Conv` and `Direct`, and behind them the table by which tiles are packed."""
    g, plane = tiling.geometry, tiling.plane
    offsets, masks, kinds = packing(tiling)
    table = len(Conv) + len(Direct) + np.cumsum([0, offsets.size, masks.size])
    fields = pack(
        Conv,
        Direct,
        **layer_fields(g, epilogue, ((plane.height, plane.width), (plane.out_height, plane.out_width))),
        samples=g.batch,
        sums=tiling.tile_elements,
        first=0,
        last=tiling.tiles,
        in_plane=g.height * g.width,
        out_plane=g.out_height * g.out_width,
        taps=g.kernel[1],
        row_step=g.stride[0] * plane.width,
        column_step=g.stride[1],
        span=tiling.span,
        bands=tiling.bands,
        unit_vectors=tiling.unit_vectors,
        chunks=offsets.shape[1],
        pieces=offsets.shape[2],
        offsets=table[0],
        masks=table[1],
        tile_masks=table[2],
    )
    return np.concatenate([fields, offsets.ravel(), masks.ravel(), table[1] + kinds * offsets.size])


@lru_cache(maxsize=64)
def packing(tiling: Tiling) -> tuple[I64, I64, I64]:
    """How the vectors of a tile are gathered from the image.

    At a horizontal stride of n a vector is made of n *chunks* of 16 elements: laid end to end, every n-th of their
    elements is taken. (At strides other than 1, 2 and 4 there is one chunk, and each lane is a piece.) A chunk is made
    of *pieces*: loads of 16 elements, of which a mask picks the pixels of one band, or of several bands that lie side
    by side.

    Returns
    -------
    offsets : ndarray of int64, shape (vectors of all units of a channel, chunks, pieces)
        Where pieces lie, counted from the pixel of the channel at which the tile begins.
    masks : ndarray of int64, shape (kinds, *shape of offsets)
        Bits of the lanes of a piece that are read, for each kind of tile; others are padding.
    kinds : ndarray of int64, shape (tiles,)
        The kind of each tile.
    """
    g, plane, lane = tiling.geometry, tiling.plane, np.arange(LANES)
    band, s = lane // tiling.span, lane % tiling.span
    chunks = g.stride[1] if g.stride[1] in (1, 2, 4) else 1
    chunk, position = lane * chunks // LANES, lane * chunks % LANES
    # Image row and column of each lane from the tile's corner on, for each vector of a unit and for each tap.
    inner = (np.array(tiling.phases)[:, None] + np.arange(tiling.reach) * g.stride[0]).reshape(-1, 1)
    rows = inner + band * tiling.rows * g.stride[0] - g.padding[0]
    columns = np.arange(g.kernel[1])[:, None] * g.dilation[1] + s * g.stride[1] - g.padding[1]

    starts = rows[0] * plane.width + columns[0] - position
    used = band < tiling.bands
    pieces = [sorted(set(starts[used & (chunk == q)])) for q in range(chunks)]
    most = max(map(len, pieces))
    table = np.array([p + [p[-1] if p else 0] * (most - len(p)) for p in pieces])
    offsets = (rows[:, 0] - rows[0, 0]) * plane.width + (columns[:, 0] - columns[0, 0])[:, None]
    offsets = offsets.reshape(-1, 1, 1) + table

    bits = np.zeros((LANES, chunks, most), np.int64)
    for i in np.flatnonzero(used):
        bits[i, chunk[i], pieces[chunk[i]].index(starts[i])] = 1 << position[i]
    down, across = (
        np.arange(0, size, step)
        for size, step in zip(
            (plane.out_height, plane.out_width), (tiling.rows * tiling.bands, tiling.span), strict=True
        )
    )
    y = (down * g.stride[0])[:, None, None] + rows
    x = (across * g.stride[1])[:, None, None] + columns
    # A row is inside the image if its last pixel is; but a pointwise layer's last row may be short.
    last = y * plane.width + np.minimum(s, plane.width - 1)
    row_kinds, row_kind = np.unique((y >= 0) & (last < g.height * g.width), axis=0, return_inverse=True)
    kinds, kind = np.unique((x >= 0) & (x < plane.width), axis=0, return_inverse=True)
    inside = row_kinds[:, None, None] & kinds[:, :, None]
    masks = np.tensordot(inside.astype(np.int64), bits, 1).reshape(-1, *offsets.shape)
    return offsets, masks, (row_kind.reshape(-1, 1) * len(kinds) + kind.reshape(-1)).ravel()


@inlined
def pack_tile(
    rows_tag: Any, x: F32, sample: int, first: int, last: int, tile: int, row: int, column: int, packed: F32, d: I64
) -> None:
    """Pack units `first` to `last` as a tile sees them.

    Parameters
    ----------
    rows_tag : Tag
        As long as a tile has rows.
    x : ndarray of float32, flat
    sample : int
        Index of the sample's first element in `x`.
    tile, row, column : int
        Number of the tile, and the output pixel at which it begins.
    packed : ndarray of float32, flat
        Written: (last - first) * phases * reach vectors.
    d : ndarray of int64
        The descriptor.
    """
    taps, vectors, chunks, pieces = d[Direct.TAPS], d[Direct.UNIT_VECTORS], d[Direct.CHUNKS], d[Direct.PIECES]
    offsets, masks, at = d[Direct.OFFSETS], simd.get(d, d[Direct.TILE_MASKS] + tile), 0
    if is_line(len(rows_tag), d):
        copied = _copy_lines(rows_tag, x, sample + row * LANES, first, last, packed, d)
        at, first = (copied - first) * vectors * LANES, copied
    channel, tap = first // taps, first % taps
    source = sample + channel * d[Direct.IN_PLANE] + row * d[Direct.ROW_STEP] + column * d[Direct.COLUMN_STEP]
    loads, zeros = chunks * pieces, simd.zeros((0,))
    while first < last:
        taken = min(taps - tap, last - first)
        k, end = tap * vectors * loads, (tap + taken) * vectors * loads
        if loads == 1:
            for i in range(k, end):
                simd.store(packed, at, piece(x, source, offsets + i, masks + i, zeros, d))
                at += LANES
        elif loads == 2:
            for i in range(k, end, 2):
                vector = piece(x, source, offsets + i, masks + i, zeros, d)
                if pieces == 2:
                    vector = piece(x, source, offsets + i + 1, masks + i + 1, vector, d)
                else:
                    vector = simd.concat_even(vector, piece(x, source, offsets + i + 1, masks + i + 1, zeros, d))
                simd.store(packed, at, vector)
                at += LANES
        else:
            for i in range(k, end, loads):
                simd.store(packed, at, _several(x, source, offsets + i, masks + i, chunks, pieces, d))
                at += LANES
        first, tap = first + taken, 0
        source += d[Direct.IN_PLANE]


@inlined
def _copy_lines(rows_tag: Any, x: F32, start: int, first: int, last: int, packed: F32, d: I64) -> int:
    """Copy the units of a tile that `is_line`, and return the first one that is left.

    The last vectors of a tile may lie behind the end of their plane. Their lanes are never stored, so it does not
    matter what they hold, and masks are needed only where `x` ends.
    """
    plane, size = d[Direct.IN_PLANE], len(rows_tag) * LANES
    end = min(last, (len(x) - size - start) // plane + 1)
    for unit in range(first, end):
        simd.store(packed, (unit - first) * size, simd.load(rows_tag, x, start + unit * plane))
    copied: int = max(first, end)
    return copied


@inlined
def gathered(x: F32, source: int, number: int, masks: int, d: I64) -> Any:
    """A vector of a channel as a tile sees it.

    Parameters
    ----------
    x : ndarray of float32, flat
    source : int
        The pixel of the channel at which the tile begins.
    number : int
        Of the vector, among those of all units of the channel.
    masks : int
        Where the masks of the tile's kind lie in the descriptor.
    d : ndarray of int64
        The descriptor.
    """
    chunks, pieces = d[Direct.CHUNKS], d[Direct.PIECES]
    i = number * chunks * pieces
    return _several(x, source, d[Direct.OFFSETS] + i, masks + i, chunks, pieces, d)


@inlined
def _several(x: F32, source: int, offset: int, mask: int, chunks: int, pieces: int, d: I64) -> Any:
    """A vector put together of chunks; see `packing`."""
    vector = _chunk(x, source, offset, mask, pieces, d)
    if chunks > 1:
        vector = simd.concat_even(vector, _chunk(x, source, offset + pieces, mask + pieces, pieces, d))
    if chunks > 2:
        third = _chunk(x, source, offset + 2 * pieces, mask + 2 * pieces, pieces, d)
        fourth = _chunk(x, source, offset + 3 * pieces, mask + 3 * pieces, pieces, d)
        vector = simd.concat_even(vector, simd.concat_even(third, fourth))
    return vector


@inlined
def piece(x: F32, source: int, offset: int, mask: int, other: Any, d: I64) -> Any:
    """A vector with the lanes of a piece loaded, and the others taken from `other`; see `packing`."""
    return simd.load_masked_or(x, source + simd.get(d, offset), simd.get(d, mask), other)


@inlined
def _chunk(x: F32, source: int, offset: int, mask: int, pieces: int, d: I64) -> Any:
    """A vector put together of pieces; see `packing`."""
    vector = simd.zeros((0,))
    for i in range(pieces):
        vector = piece(x, source, offset + i, mask + i, vector, d)
    return vector
