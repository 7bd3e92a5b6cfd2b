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
from ....jit import inlined, kernel
from ....simd import LANES
from ...contract import F32, I64, ConvGeometry, Epilogue, tag
from ...weights import SparseWeights
from .sparse import ConvStream, convolve
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
    operands = words, values, counts, simd.load(book_tag, values, 0), run, up, down
    convolve(_sum_segment, operands, tag, x, out, residual, scratch, blocks, epilogue, d)


@inlined
def _sum_segment(
    tag: Any, operands: Any, scratch: F32, at: int, resumes: bool, segment: int, position: int
) -> tuple[Any, int]:
    """See `convolve`; a segment has a run of weights for each of the three taps."""
    words, values, counts, book, run, up, down = operands
    middle = position + simd.get(counts, WIDTH * segment)
    right = middle + simd.get(counts, WIDTH * segment + 1)
    end = right + simd.get(counts, WIDTH * segment + 2)
    sums = sum_products(tag, simd.zeros(tag), scratch, words, values, book, position, middle)
    sums = simd.slide_up(sums, run, up)
    if resumes:
        sums = simd.add(sums, simd.load(tag, scratch, at))
    sums = sum_products(tag, sums, scratch, words, values, book, middle, right)
    last = sum_products(tag, simd.zeros(tag), scratch, words, values, book, right, end)
    return simd.add(sums, simd.slide_down(last, run, down)), end


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
