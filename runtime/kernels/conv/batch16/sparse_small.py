"""Sparse 3 x 3 convolution of small images, 16 samples side by side, that never multiplies padding.

On an image of 4 x 4 pixels, 44 of the 144 products of a tap and a pixel are products with padding; on one of 2 x 2
pixels, 20 of 36 are. Here the sums of all pixels of an image stay in registers, and the weights of a segment are sorted
by their nine taps. Each tap has a loop of its own, which computes only the sums whose input pixel lies in the image.
Nothing is packed either: without padding, a block is a part of the input as it lies in memory. So twice as many
channels fit the cache, and sums are stored between blocks half as often.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .... import simd
from ....jit import inlined, kernel
from ....simd import LANES
from ...contract import F32, I64, ConvGeometry
from ...descriptor import Block
from ...epilogue import limits, scale_shift
from ...weights import SparseWeights
from ..direct.weight_stream import Stream, make_stream
from .sparse import LATENCY, ConvLanes, LaneTiling, store_tile

NONE, ONE = (), (0,)
"""Tags: by how many pixels a tap lies above, below, left or right of the output's."""
TAPS = 9


class TapTiling(LaneTiling):
    """How a layer is cut into blocks; the tile is the image, as it lies in memory."""

    @staticmethod
    def fits(g: ConvGeometry) -> bool:
        """Whether the kernel computes such layers, on images of at least two rows and columns."""
        plain = g.kernel == (3, 3) and g.stride == g.padding == g.dilation == (1, 1)
        return plain and min(g.height, g.width) > 1

    @property
    def unit_vectors(self) -> int:
        """Vectors of a unit: the pixels of a channel."""
        return self.shape[0] * self.shape[1]

    @property
    def tile_elements(self) -> int:
        """Nothing is packed."""
        return 0

    @property
    def products(self) -> float:
        """Mean number of pixels that a weight is multiplied with."""
        height, width = self.shape
        return (3 * height - 2) * (3 * width - 2) / TAPS


@inlined
def _few(tag: Any, rows: Any) -> bool:
    """Whether a corner tap has so few pixels that four sums of each are needed to hide the latency."""
    return (len(rows) - 1) * (len(tag) // len(rows) - 1) < LATENCY


@inlined
def _sum_tap(
    tag: Any, rows: Any, up: Any, down: Any, left: Any, right: Any, sums: Any, x: F32, image: int,
    words: NDArray[Any], values: F32, book: Any, position: int, count: int,
) -> Any:  # fmt: skip
    """Add the products of `count` weights of one tap, from number `position` on, to four `sums` in turn."""
    first, second, third, fourth = sums
    fours = position + count // 4 * 4 if _few(tag, rows) else position
    for k in range(position, fours, 4):
        first = _multiply(rows, up, down, left, right, first, x, image, words, values, book, k)
        second = _multiply(rows, up, down, left, right, second, x, image, words, values, book, k + 1)
        third = _multiply(rows, up, down, left, right, third, x, image, words, values, book, k + 2)
        fourth = _multiply(rows, up, down, left, right, fourth, x, image, words, values, book, k + 3)
    for k in range(fours, position + count):
        first = _multiply(rows, up, down, left, right, first, x, image, words, values, book, k)
    return first, second, third, fourth


@inlined
def _multiply(
    rows: Any, up: Any, down: Any, left: Any, right: Any, sums: Any, x: F32, image: int,
    words: NDArray[Any], values: F32, book: Any, k: int,
) -> Any:  # fmt: skip
    """Add to `sums` the products of weight k with the pixels of its tap."""
    weight, at = simd.word_weight(words, values, book, k), image + simd.word_offset(words, k) * LANES
    return simd.fma_shifted(sums, rows, up, down, left, right, weight, x, at)


@inlined
def _row_of_taps(
    tag: Any, rows: Any, up: Any, down: Any, sums: Any, x: F32, image: int,
    words: NDArray[Any], values: F32, book: Any, position: int, counts: NDArray[np.uint32], tap: int,
) -> Any:  # fmt: skip
    """Add to four `sums` the products of three taps; give the sums, and the position behind the weights."""
    left, middle, right = simd.get(counts, tap), simd.get(counts, tap + 1), simd.get(counts, tap + 2)
    sums = _sum_tap(tag, rows, up, down, ONE, NONE, sums, x, image, words, values, book, position, left)
    position += left
    sums = _sum_tap(tag, rows, up, down, NONE, NONE, sums, x, image, words, values, book, position, middle)
    position += middle
    sums = _sum_tap(tag, rows, up, down, NONE, ONE, sums, x, image, words, values, book, position, right)
    return sums, position + right


@kernel
def conv_taps(
    tag: Any,
    rows: Any,
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
) -> None:
    """Convolve 16 samples.

    Parameters
    ----------
    tag, rows, book_tag : Tag
        As long as an image has pixels and rows, and the codebook vectors that are kept in registers.
    x, out, residual : ndarray of float32, flat
        Activations; `residual` is read only where the descriptor says so.
    scratch : ndarray of float32, flat
        The sums.
    words, values, counts
        The stream of weights, those of a segment sorted by nine taps.
    blocks : ndarray of int64, shape (blocks, 8)
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    d : ndarray of int64
        The descriptor: `Conv` and `Batch16`.
    """
    book, bounds = simd.load(book_tag, values, 0), limits(epilogue)
    for b in range(len(blocks)):
        image = blocks[b, Block.FIRST_UNIT] * len(tag) * LANES
        at, position, tap = 0, blocks[b, Block.POSITION], blocks[b, Block.SEGMENT] * TAPS
        for channel in range(blocks[b, Block.FIRST_OUTPUT], blocks[b, Block.LAST_OUTPUT]):
            first = simd.zeros(tag)
            if blocks[b, Block.STARTS] == 0:
                first = simd.load(tag, scratch, at)
            sums = first, simd.zeros(tag), simd.zeros(tag), simd.zeros(tag)
            stream = words, values, book
            sums, position = _row_of_taps(tag, rows, ONE, NONE, sums, x, image, *stream, position, counts, tap)
            sums, position = _row_of_taps(tag, rows, NONE, NONE, sums, x, image, *stream, position, counts, tap + 3)
            sums, position = _row_of_taps(tag, rows, NONE, ONE, sums, x, image, *stream, position, counts, tap + 6)
            tap += TAPS
            first, second, third, fourth = sums
            if _few(tag, rows):
                first = simd.add(simd.add(first, second), simd.add(third, fourth))
            if blocks[b, Block.ENDS] == 0:
                simd.store(scratch, at, first)
            else:
                store_tile(
                    *(tag, rows, first, out, residual, scratch, at, channel, 0, 0),
                    *(*scale_shift(epilogue, channel), bounds, d),
                )
            at += len(tag) * LANES


class ConvTaps(ConvLanes):
    """A convolution packed for `conv_taps`.

    Parameters
    ----------
    weight : Tensor
    tiling : TapTiling
    epilogue : Epilogue
    """

    kernel_name = "conv_taps"

    def _sort(self, weights: SparseWeights) -> Stream:
        tiling, g = self.tiling, self.tiling.geometry
        channel, tap = np.indices((g.in_channels // g.groups, TAPS)).reshape(2, -1)
        return make_stream(weights, g, tiling.blocks, tiling.unit_vectors, channel, 0, tap, TAPS)

    def _kernel(self) -> tuple[Callable[..., None], tuple[int, ...]]:
        height, width = self.tiling.shape
        return conv_taps, (height * width, height)
