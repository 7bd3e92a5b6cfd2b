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
*blocks* that fit a cache (`conv.blocks`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .....core.cpu import WIDE
from .... import simd
from ....jit import inlined
from ....simd import LANES
from ...contract import F32, I64, ConvGeometry, Share
from ...descriptor import Conv, Direct
from ...epilogue import clamp, scale_shift
from ..blocks import FAR, block_table, cut, divide_work, most_units

STORED_TOGETHER = 16
"""Output channels that are stored together, so that masks and places are computed once for all of them."""

SHORT = 4
"""Rows. Sums of at most this number, in several chains, are stored together: stored one by one, each would wait for its
last addition."""


def is_pointwise(g: ConvGeometry) -> bool:
    """Whether each output pixel sees the input pixel in its place alone."""
    return g.kernel == g.stride == (1, 1) and g.padding == (0, 0)


@dataclass(frozen=True)
class Plane:
    """The sizes that tiles see.

    They are those of the layer. But of a pointwise layer, tiles see all pixels in a line, cut into rows.
    """

    height: int
    width: int
    out_height: int
    out_width: int

    @classmethod
    def of(cls, geometry: ConvGeometry, width: int) -> Plane:
        """Sizes for a layer; `width` is that of the rows of a pointwise one."""
        g = geometry
        if is_pointwise(g):
            rows = -(-g.height * g.width // width)
            return cls(rows, width, rows, width)
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
    wide : bool
        Whether the processor's registers hold 16 float32.
    """

    geometry: ConvGeometry
    rows: int
    span: int
    bands: int
    budget: int
    merge: bool = True
    wide: bool = WIDE

    @cached_property
    def plane(self) -> Plane:
        """Sizes that the tiles see."""
        return Plane.of(self.geometry, self.span)

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
        """The table of blocks: see `block_table`."""
        return block_table(self.geometry, self.geometry.kernel[1], self.block_units, self.merge)

    @property
    def segments(self) -> int:
        """Segments of weights: outputs of each block, added up."""
        return self.geometry.out_channels * cut(self.geometry, self.geometry.kernel[1], self.block_units, self.merge)[2]

    @property
    def tile_elements(self) -> int:
        """Elements of scratch for a packed block."""
        return most_units(self.blocks) * self.unit_vectors * LANES

    def share(self, share: Share, run: int = 1) -> tuple[range, range]:
        """Tiles and output channels that fall to a part of the work."""
        return divide_work(self.geometry, self.tiles, share, run)


@inlined
def corner(tile: int, rows: int, d: I64) -> tuple[int, int]:
    """Output row and column at which a tile begins."""
    across = (d[Conv.OUT_WIDTH] + d[Direct.SPAN] - 1) // d[Direct.SPAN]
    return tile // across * rows * d[Direct.BANDS], tile % across * d[Direct.SPAN]


@inlined
def prefetch_outputs(tag: Any, out: F32, start: int, row: int, column: int, d: I64) -> None:
    """Prefetch the places that `store_tile` will write, where the output is too large for the L2 cache."""
    if d[Conv.OUT_CHANNELS] * d[Direct.OUT_PLANE] > FAR:
        simd.prefetch_rows(tag, out, start + row * d[Conv.OUT_WIDTH] + column, d[Conv.OUT_WIDTH])


@inlined
def is_whole(row: int, rows: int, d: I64) -> bool:
    """Whether a tile's outputs lie in one piece."""
    whole: bool = d[Direct.SPAN] == LANES and d[Conv.OUT_WIDTH] == LANES and (row + rows) * LANES <= d[Direct.OUT_PLANE]
    return whole


@inlined
def is_line(rows: int, d: I64) -> bool:
    """Whether a packed unit is `rows` vectors that lie one after the other in the input: that of a pointwise layer."""
    alike = d[Direct.ROW_STEP] == LANES and d[Direct.IN_PLANE] == d[Direct.OUT_PLANE]
    line: bool = alike and d[Direct.SPAN] == LANES and d[Direct.TAPS] == 1 and d[Direct.UNIT_VECTORS] == rows
    return line


@inlined
def needs_no_packing(row: int, rows: int, d: I64) -> bool:
    """Whether a tile `is_whole`, and its inputs lie as its outputs do, in each plane."""
    ready: bool = is_line(rows, d) and is_whole(row, rows, d)
    return ready


@inlined
def is_contiguous(row: int, rows: int, chains: Any, d: I64) -> bool:
    """Whether a tile `is_whole`, and its sums are worth storing at once, without a rest in scratch."""
    return (rows > SHORT or len(chains) == 1) and is_whole(row, rows, d)


@inlined
def store_contiguous(
    tag: Any, sums: Any, channel: int, out: F32, residual: F32, sample: int, row: int, epilogue: F32, limits: Any,
    d: I64,
) -> None:  # fmt: skip
    """Apply the epilogue to the sums of one output channel of a tile that `is_contiguous`, and store the outputs.

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
    place = sample + channel * d[Direct.OUT_PLANE] + row * LANES
    scale, shift = scale_shift(epilogue, channel)
    value = simd.scale_shift(sums, scale, shift)
    if d[Conv.RESIDUAL] != 0:
        value = simd.add(value, simd.load(tag, residual, place))
    simd.store(out, place, clamp(value, limits))


@inlined
def store_tile(
    tag: Any, scratch: F32, at: int, first: int, last: int, out: F32, residual: F32, sample: int, row: int, column: int,
    epilogue: F32, limits: Any, d: I64,
) -> None:  # fmt: skip
    """Apply the epilogue to the sums of some output channels of a tile, and store the outputs.

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
        As `store_contiguous` takes them.
    """
    rows, width, plane = len(tag), d[Conv.OUT_WIDTH], d[Direct.OUT_PLANE]
    columns = min(d[Direct.SPAN], width - column)
    if d[Direct.BANDS] == 2 and width == LANES // 2 and plane == rows * LANES:  # the tile is the image
        for channel in range(first, last):
            sums = simd.concat_halves(simd.load(tag, scratch, at))
            store_contiguous(tag, sums, channel, out, residual, sample, 0, epilogue, limits, d)
            at += rows * LANES
        return
    for band in range(d[Direct.BANDS]):
        lane = band * d[Direct.SPAN]
        pixel = (row + band * rows) * width + column
        # Rows below the image begin behind the plane's end. So do the missing pixels of a pointwise layer's last row.
        place, end = sample + first * plane + pixel - lane, lane + plane - pixel
        if end >= lane + columns + (rows - 1) * width:  # all rows are whole, and so share one mask
            _store_band(tag, scratch, at, first, last, out, residual, place, lane, columns, None, epilogue, limits, d)
        else:
            _store_band(tag, scratch, at, first, last, out, residual, place, lane, columns, end, epilogue, limits, d)


@inlined
def _store_band(
    tag: Any, scratch: F32, at: int, first: int, last: int, out: F32, residual: F32, place: int, lane: int, lanes: int,
    end: Any, epilogue: F32, limits: Any, d: I64,
) -> None:  # fmt: skip
    """Store one band: `lanes` lanes, the first of which is `lane`; `end` is that of `simd.store_rows`."""
    width, plane, last_lane = d[Conv.OUT_WIDTH], d[Direct.OUT_PLANE], lane + lanes
    for channel in range(first, last):
        scale, shift = scale_shift(epilogue, channel)
        value = simd.scale_shift(simd.load(tag, scratch, at), scale, shift)
        if d[Conv.RESIDUAL] != 0:
            value = simd.add(value, simd.load_rows(tag, residual, place, width, lane, last_lane, end))
        simd.store_rows(out, place, width, lane, last_lane, end, clamp(value, limits))
        at += len(tag) * LANES
        place += plane
