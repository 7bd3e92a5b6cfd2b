"""Sparse convolution of bytes: four weights of an output channel at a time, times the pixels at their offsets.

A tile is a run of pixels of a plane whose sums stay in registers. The pixels of four weights are loaded from any place,
brought side by side, and multiplied and summed by one instruction where the processor has it. Where all planes of the
input do not fit the L1 cache, a tile copies what it reads of them, block by block.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import simd
from ...jit import inlined, kernel
from ...simd.reference.bytes import HALF
from ..contract import F32, I64, WHOLE, Call, Epilogue, Share, tag
from ..conv.blocks import block_table, divide_work, most_outputs, most_units, part_of
from ..descriptor import Block, Conv, Planar, layer_fields, pack
from .epilogue import IntegerEpilogue
from .planes import CACHE_LINE, Bytes, fill_edges, tile_place
from .source import Source
from .stream import make_stream

CACHED = 28 << 10
"""Bytes of planes that are read where they lie, as they stay in the L1 cache."""
BLOCK = 26 << 10
"""Bytes of a block beside which the L1 cache has room for weights."""


@kernel
def conv_bytes_sparse(
    halves: Any,
    residual: Any,
    x: Bytes,
    out: NDArray[Any],
    added: Bytes,
    scratch: Bytes,
    sums: NDArray[np.int32],
    offsets: NDArray[Any],
    weights: NDArray[np.int8],
    counts: NDArray[np.uint32],
    blocks: I64,
    biases: NDArray[np.int32],
    epilogue: F32,
    mask: Bytes,
    d: I64,
) -> None:
    """Convolve a batch.

    Parameters
    ----------
    halves, residual : Tag
        As long as a tile has half vectors of pixels; empty where there is no residual.
    x : ndarray of uint8, flat
        The planes of a `Source`.
    out : ndarray of uint8 or float32, flat
        Planes; of float32 they have no padding that is filled.
    added : ndarray of uint8, flat
        Planes of the output's form.
    scratch : ndarray of uint8, flat
        What a tile copies of a block.
    sums : ndarray of int32, flat
        The sums of a tile, between blocks.
    offsets, weights, counts
        The stream of weights: see `IntegerStream`.
    blocks : ndarray of int64, shape (blocks, 8)
    biases : ndarray of int32, shape (out_channels,)
    epilogue : ndarray of float32
        See `IntegerEpilogue`.
    mask : ndarray of uint8
        See `Planes.mask`.
    d : ndarray of int64
        The descriptor: `Conv` and `Planar`.
    """
    length, zero, low, high = HALF * len(halves), d[Planar.ZERO], d[Planar.LOW], d[Planar.HIGH]
    for sample in range(d[Conv.SAMPLES]):
        out_sample = sample * d[Planar.OUT_SAMPLE]
        for tile in range(d[Conv.FIRST], d[Conv.LAST]):
            pixel = tile_place(tile, length, d[Planar.OUT_END] - d[Planar.OUT_START] - length)
            for b in range(len(blocks)):
                unit = blocks[b, Block.FIRST_UNIT]
                source, base = x, sample * d[Planar.IN_SAMPLE] + unit * d[Planar.IN_PLANE] + d[Planar.IN_BASE] + pixel
                if d[Planar.SLICE] > 0:
                    _copy_slices(x, base, blocks[b, Block.LAST_UNIT] - unit, scratch, d)
                    source, base = scratch, 0
                position, segment, at = blocks[b, Block.POSITION], blocks[b, Block.SEGMENT], 0
                for channel in range(blocks[b, Block.FIRST_OUTPUT], blocks[b, Block.LAST_OUTPUT]):
                    total = simd.start_sums((0,), halves, biases, channel)
                    if blocks[b, Block.STARTS] == 0:
                        total = simd.load_sums((0,), halves, sums, at)
                    end = position + simd.get(counts, segment)
                    for quad in range(position, end):
                        total = simd.dot_quad(total, source, base, offsets, weights, quad)
                    position = end
                    segment += 1
                    if blocks[b, Block.ENDS] != 0:
                        place = out_sample + channel * d[Planar.OUT_PLANE]
                        begin = place + d[Planar.OUT_START] + pixel
                        simd.store_outputs(
                            *(out, begin, 0, total, residual, added, epilogue, channel, mask, pixel, zero, low, high)
                        )
                        if tile == 0:
                            fill_frame(out, place, d)
                    else:
                        simd.store_sums(sums, at, total)
                    at += length


@inlined
def fill_frame(out: NDArray[Any], place: int, d: I64) -> None:
    """Fill the padding before and behind what tiles write of a plane; planes of float32 have none that is read."""
    if out.itemsize == 1:
        fill_edges(out, place, d[Planar.OUT_START], d[Planar.OUT_END], d[Planar.OUT_PLANE], d[Planar.ZERO])


@inlined
def _copy_slices(x: Bytes, base: int, units: int, scratch: Bytes, d: I64) -> None:
    """Copy what a tile reads of some planes, from byte `base` of the first on."""
    for unit in range(units):
        simd.copy_bytes(x, base + unit * d[Planar.IN_PLANE], scratch, unit * d[Planar.SLICE], d[Planar.COPIED])


@dataclass(frozen=True)
class QuadTiling:
    """How a layer is cut into tiles and blocks.

    Attributes
    ----------
    source : Source
    halves : int
        Half vectors of a tile: at most those of a plane, and 1 only where a plane has no more.
    """

    source: Source
    halves: int

    @property
    def tiles(self) -> int:
        """Tiles of a sample."""
        return -(-self.source.made.halves // self.halves)

    @cached_property
    def slice(self) -> int:
        """Bytes from the copy of a plane to the next; 0 where a tile reads the planes themselves."""
        source = self.source
        near = source.planes * source.plane <= CACHED or self.tiles == 1
        return 0 if near else -(-self.reads // CACHE_LINE) * CACHE_LINE

    @property
    def reads(self) -> int:
        """Bytes that a tile reads of each plane."""
        return self.halves * HALF + self.source.reach

    @property
    def unit_bytes(self) -> int:
        """Bytes from a plane to the next, within a block."""
        return self.slice or self.source.plane

    @property
    def block_units(self) -> int:
        """Most planes of a block."""
        whole = self.source.planes * self.source.plane
        return max(1, (CACHED if whole <= CACHED else BLOCK) // self.unit_bytes)

    @cached_property
    def blocks(self) -> I64:
        """The table of blocks: see `block_table`."""
        return block_table(self.source.geometry, len(self.source.phases), self.block_units)


class ConvBytesSparse:
    """A convolution packed for `conv_bytes_sparse`.

    Parameters
    ----------
    weights : ndarray of int8, shape (out_channels, in_channels / groups, KH, KW)
    tiling : QuadTiling
    epilogue : IntegerEpilogue
    """

    kernel_name = "conv_bytes_sparse"

    def __init__(self, weights: NDArray[np.int8], tiling: QuadTiling, epilogue: IntegerEpilogue) -> None:
        source, g = tiling.source, tiling.source.geometry
        self.tiling, self._epilogue = tiling, epilogue
        self._stream = make_stream(weights, g, tiling.blocks, tiling.unit_bytes, *source.taps())
        self.weight_bytes = self._stream.nbytes
        copied = most_units(tiling.blocks) * tiling.slice
        self._sums_at = -(-copied // CACHE_LINE) * CACHE_LINE
        self.scratch_bytes = self._sums_at + 4 * most_outputs(tiling.blocks) * tiling.halves * HALF
        self._descriptor = describe(source, epilogue, tiling.slice, tiling.reads)
        self._numbers, self._mask = epilogue.array(), source.made.mask()

    def bind(self, x: Bytes, out: NDArray[Any], added: Bytes, scratch: Bytes, share: Share = WHOLE) -> list[Call]:
        """Bind a part of the work to the planes of the source, to those of the output, and to scratch of its own."""
        tiling, stream = self.tiling, self._stream
        d, blocks = part_of(self._descriptor, tiling.blocks, *divide_work(tiling.source.geometry, tiling.tiles, share))
        arguments = (
            *(tag(tiling.halves), tag(int(self._epilogue.residual)), x, out, added, scratch),
            *(scratch[self._sums_at :].view(np.int32), stream.offsets, stream.weights, stream.counts),
            *(stream.locate(blocks), self._epilogue.offset, self._numbers, self._mask, d),
        )
        return [(conv_bytes_sparse, arguments)] if len(blocks) and d[Conv.FIRST] < d[Conv.LAST] else []


def describe(source: Source, epilogue: IntegerEpilogue, sliced: int = 0, reads: int = 0, quads: int = 0) -> I64:
    """The descriptor of a convolution of bytes, for all tiles."""
    g, made = source.geometry, source.made
    fields = layer_fields(g, Epilogue(residual=epilogue.residual)) | {
        "samples": g.batch,
        "sums": 0,
        "first": 0,
        "last": 0,
        "in_sample": source.sample,
        "in_plane": source.plane,
        "in_base": source.base,
        "out_sample": made.size,
        "out_plane": made.plane,
        "out_start": made.start,
        "out_end": made.start + made.halves * HALF,
        "slice": sliced,
        "copied": reads,
        "quads": quads,
        **epilogue.limits(),
    }
    return pack(Conv, Planar, **fields)
