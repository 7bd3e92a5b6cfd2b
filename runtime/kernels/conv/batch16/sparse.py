"""Sparse convolution of 16 samples side by side, a sample a lane; fully connected layers are images of one pixel.

Activations lie as (channels, height, width, 16), so one vector holds a pixel of all samples. Then each tap is an
aligned load, no lane idles at the edge of an odd image, and strides cost nothing. A *tile* is a rectangle of output
pixels, ``rows`` high, whose sums a kernel keeps in registers. A *unit* is an input channel, or every n-th column of one
where the horizontal stride is n. Packing a unit copies the pixels that the tile sees, with zeros for padding and rows
separated by stride; so the pixels of each tap are a grid of vectors, whose rows lie `pitch` apart. Blocks of units and
segments of weights are those of `conv.blocks`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....core.cpu import WIDE
from .....dcformat.tensors import Tensor
from .... import simd
from ....jit import inlined, kernel
from ....simd import LANES
from ...contract import F32, I64, WHOLE, Call, ConvGeometry, Epilogue, LinearGeometry, Share, tag
from ...descriptor import Batch16, Block, Conv, layer_fields, pack
from ...epilogue import clamp, epilogue_array, limits, scale_shift
from ...weights import SparseWeights
from ..blocks import FAR, block_table, cut, divide_work, most_outputs, most_units, part_of
from ..direct.weight_stream import Stream, make_stream

LATENCY = 4
"""In a tile of fewer pixels than this, multiply-adds wait for each other."""

WINDOW, PAIR = (0, 0, 0, 0), (0, 0)
"""Tags: pixels, and rows, of a window that is pooled."""

PHASES = len(Conv) + len(Batch16)
"""Where the phases lie in the descriptor."""


def as_convolution(g: LinearGeometry) -> ConvGeometry:
    """A fully connected layer as a convolution of an image of one pixel."""
    one = (1, 1)
    return ConvGeometry(g.batch, g.in_features, 1, 1, g.out_features, one, one, (0, 0), one, 1, 1, 1)


@dataclass(frozen=True)
class LaneTiling:
    """How a layer is cut into tiles and blocks.

    Attributes
    ----------
    geometry : ConvGeometry
    shape : tuple of int
        Height and width of a tile.
    budget : int
        Vectors that a packed block may take.
    wide : bool
        Whether the processor's registers hold 16 float32.
    """

    geometry: ConvGeometry
    shape: tuple[int, int]
    budget: int
    wide: bool = WIDE

    @cached_property
    def image(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Sizes of input and output as tiles see them: a pointwise layer's image is one row."""
        g = self.geometry
        if g.kernel == g.stride == (1, 1) and g.padding == (0, 0):
            return (1, g.height * g.width), (1, g.height * g.width)
        return (g.height, g.width), (g.out_height, g.out_width)

    @cached_property
    def phases(self) -> tuple[list[int], list[int]]:
        """Remainders, by the stride, of the input rows and of the input columns that any tap reads."""
        g = self.geometry
        rows, columns = (sorted({k * g.dilation[a] % g.stride[a] for k in range(g.kernel[a])}) for a in range(2))
        return rows, columns

    @property
    def reach(self) -> tuple[int, int]:
        """Rows, for each phase, and columns that a unit packs."""
        g = self.geometry
        y, x = (self.shape[a] + (g.kernel[a] - 1) * g.dilation[a] // g.stride[a] for a in range(2))
        return y, x

    @property
    def unit_vectors(self) -> int:
        """Vectors that a unit packs."""
        return len(self.phases[0]) * self.reach[0] * self.reach[1]

    @cached_property
    def blocks(self) -> I64:
        """The table of blocks: see `block_table`."""
        return block_table(self.geometry, len(self.phases[1]), max(1, self.budget // self.unit_vectors))

    @property
    def segments(self) -> int:
        """Segments of weights: outputs of each block, added up."""
        blocks = cut(self.geometry, len(self.phases[1]), max(1, self.budget // self.unit_vectors))[2]
        return self.geometry.out_channels * blocks

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        (height, width), (_, (out_height, out_width)) = self.shape, self.image
        return -(-out_height // height) * -(-out_width // width)

    def taps(self) -> tuple[I64, I64]:
        """Unit, of those of a channel, and vector within it of each tap: shape (KH * KW,) both."""
        g = self.geometry
        row, column = np.indices(g.kernel).reshape(2, -1) * np.array(g.dilation)[:, None]
        y = np.searchsorted(self.phases[0], row % g.stride[0]) * self.reach[0] + row // g.stride[0]
        unit = np.searchsorted(self.phases[1], column % g.stride[1])
        return unit, y * self.reach[1] + column // g.stride[1]

    @property
    def tile_elements(self) -> int:
        """Elements of scratch for a packed block."""
        return most_units(self.blocks) * self.unit_vectors * LANES

    @property
    def sum_elements(self) -> int:
        """Elements of scratch for the sums of all outputs of a block."""
        return most_outputs(self.blocks) * self.shape[0] * self.shape[1] * LANES

    def descriptor(self, epilogue: Epilogue) -> I64:
        """The descriptor: the fields of `Conv` and `Batch16`, and behind them the phases of rows and of columns."""
        fields = pack(
            Conv,
            Batch16,
            **layer_fields(self.geometry, epilogue, self.image),
            samples=1,
            sums=self.tile_elements,
            first=0,
            last=self.tiles,
            stride_y=self.geometry.stride[0],
            stride_x=self.geometry.stride[1],
            reach_y=self.reach[0],
            reach_x=self.reach[1],
            phases_y=len(self.phases[0]),
            phases_x=len(self.phases[1]),
        )
        return np.concatenate([fields, *(np.array(phases, np.int64) for phases in self.phases)])


@inlined
def steps(distance: int, stride: int) -> int:
    """Least number of steps of `stride` that cover `distance`."""
    distance = max(0, distance)
    return distance if stride == 1 else (distance + stride - 1) // stride


@kernel
def pack_lanes(
    columns: Any, x: F32, first: int, last: int, row: int, column: int, again: bool, tile: F32, d: I64
) -> None:
    """Pack units `first` to `last` as the tile at output (row, column) sees them.

    Parameters
    ----------
    columns : Tag
        As long as the tile has columns.
    x : ndarray of float32, flat
    again : bool
        Whether `tile` holds other units that were packed for the same tile: their padding is where it must be now.
    tile : ndarray of float32, flat
        Written: ``(last - first) * unit_vectors`` vectors.
    d : ndarray of int64
        The descriptor.
    """
    height, width = d[Conv.HEIGHT], d[Conv.WIDTH]
    stride_y, stride_x = d[Batch16.STRIDE_Y], d[Batch16.STRIDE_X]
    downs, acrosses = d[Batch16.PHASES_Y], d[Batch16.PHASES_X]
    reach_y, reach_x = d[Batch16.REACH_Y], d[Batch16.REACH_X]
    top, left = row * stride_y - d[Conv.PAD_Y], column * stride_x - d[Conv.PAD_X]
    size = reach_y * reach_x
    for phase in range(acrosses * downs):
        down, across = phase % downs, phase // downs
        y, x0 = top + d[PHASES + down], left + d[PHASES + downs + across]
        skip, begin = min(reach_x, steps(-x0, stride_x)), min(reach_y, steps(-y, stride_y))
        end = max(skip, min(reach_x, steps(width - x0, stride_x)))
        stop = max(begin, min(reach_y, steps(height - y, stride_y)))
        padded = (end - skip) * (stop - begin) < size and not (again and acrosses == 1)
        start = first + (across - first) % acrosses  # the first unit of this phase
        at = ((start - first) * downs + down) * size * LANES
        corner = ((start // acrosses * height + y + begin * stride_y) * width + x0) * LANES
        for _ in range(start, last, acrosses):
            if padded:
                for k in range(size):
                    simd.store(tile, at + k * LANES, simd.zeros((0,)))
            source = corner
            for r in range(begin, stop):
                target, c = at + r * reach_x * LANES, skip
                if stride_x == 1:
                    while c + len(columns) <= end:
                        simd.store(tile, target + c * LANES, simd.load(columns, x, source + c * LANES))
                        c += len(columns)
                for k in range(c, end):
                    simd.store(tile, target + k * LANES, simd.load((0,), x, source + k * stride_x * LANES))
                source += stride_y * width * LANES
            at += acrosses * downs * size * LANES
            corner += height * width * LANES


@inlined
def _multiply(sums: Any, rows: Any, tile: F32, pitch: int, words: NDArray[Any], values: F32, book: Any, k: int) -> Any:
    """Add to `sums` the product of weight k with the pixels of its tap."""
    return simd.fma_grid(
        sums, rows, simd.word_weight(words, values, book, k), tile, simd.word_offset(words, k) * LANES, pitch
    )


@inlined
def store_tile(
    tag: Any, rows: Any, sums: Any, out: F32, residual: F32, spare: F32, at: int, channel: int, row: int, column: int,
    scale: float, shift: float, limits: Any, d: I64,
) -> None:  # fmt: skip
    """Apply the epilogue to the sums of one output channel of a tile, and store the outputs.

    ``spare[at:]`` may be overwritten.
    """
    height, width, tile_width = d[Conv.OUT_HEIGHT], d[Conv.OUT_WIDTH], len(tag) // len(rows)
    place, pitch = ((channel * height + row) * width + column) * LANES, width * LANES
    value = simd.scale_shift(sums, scale, shift)
    whole = row + len(rows) <= height and column + tile_width <= width
    if d[Conv.POOL] != 0:
        value = clamp(value, limits)
        place, pitch = ((channel * (height // 2) + row // 2) * (width // 2) + column // 2) * LANES, width // 2 * LANES
        if whole:
            simd.store_grid(rows[::2], out, place, pitch, simd.max_pool_grid(rows, value))
        else:
            simd.store(spare, at, value)
            for r in range(min(len(rows), height - row) // 2):
                for c in range(min(tile_width, width - column) // 2):
                    corner = at + (2 * r * tile_width + 2 * c) * LANES
                    window = simd.load_grid(WINDOW, PAIR, spare, corner, tile_width * LANES)
                    simd.store(out, place + r * pitch + c * LANES, simd.max_pool_grid(PAIR, window))
    elif whole:
        if d[Conv.RESIDUAL] != 0:
            value = simd.add(value, simd.load_grid(tag, rows, residual, place, pitch))
        simd.store_grid(rows, out, place, pitch, clamp(value, limits))
    else:
        simd.store(spare, at, value)
        for r in range(min(len(rows), height - row)):
            for c in range(min(tile_width, width - column)):
                pixel = simd.load((0,), spare, at + (r * tile_width + c) * LANES)
                target = place + r * pitch + c * LANES
                if d[Conv.RESIDUAL] != 0:
                    pixel = simd.add(pixel, simd.load((0,), residual, target))
                simd.store(out, target, clamp(pixel, limits))


@kernel
def conv_lanes(
    tag: Any,
    rows: Any,
    columns: Any,
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
    tag, rows, columns, book_tag : Tag
        As long as a tile has pixels, rows, and columns, and the codebook vectors that are kept in registers.
    x, out, residual : ndarray of float32, flat
        Activations; `residual` is read only where the descriptor says so.
    scratch : ndarray of float32, flat
        The packed tile, then the sums.
    words, values, counts
        The stream of weights.
    blocks : ndarray of int64, shape (blocks, 8)
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    d : ndarray of int64
        The descriptor: `Conv` and `Batch16`.
    """
    width, pitch, book = len(columns), d[Batch16.REACH_X] * LANES, simd.load(book_tag, values, 0)
    across, bounds = (d[Conv.OUT_WIDTH] + width - 1) // width, limits(epilogue)
    far = len(out) > FAR and d[Conv.POOL] == 0
    for tile in range(d[Conv.FIRST], d[Conv.LAST]):
        row, column = tile // across * len(rows), tile % across * width
        for b in range(len(blocks)):
            first, last = blocks[b, Block.FIRST_UNIT], blocks[b, Block.LAST_UNIT]
            pack_lanes(columns, x, first, last, row, column, b > 0, scratch, d)
            at, position, segment = d[Conv.SUMS], blocks[b, Block.POSITION], blocks[b, Block.SEGMENT]
            for channel in range(blocks[b, Block.FIRST_OUTPUT], blocks[b, Block.LAST_OUTPUT]):
                count = simd.get(counts, segment)
                segment += 1
                sums = simd.zeros(tag)
                if blocks[b, Block.STARTS] == 0:
                    sums = simd.load(tag, scratch, at)
                if far and blocks[b, Block.ENDS] != 0:
                    for r in range(len(rows)):
                        place = (channel * d[Conv.OUT_HEIGHT] + row + r) * d[Conv.OUT_WIDTH] + column
                        for c in range(width):
                            simd.prefetch_rows((0,), out, (place + c) * LANES, 0)
                # A small tile is summed in four chains, to hide the latency of the additions.
                end = position + count
                fours = position + count // 4 * 4 if len(tag) < LATENCY else position
                second, third, fourth = simd.zeros(tag), simd.zeros(tag), simd.zeros(tag)
                for k in range(position, fours, 4):
                    sums = _multiply(sums, rows, scratch, pitch, words, values, book, k)
                    second = _multiply(second, rows, scratch, pitch, words, values, book, k + 1)
                    third = _multiply(third, rows, scratch, pitch, words, values, book, k + 2)
                    fourth = _multiply(fourth, rows, scratch, pitch, words, values, book, k + 3)
                for k in range(fours, end):
                    sums = _multiply(sums, rows, scratch, pitch, words, values, book, k)
                if len(tag) < LATENCY:
                    sums = simd.add(simd.add(sums, second), simd.add(third, fourth))
                position = end
                if blocks[b, Block.ENDS] == 0:
                    simd.store(scratch, at, sums)
                else:
                    store_tile(
                        *(tag, rows, sums, out, residual, scratch, at, channel, row, column),
                        *(*scale_shift(epilogue, channel), bounds, d),
                    )
                at += len(tag) * LANES


class ConvLanes:
    """A convolution packed for `conv_lanes`.

    Parameters
    ----------
    weight : Tensor
    tiling : LaneTiling
    epilogue : Epilogue
    """

    kernel_name = "conv_lanes"

    def __init__(self, weight: Tensor, tiling: LaneTiling, epilogue: Epilogue) -> None:
        self.tiling = tiling
        self._stream = self._sort(SparseWeights.of(weight))
        self._epilogue = epilogue_array(epilogue, tiling.geometry.out_channels)
        self._descriptor = tiling.descriptor(epilogue)
        self.weight_bytes = self._stream.nbytes
        self.scratch_elements = tiling.tile_elements + tiling.sum_elements

    def _sort(self, weights: SparseWeights) -> Stream:
        """The stream of weights."""
        tiling, g = self.tiling, self.tiling.geometry
        channel, tap = np.indices((g.in_channels // g.groups, g.kernel[0] * g.kernel[1])).reshape(2, -1)
        unit, vector = tiling.taps()
        unit = channel * len(tiling.phases[1]) + unit[tap]
        return make_stream(weights, g, tiling.blocks, tiling.unit_vectors, unit, vector[tap])

    def _kernel(self) -> tuple[Callable[..., None], tuple[int, ...]]:
        """The kernel, and the lengths of its tags but for the codebook's."""
        height, width = self.tiling.shape
        return conv_lanes, (height * width, height, width)

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`; activations are (channels, height, width, 16)."""
        flat_out, stream, (function, tags) = out.reshape(-1), self._stream, self._kernel()
        tiles, channels = divide_work(self.tiling.geometry, self.tiling.tiles, share)
        d, blocks = part_of(self._descriptor, self.tiling.blocks, tiles, channels)
        arguments = (
            *map(tag, tags),
            *(
                stream.book(self.tiling.wide),
                x.reshape(-1),
                flat_out,
                flat_out if residual is None else residual.reshape(-1),
                scratch,
            ),
            *(stream.words, stream.values, stream.counts),
            *(stream.locate(blocks), self._epilogue, d),
        )
        return [(function, arguments)]
