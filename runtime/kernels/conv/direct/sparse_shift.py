"""Sparse convolution of kernels three taps wide: it shifts sums from lane to lane, where other kernels shift pixels.

In `conv_sparse` a packed tile holds every pixel three times, once for each horizontal tap, and packing takes a fifth of
the time of small networks. Here it holds each pixel once. Left, middle and right taps are summed separately. Then the
sums of the left taps slide up by a lane, those of the right taps slide down by one, and all three are added.

Lanes slide in a ring, through all vectors of a tile. So the first or the last pixel of a row receives a sum of another
row, or of the tile's other end. These lanes are cleared.

A row of a tile has at most 16 pixels. So a wide image is seen as an `upright` one: each row of the image is several
rows of 16 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....core.cpu import WIDE
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
"""Horizontal taps: the weights of a segment are sorted by them, from left to right."""


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
    def of(cls, layer: ConvGeometry, rows: int, budget: int, wide: bool = WIDE) -> ShiftTiling:
        """Tiles of `rows` vectors, a multiple of `vectors_of_row`, for a layer that `fits`."""
        geometry = upright(layer)
        return cls(geometry, rows, geometry.width, LANES // geometry.width, budget, wide=wide, layer=layer)

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
    """The layer as tiles see it: its vertical taps only, and rows of at most 16 pixels."""
    g, vectors = layer, ShiftTiling.vectors_of_row(layer)
    width = g.width // vectors
    return replace(
        g,
        height=g.height * vectors,
        width=width,
        kernel=(g.kernel[0], 1),
        padding=(g.padding[0] * vectors, 0),
        dilation=(g.dilation[0] * vectors, 1),
        out_height=g.out_height * vectors,
        out_width=width,
    )


@kernel
def conv_sliding(
    tag: Any,
    chains: Any,
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
    row_tag: Any,
    up: int,
    down: int,
) -> None:
    """Convolve a batch.

    Parameters
    ----------
    tag : Tag
        As long as a tile has vectors.
    chains, book_tag, x, out, residual, scratch, words, values
        As `conv_sparse` takes them.
    counts : ndarray of uint32, shape (3 * segments,)
        Weights of each horizontal tap of each segment.
    blocks, epilogue, d
        As `conv_sparse` takes them, for the `upright` layer.
    row_tag : Tag
        As long as a row of the image has vectors.
    up, down : int
        Bits of the lanes of a row's first vector that are not the first pixel of a row, and of those of its last vector
        that are not the last.
    """
    operands = words, values, counts, simd.load(book_tag, values, 0), row_tag, up, down
    convolve(_sum_segment, chains, operands, tag, x, out, residual, scratch, blocks, epilogue, d)


@inlined
def _sum_segment(
    tag: Any, chains: Any, operands: Any, scratch: F32, at: int, resumes: bool, segment: int, position: int
) -> tuple[Any, int]:
    """See `convolve`; the weights of a segment are sorted by horizontal tap."""
    words, values, counts, book, row_tag, up, down = operands
    middle = position + simd.get(counts, WIDTH * segment)
    right = middle + simd.get(counts, WIDTH * segment + 1)
    end = right + simd.get(counts, WIDTH * segment + 2)
    sums = sum_products(tag, chains, simd.zeros(tag), scratch, words, values, book, position, middle)
    sums = simd.slide_up(sums, row_tag, up)
    if resumes:
        sums = simd.add(sums, simd.load(tag, scratch, at))
    sums = sum_products(tag, chains, sums, scratch, words, values, book, middle, right)
    last = sum_products(tag, chains, simd.zeros(tag), scratch, words, values, book, right, end)
    return simd.add(sums, simd.slide_down(last, row_tag, down)), end


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
