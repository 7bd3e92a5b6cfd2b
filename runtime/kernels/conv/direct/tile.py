"""Convolution over tiles: what the sparse and the dense kernel share.

A *tile* is a set of output pixels whose sums a kernel keeps in `rows` vectors. Lane ``g * span + s`` of vector t is the
output pixel

    row = first_row + g * rows + t,   column = first_column + s,        g < bands, s < span

so a wide image takes ``bands = 1``, and an 8 x 8 one ``span = 8, bands = 2``, with all 16 lanes at work either way.

A *unit* is an input channel together with a horizontal tap kx. Packing a unit copies the pixels that the tile sees
through that tap (`pack_input`), so that for every vertical tap ky the `rows` vectors to be multiplied lie at
consecutive, aligned places: at vector

    unit * phases * reach + phase(ky * dilation % stride) * reach + ky * dilation // stride

of the packed tile. Vertical strides separate the input rows by phase, horizontal ones are gathered. Units are taken in
*blocks* that fit a cache; sums between blocks rest in scratch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np

from .... import simd
from ....jit import inlined
from ....simd import LANES
from ...contract import F32, I64, ConvGeometry, Share
from ...epilogue import clamp, scale_shift

FAR = 1 << 18
"""Elements of an output that does not stay in the L2 cache: 1 MiB."""

FINISHED = 16
"""Output channels whose sums wait to be finished together, near, and at the cost of one for all but the vectors."""

SHORT = 4
"""Rows of a tile whose sums had better wait for each other in any case."""

# Places in the descriptor, an int64 array that carries all sizes into a kernel.
BATCH, IN_CHANNELS, IN_PLANE, OUT_CHANNELS, OUT_HEIGHT, OUT_WIDTH, OUT_PLANE = 0, 1, 2, 3, 4, 5, 6
TAPS, ROW_STEP, COLUMN_STEP, SPAN, BANDS, UNIT, SUMS = 7, 8, 9, 10, 11, 12, 13
RESIDUAL, FIRST_TILE, LAST_TILE = 14, 15, 16
CHUNKS, PIECES, OFFSETS, MASKS, TILE_MASKS = 17, 18, 19, 20, 21

# Columns of the table of blocks: units and outputs from, to; whether its sums start and end here; the first segment of
# its outputs, and the place of that one's weights in the stream.
FIRST_UNIT, LAST_UNIT, FIRST_OUTPUT, LAST_OUTPUT, STARTS, ENDS, SEGMENT, POSITION = range(8)


@dataclass(frozen=True)
class Plane:
    """The sizes that tiles see.

    They are those of the layer, but a pointwise layer's image is one long run, cut into rows of 16 pixels.
    """

    height: int
    width: int
    out_height: int
    out_width: int

    @classmethod
    def of(cls, geometry: ConvGeometry) -> Plane:
        """Sizes for a layer."""
        g = geometry
        if g.kernel == g.stride == (1, 1) and g.padding == (0, 0):
            rows = -(-g.height * g.width // LANES)
            return cls(rows, LANES, rows, LANES)
        return cls(g.height, g.width, g.out_height, g.out_width)


@dataclass(frozen=True)
class Tiling:
    """How a layer is cut into tiles and blocks.

    Attributes
    ----------
    geometry : ConvGeometry
    rows, span, bands : int
        See the module.
    budget : int
        Vectors that a packed block may take.
    merge : bool
        Whether small groups may share a block.
    """

    geometry: ConvGeometry
    rows: int
    span: int
    bands: int
    budget: int
    merge: bool = True

    @cached_property
    def plane(self) -> Plane:
        """Sizes that the tiles see."""
        return Plane.of(self.geometry)

    @cached_property
    def phases(self) -> list[int]:
        """Remainders, by the vertical stride, of the input rows that any tap reads."""
        g = self.geometry
        return sorted({ky * g.dilation[0] % g.stride[0] for ky in range(g.kernel[0])})

    @property
    def reach(self) -> int:
        """Vectors a unit packs for each phase."""
        g = self.geometry
        return self.rows + (g.kernel[0] - 1) * g.dilation[0] // g.stride[0]

    @property
    def unit_vectors(self) -> int:
        """Vectors a unit packs."""
        return len(self.phases) * self.reach

    @property
    def block_units(self) -> int:
        """Most units of a block."""
        return max(1, self.budget // self.unit_vectors)

    @property
    def tiles(self) -> int:
        """Tiles of one sample."""
        plane = self.plane
        return -(-plane.out_height // (self.rows * self.bands)) * -(-plane.out_width // self.span)

    def tap_offsets(self) -> I64:
        """Vector, within a unit, of each vertical tap: shape (KH,)."""
        g = self.geometry
        row = np.arange(g.kernel[0]) * g.dilation[0]
        return np.searchsorted(self.phases, row % g.stride[0]) * self.reach + row // g.stride[0]

    @cached_property
    def blocks(self) -> I64:
        """The table of blocks, shape (blocks, 8); POSITION is left to the packer."""
        return block_table(self.geometry, self.geometry.kernel[1], self.block_units, self.merge)

    @property
    def segments(self) -> int:
        """Segments of weights: outputs of each block, added up."""
        return self.geometry.out_channels * cut(self.geometry, self.geometry.kernel[1], self.block_units, self.merge)[2]

    @property
    def tile_elements(self) -> int:
        """Elements of scratch for a packed block."""
        return int((self.blocks[:, LAST_UNIT] - self.blocks[:, FIRST_UNIT]).max()) * self.unit_vectors * LANES

    @property
    def most_outputs(self) -> int:
        """Most outputs of a block."""
        return int((self.blocks[:, LAST_OUTPUT] - self.blocks[:, FIRST_OUTPUT]).max())

    def share(self, share: Share, run: int = 1) -> tuple[range, range]:
        """Tiles and output channels that fall to a part of the work."""
        return divide_work(self.geometry, self.tiles, share, run)


def block_table(g: ConvGeometry, taps: int, block_units: int, merge: bool = True) -> I64:
    """The table of blocks, shape (blocks, 8); POSITION is left to the packer.

    Parameters
    ----------
    g : ConvGeometry
    taps, block_units : int
        Units of a channel, and most of a block.
    merge : bool
        Whether small groups may share a block.
    """
    outputs, units = g.out_channels // g.groups, g.in_channels // g.groups * taps
    together, block_units, _ = cut(g, taps, block_units, merge)
    table: list[tuple[int, ...]] = []
    segments = 0
    for group in range(0, g.groups, together):
        end = min(group + together, g.groups)
        step = block_units if together == 1 else units * together
        for first in range(group * units, end * units, step):
            last = min(first + step, end * units)
            edges = first == group * units, last == end * units
            table.append((first, last, group * outputs, end * outputs, *edges, segments, 0))
            segments += (end - group) * outputs
    return np.array(table, dtype=np.int64)


def cut(g: ConvGeometry, taps: int, block_units: int, merge: bool = True) -> tuple[int, int, int]:
    """How many groups share a block, units of a block (of one size throughout), and blocks of an output."""
    units = g.in_channels // g.groups * taps
    together = min(g.groups, max(1, block_units // units)) if merge else 1
    size = -(-units // -(-units // block_units))
    return together, size, 1 if together > 1 else -(-units // size)


def divide_work(g: ConvGeometry, tiles: float, share: Share, run: int = 1) -> tuple[range, range]:
    """Tiles, of which the last may be less than a whole one, and output channels that fall to a part of the work.

    Tiles are divided where they come out even, and channels, in whole runs of each group, where not.
    """
    part, parts = share
    channels = g.out_channels
    ends = [*(round(tiles * n / parts) for n in range(parts)), ceil(tiles)]
    most = max(min(last, tiles) - first for first, last in pairwise(ends))
    if tiles >= 0.9 * parts * most:  # all are busy for nine tenths of the time
        return range(ends[part], ends[part + 1]), range(channels)
    cuts = [channels * n // parts for n in (part, part + 1)]
    first, last = (c - c % (channels // g.groups) % run if c < channels else c for c in cuts)
    return range(ceil(tiles)), range(first, last)


def part_of(d: I64, blocks: I64, tiles: range, channels: range) -> tuple[I64, I64]:
    """Descriptor and table of blocks for some of the tiles and output channels; POSITION stays that of the whole."""
    part = d.copy()
    part[FIRST_TILE], part[LAST_TILE] = tiles.start, tiles.stop
    table = blocks.copy()
    table[:, FIRST_OUTPUT] = np.maximum(blocks[:, FIRST_OUTPUT], channels.start)
    table[:, LAST_OUTPUT] = np.minimum(blocks[:, LAST_OUTPUT], channels.stop)
    table[:, SEGMENT] += table[:, FIRST_OUTPUT] - blocks[:, FIRST_OUTPUT]
    return part, table[table[:, FIRST_OUTPUT] < table[:, LAST_OUTPUT]]


@inlined
def corner(tile: int, rows: int, d: I64) -> tuple[int, int]:
    """Output row and column at which a tile begins."""
    across = (d[OUT_WIDTH] + d[SPAN] - 1) // d[SPAN]
    return tile // across * rows * d[BANDS], tile % across * d[SPAN]


@inlined
def expect(tag: Any, out: F32, start: int, row: int, column: int, d: I64) -> None:
    """Prefetch the places that `finish` is going to write, where the output is too large for the L2 cache."""
    if d[OUT_CHANNELS] * d[OUT_PLANE] > FAR:
        simd.prefetch_rows(tag, out, start + row * d[OUT_WIDTH] + column, d[OUT_WIDTH])


@inlined
def is_run(row: int, rows: int, d: I64) -> bool:
    """Whether a tile is a run of pixels, long enough for its sums to be finished without a rest in scratch."""
    return rows > SHORT and d[SPAN] == LANES and d[OUT_WIDTH] == LANES and (row + rows) * LANES <= d[OUT_PLANE]


@inlined
def finish_run(
    tag: Any, sums: Any, channel: int, out: F32, residual: F32, sample: int, row: int, epilogue: F32, limits: Any,
    d: I64,
) -> None:  # fmt: skip
    """Apply the epilogue to the sums of one output channel of a tile that `is_run`, and store them.

    Parameters
    ----------
    tag : tuple
        As long as the tile has rows.
    sums : Vectors
    channel : int
    out, residual : ndarray of float32, flat
        `sample` is the index of the sample's first element in both.
    epilogue : ndarray of float32
    limits : tuple of float32
        Its `limits`, which a loop over channels looks up once.
    """
    place = sample + channel * d[OUT_PLANE] + row * LANES
    scale, shift = scale_shift(epilogue, channel)
    value = simd.scale_shift(sums, scale, shift)
    if d[RESIDUAL] != 0:
        value = simd.add(value, simd.load(tag, residual, place))
    simd.store(out, place, clamp(value, limits))


@inlined
def finish(
    tag: Any, scratch: F32, at: int, first: int, last: int, out: F32, residual: F32, sample: int, row: int, column: int,
    epilogue: F32, limits: Any, d: I64,
) -> None:  # fmt: skip
    """Apply the epilogue to the sums of some output channels of a tile and store them.

    Masks and the places of rows are the same for all of these channels.

    Parameters
    ----------
    tag : tuple
        As long as the tile has rows.
    scratch : ndarray of float32, flat
        The sums, from `at` on.
    first, last : int
        Output channels.
    out, residual : ndarray of float32, flat
        `sample` is the index of the sample's first element in both.
    epilogue, limits
        As `finish_run` takes them.
    """
    rows, width, plane = len(tag), d[OUT_WIDTH], d[OUT_PLANE]
    columns = min(d[SPAN], width - column)
    if d[BANDS] == 2 and width == LANES // 2 and plane == rows * LANES:  # the tile is the image
        for channel in range(first, last):
            sums = simd.concat_halves(simd.load(tag, scratch, at))
            finish_run(tag, sums, channel, out, residual, sample, 0, epilogue, limits, d)
            at += rows * LANES
        return
    for band in range(d[BANDS]):
        lane = band * d[SPAN]
        pixel = (row + band * rows) * width + column
        # Rows below the image begin behind the plane's end, and so does what the last row of a pointwise run lacks.
        place, end = sample + first * plane + pixel - lane, lane + plane - pixel
        if end >= lane + columns + (rows - 1) * width:  # all rows are whole, and so share one mask
            _finish(tag, scratch, at, first, last, out, residual, place, lane, columns, None, epilogue, limits, d)
        else:
            _finish(tag, scratch, at, first, last, out, residual, place, lane, columns, end, epilogue, limits, d)


@inlined
def _finish(
    tag: Any, scratch: F32, at: int, first: int, last: int, out: F32, residual: F32, place: int, lane: int, lanes: int,
    end: Any, epilogue: F32, limits: Any, d: I64,
) -> None:  # fmt: skip
    """Finish one band, of so many lanes from `lane` on; `end` as `simd.store_rows` takes it."""
    width, plane, last_lane = d[OUT_WIDTH], d[OUT_PLANE], lane + lanes
    for channel in range(first, last):
        scale, shift = scale_shift(epilogue, channel)
        value = simd.scale_shift(simd.load(tag, scratch, at), scale, shift)
        if d[RESIDUAL] != 0:
            value = simd.add(value, simd.load_rows(tag, residual, place, width, lane, last_lane, end))
        simd.store_rows(out, place, width, lane, last_lane, end, clamp(value, limits))
        at += len(tag) * LANES
        place += plane
