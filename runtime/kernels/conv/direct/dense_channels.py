"""Dense convolution with output channels in the lanes: none is idle, however small the image.

Of a packed vector of pixels, one pixel after the other is broadcast and multiplied with vectors of weights, one for
each 16 output channels of a run. The sums are transposed before they are stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .....core import memory
from .....dcformat.tensors import Tensor
from .... import simd
from ....jit import inlined, kernel
from ....simd import LANES
from ...contract import F32, I64, WHOLE, Call, Epilogue, Share, tag
from ...descriptor import Block, Conv, Direct
from ...epilogue import limits
from ..blocks import part_of
from .dense import ConvDense, DenseTiling
from .pack_input import pack_tile
from .tile import corner, store_tile

SQUARE = tag(LANES)
"""Tag as long as the vectors that are transposed at a time."""


@dataclass(frozen=True, kw_only=True)
class ChannelTiling(DenseTiling):
    """How a layer is cut into tiles and blocks, and into runs of output channels, of which `run` is whole vectors.

    Attributes
    ----------
    pixels : int
        Pixels of a packed vector that are multiplied: at least ``span * bands``.
    """

    pixels: int

    @property
    def vectors(self) -> int:
        """Packed vectors that are multiplied, of all tiles of a sample: rows below the image are not."""
        height, across = self.plane.out_height, -(-self.plane.out_width // self.span)
        return across * sum(min(self.rows, height - row) for row in range(0, height, self.rows * self.bands))


@kernel
def conv_channels(
    rows_tag: Any,
    pixels: Any,
    vectors: Any,
    sums_tag: Any,
    x: F32,
    out: F32,
    residual: F32,
    scratch: F32,
    taps: I64,
    weights: F32,
    blocks: I64,
    epilogue: F32,
    turned: int,
    d: I64,
) -> None:
    """Convolve a batch.

    Parameters
    ----------
    rows_tag, pixels, vectors, sums_tag : Tag
        As long as a tile has rows, as pixels of a packed vector are multiplied, as a run has vectors of output
        channels, and as the product of the last two.
    x, out, residual : ndarray of float32, flat
        Activations; `residual` is read only where the descriptor says so.
    scratch : ndarray of float32, flat
        The packed tile, the sums, and from `turned` on, those of a run by output channel.
    taps : ndarray of int64, shape (KH,)
        Vector, within a packed unit, of each vertical tap.
    weights : ndarray of float32
        By block, run of output channels, unit, vertical tap, output channel of the run.
    blocks : ndarray of int64, shape (blocks, 8)
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    turned : int
    d : ndarray of int64
        The descriptor: `Conv` and `Direct`.
    """
    rows, bounds, run, unit_vectors = len(rows_tag), limits(epilogue), len(vectors) * LANES, d[Direct.UNIT_VECTORS]
    for sample in range(d[Conv.SAMPLES]):
        first_in = sample * d[Conv.IN_CHANNELS] * d[Direct.IN_PLANE]
        first_out = sample * d[Conv.OUT_CHANNELS] * d[Direct.OUT_PLANE]
        for tile in range(d[Conv.FIRST], d[Conv.LAST]):
            row, column = corner(tile, rows, d)
            for b in range(len(blocks)):
                first, last = blocks[b, Block.FIRST_UNIT], blocks[b, Block.LAST_UNIT]
                pack_tile(rows_tag, x, first_in, first, last, tile, row, column, scratch, d)
                at, start = d[Conv.SUMS], blocks[b, Block.POSITION]
                for channel in range(blocks[b, Block.FIRST_OUTPUT], blocks[b, Block.LAST_OUTPUT], run):
                    size = (last - first) * len(taps) * run
                    for r in range(min(rows, d[Conv.OUT_HEIGHT] - row)):
                        sums, position = simd.zeros(sums_tag), start
                        ahead = size + r % len(vectors) * LANES
                        if blocks[b, Block.STARTS] == 0:
                            sums = simd.load(sums_tag, scratch, at)
                        for unit in range(last - first):
                            for ky in range(len(taps)):
                                place = (unit * unit_vectors + simd.get(taps, ky) + r) * LANES
                                sums = simd.fma_rows(sums, pixels, weights, scratch, place, weights, position)
                                simd.prefetch_l2(weights, position + ahead)  # the next run's
                                position += run
                        simd.store(scratch, at, sums)
                        if blocks[b, Block.ENDS] != 0:
                            _transpose(vectors, scratch, at, turned + r * LANES, rows * LANES)
                        at += len(sums_tag) * LANES
                    start += size
                    if blocks[b, Block.ENDS] != 0:
                        end = min(channel + run, blocks[b, Block.LAST_OUTPUT])
                        store_tile(
                            *(rows_tag, scratch, turned, channel, end, out, residual, first_out, row, column),
                            *(epilogue, bounds, d),
                        )


@inlined
def _transpose(vectors: Any, scratch: F32, at: int, to: int, pitch: int) -> None:
    """Turn the sums of a run, by pixel and vector of channels, into vectors of pixels, `pitch` apart by channel."""
    for vector in range(len(vectors)):
        square = simd.load_grid(SQUARE, SQUARE, scratch, at + vector * LANES, len(vectors) * LANES)
        simd.store_grid(SQUARE, scratch, to + vector * LANES * pitch, pitch, simd.transpose(square))


class ConvChannels(ConvDense):
    """A convolution packed for `conv_channels`.

    Parameters
    ----------
    weight : Tensor
    tiling : ChannelTiling
    epilogue : Epilogue
    """

    kernel_name = "conv_channels"

    def __init__(self, weight: Tensor, tiling: ChannelTiling, epilogue: Epilogue) -> None:
        super().__init__(weight, tiling, epilogue)
        if len(self._codebook):
            self._symbols, self._codebook = memory.on_large_pages(self._codebook[self._symbols]), self._codebook[:0]
        self.weight_bytes = self._symbols.nbytes
        self._turned = self.scratch_elements
        self.scratch_elements += tiling.run * tiling.rows * LANES
        vectors = tiling.run // LANES
        self._tags = tag(tiling.rows), tag(tiling.pixels), tag(vectors), tag(tiling.pixels * vectors)

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        flat_out = out.reshape(-1)
        tiles, channels = self.tiling.share(share, self.tiling.run)
        d, blocks = part_of(self._descriptor, self.tiling.blocks_of(channels), tiles, channels)
        arguments = (
            *(*self._tags, x.reshape(-1), flat_out, flat_out if residual is None else residual.reshape(-1), scratch),
            *(self.tiling.tap_offsets(), self._symbols, blocks, self._epilogue, self._turned, d),
        )
        return [(conv_channels, arguments)]
