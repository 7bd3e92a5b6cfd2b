"""Sparse 3 x 3 convolution of small images, 16 samples side by side, that never multiplies padding.

On an image of 4 x 4 pixels 44 of the 144 products of a weight and a pixel meet padding, and on one of 2 x 2 pixels 20
of 36. Here the sums of all pixels of an image rest in registers, and the weights of a segment are sorted into
*runs*, one for each of the nine taps. A run has a loop of its own, in which only those sums appear whose pixel the
tap meets inside the image. Nothing is packed either, since without padding a block is a stretch of the input as it lies
in memory: twice as many channels fit the cache, and sums rest half as often between blocks.
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
from .sparse import LATENCY, ConvLanes, LaneTiling, finish

NONE, ONE = (), (0,)
"""Tags: how far a tap looks up, down, left or right."""
TAPS = 9


class TapTiling(LaneTiling):
    """How a layer is cut into blocks; the tile is the image, and lies in memory as a kernel meets it."""

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
        """Mean number of pixels that a weight meets."""
        height, width = self.shape
        return (3 * height - 2) * (3 * width - 2) / TAPS


@inlined
def _few(tag: Any, rows: Any) -> bool:
    """Whether the tap in a corner meets so few pixels that four sums of each are needed to hide the latency."""
    return (len(rows) - 1) * (len(tag) // len(rows) - 1) < LATENCY


@inlined
def _run(
    tag: Any, rows: Any, up: Any, down: Any, left: Any, right: Any, sums: Any, x: F32, image: int,
    words: NDArray[Any], values: F32, book: Any, position: int, count: int,
) -> Any:  # fmt: skip
    """Four `sums`, over which weights `position` and following of one tap are spread, with their products added."""
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
    """`sums` and the products of weight k with the pixels that it meets."""
    weight, at = simd.word_weight(words, values, book, k), image + simd.word_offset(words, k) * LANES
    return simd.fma_shifted(sums, rows, up, down, left, right, weight, x, at)


@inlined
def _row_of_taps(
    tag: Any, rows: Any, up: Any, down: Any, sums: Any, x: F32, image: int,
    words: NDArray[Any], values: F32, book: Any, position: int, counts: NDArray[np.uint32], run: int,
) -> Any:  # fmt: skip
    """Four `sums` with the products of three runs added, and the position behind their weights."""
    left, middle, right = simd.get(counts, run), simd.get(counts, run + 1), simd.get(counts, run + 2)
    sums = _run(tag, rows, up, down, ONE, NONE, sums, x, image, words, values, book, position, left)
    position += left
    sums = _run(tag, rows, up, down, NONE, NONE, sums, x, image, words, values, book, position, middle)
    position += middle
    sums = _run(tag, rows, up, down, NONE, ONE, sums, x, image, words, values, book, position, right)
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
        The stream of weights, of nine runs a segment.
    blocks : ndarray of int64, shape (blocks, 8)
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    d : ndarray of int64
        The descriptor of `conv_lanes.LaneTiling`.
    """
    book, bounds = simd.load(book_tag, values, 0), limits(epilogue)
    for b in range(len(blocks)):
        image = blocks[b, Block.FIRST_UNIT] * len(tag) * LANES
        at, position, run = 0, blocks[b, Block.POSITION], blocks[b, Block.SEGMENT] * TAPS
        for channel in range(blocks[b, Block.FIRST_OUTPUT], blocks[b, Block.LAST_OUTPUT]):
            first = simd.zeros(tag)
            if blocks[b, Block.STARTS] == 0:
                first = simd.load(tag, scratch, at)
            sums = first, simd.zeros(tag), simd.zeros(tag), simd.zeros(tag)
            stream = words, values, book
            sums, position = _row_of_taps(tag, rows, ONE, NONE, sums, x, image, *stream, position, counts, run)
            sums, position = _row_of_taps(tag, rows, NONE, NONE, sums, x, image, *stream, position, counts, run + 3)
            sums, position = _row_of_taps(tag, rows, NONE, ONE, sums, x, image, *stream, position, counts, run + 6)
            run += TAPS
            first, second, third, fourth = sums
            if _few(tag, rows):
                first = simd.add(simd.add(first, second), simd.add(third, fourth))
            if blocks[b, Block.ENDS] == 0:
                simd.store(scratch, at, first)
            else:
                finish(
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
