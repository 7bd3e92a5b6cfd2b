"""Sparse convolution of kernels three taps wide: sums slide from lane to lane, where other kernels shift pixels.

In `conv_sparse` a packed tile holds every pixel three times, once for each horizontal tap, and packing the images of
small networks takes a fifth of their time. Here it holds each pixel once. The sums of the left taps and those of the
right taps are made apart from those of the middle taps, and slide up or down by a lane, to the pixels that they belong
to, before all are added.

Lanes slide in a ring, through all vectors of a tile. Where they leave a row, its neighbour of another row, or of the
tile's other end, arrives at the first or the last pixel of a row: these lanes are cleared.

Tiles know rows of at most 16 pixels, so a wide image is seen as an `upright` one, of rows of 16, of which several are a
row of the image.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....dcformat.tensors import Tensor
from .... import simd
from ....jit import kernel
from ....simd import LANES
from ...contract import F32, I64, ConvGeometry, Epilogue, tag
from ...descriptor import Block, Conv, Direct
from ...epilogue import limits
from ...weights import SparseWeights
from . import pack_input as conv_packing
from . import tile as conv_tile
from .sparse import ConvStream
from .tile import Tiling
from .weight_stream import make_stream, sum_products

WIDTH = 3
"""Horizontal taps: of each output channel a block has as many runs of weights, from the left tap to the right one."""


@dataclass(frozen=True, kw_only=True)
class ShiftTiling(Tiling):
    """How a layer is cut into tiles and blocks: its `geometry` is upright, and tiles are of whole rows of the image.

    Attributes
    ----------
    layer : ConvGeometry
        The layer as it is.
    """

    layer: ConvGeometry

    @classmethod
    def of(cls, layer: ConvGeometry, rows: int, budget: int) -> ShiftTiling:
        """Tiles of so many vectors, a multiple of `vectors_of_row`, for a layer that `fits`."""
        geometry = upright(layer)
        return cls(geometry, rows, geometry.width, LANES // geometry.width, budget, layer=layer)

    @staticmethod
    def fits(layer: ConvGeometry) -> bool:
        """Whether the kernel takes a layer."""
        across = layer.kernel[1], layer.padding[1], layer.dilation[1]
        even = layer.width <= LANES or layer.width % LANES == 0
        return even and layer.stride == (1, 1) and across == (WIDTH, 1, 1) and layer.kernel[0] > 1

    @staticmethod
    def vectors_of_row(layer: ConvGeometry) -> int:
        """Vectors of a row of the image."""
        return max(1, layer.width // LANES)


def upright(layer: ConvGeometry) -> ConvGeometry:
    """The layer as tiles see it: its vertical taps alone, and rows of at most 16 pixels."""
    g, run = layer, ShiftTiling.vectors_of_row(layer)
    width = g.width // run
    return replace(
        g,
        height=g.height * run,
        width=width,
        kernel=(g.kernel[0], 1),
        padding=(g.padding[0] * run, 0),
        dilation=(g.dilation[0] * run, 1),
        out_height=g.out_height * run,
        out_width=width,
    )


@kernel
def conv_sliding(
    tag: Any,
    book_tag: Any,
    x: F32,
    out: F32,
    residual: F32,
    scratch: F32,
    words: NDArray[Any],
    values: F32,
    counts: NDArray[np.uint32],
    blocks: I64,
    epilogue: F32,
    d: I64,
    run: Any,
    up: int,
    down: int,
) -> None:
    """Convolve a batch.

    Parameters
    ----------
    tag : Tag
        As long as a tile has vectors.
    book_tag, x, out, residual, scratch, words, values
        As `conv_sparse` takes them.
    counts : ndarray of uint32, shape (3 * segments,)
        Weights of each run of each segment.
    blocks, epilogue, d
        As `conv_sparse` takes them, for the `upright` layer.
    run : Tag
        As long as a row of the image has vectors.
    up, down : int
        Bits of the lanes of a row's first vector that are not the first pixel of a row, and of those of its last vector
        that are not the last.
    """
    vectors, book = len(tag), simd.load(book_tag, values, 0)
    bounds = limits(epilogue)
    for sample in range(d[Conv.SAMPLES]):
        first_in = sample * d[Conv.IN_CHANNELS] * d[Direct.IN_PLANE]
        first_out = sample * d[Conv.OUT_CHANNELS] * d[Direct.OUT_PLANE]
        for tile in range(d[Conv.FIRST], d[Conv.LAST]):
            row, column = conv_tile.corner(tile, vectors, d)
            is_run = conv_tile.is_run(row, vectors, d)
            for b in range(len(blocks)):
                first_unit, last_unit = blocks[b, Block.FIRST_UNIT], blocks[b, Block.LAST_UNIT]
                conv_packing.pack_tile(x, first_in, first_unit, last_unit, tile, row, column, scratch, d)
                at_once = is_run and blocks[b, Block.ENDS] != 0
                at, position, segment = d[Conv.SUMS], blocks[b, Block.POSITION], WIDTH * blocks[b, Block.SEGMENT]
                for few in range(blocks[b, Block.FIRST_OUTPUT], blocks[b, Block.LAST_OUTPUT], conv_tile.FINISHED):
                    few_end, few_at = min(few + conv_tile.FINISHED, blocks[b, Block.LAST_OUTPUT]), at
                    for channel in range(few, few_end):
                        if blocks[b, Block.ENDS] != 0:
                            start = first_out + channel * d[Direct.OUT_PLANE]
                            conv_tile.expect(tag, out, start, row, column, d)
                        middle = position + simd.get(counts, segment)
                        right = middle + simd.get(counts, segment + 1)
                        end = right + simd.get(counts, segment + 2)
                        sums = sum_products(tag, simd.zeros(tag), scratch, words, values, book, position, middle)
                        sums = simd.slide_up(sums, run, up)
                        if blocks[b, Block.STARTS] == 0:
                            sums = simd.add(sums, simd.load(tag, scratch, at))
                        sums = sum_products(tag, sums, scratch, words, values, book, middle, right)
                        last = sum_products(tag, simd.zeros(tag), scratch, words, values, book, right, end)
                        sums = simd.add(sums, simd.slide_down(last, run, down))
                        position = end
                        if at_once:
                            conv_tile.finish_run(tag, sums, channel, out, residual, first_out, row, epilogue, bounds, d)
                        else:
                            simd.store(scratch, at, sums)
                        segment += WIDTH
                        at += vectors * LANES
                    if blocks[b, Block.ENDS] != 0 and not at_once:
                        conv_tile.finish(
                            *(tag, scratch, few_at, few, few_end, out, residual, first_out, row, column),
                            *(epilogue, bounds, d),
                        )


class ConvSliding(ConvStream):
    """A convolution packed for `conv_sliding`.

    Parameters
    ----------
    weight : Tensor
    tiling : ShiftTiling
    epilogue : Epilogue
    """

    kernel_name = "conv_sliding"

    def __init__(self, weight: Tensor, tiling: ShiftTiling, epilogue: Epilogue) -> None:
        g = tiling.geometry
        inputs, ky, kx = np.indices((g.in_channels // g.groups, *tiling.layer.kernel)).reshape(3, -1)
        vector = tiling.tap_offsets()[ky]
        stream = make_stream(SparseWeights.of(weight), g, tiling.blocks, tiling.unit_vectors, inputs, vector, kx, WIDTH)
        kept = (sum(1 << lane for lane in range(LANES) if (lane + i) % g.width) for i in range(2))
        super().__init__(conv_sliding, stream, tiling, epilogue, (tag(ShiftTiling.vectors_of_row(tiling.layer)), *kept))
