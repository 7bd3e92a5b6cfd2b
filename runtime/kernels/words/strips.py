"""Winograd's algorithm along columns alone, in words of 16 bits (`points`): for layers of few input channels.

Transforms in both directions cost as much as their products where there are few channels to sum. So here a tile is a
strip of m rows, a vector is 16 pixels of a row, and horizontal taps are units of their own. Of r vertical taps and m
rows, products are taken at n = m + r - 1 points in place of m * r, and outputs are stored where they belong. At a
vertical stride of s rows come apart into s phases, as in `conv.winograd`, and at a horizontal one so do columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....dcformat.tensors import Tensor
from ... import simd
from ...jit import inlined, kernel
from ...simd import LANES
from ...simd import winograd_points as winograd
from ...simd.reference.pairs import PAIR
from ..contract import F32, I64, WHOLE, Call, ConvGeometry, Epilogue, Share, tag
from ..conv.blocks import FAR, divide_work
from ..conv.winograd.tiles import SPACE, lay_out, part_of
from ..descriptor import Conv, Winograd, layer_fields, pack
from ..epilogue import clamp, epilogue_array, limits, scale_shift_rows
from .points import WordPoints, make_points, packed_elements, round_point

OUTPUTS = {3: 4, 4: 4, 5: 3}
"""Rows m of a strip, by vertical taps r of a phase."""
EVEN = 4
"""Rows of a strip that can be pooled."""
ONE, TWO, THREE = tag(1), tag(2), tag(3)


@dataclass(frozen=True)
class StripTiling:
    """How a layer is cut into strips.

    Attributes
    ----------
    geometry : ConvGeometry
        One that `fits`.
    rows, columns : int
        Output channels whose sums are held in registers, and vectors of a strip.
    pool : bool
        Whether the maximum of each 3 x 3 outputs is stored, every second way: then one strip is as wide as the image.
    """

    geometry: ConvGeometry
    rows: int
    columns: int
    pool: bool = False

    @staticmethod
    def fits(g: ConvGeometry) -> bool:
        """Whether the kernel takes a layer: one group, no dilation, few enough vertical taps of a phase."""
        narrow = g.kernel[1] <= LANES * g.stride[1]
        return g.groups == 1 and g.dilation == (1, 1) and narrow and -(-g.kernel[0] // g.stride[0]) in OUTPUTS

    @staticmethod
    def run(g: ConvGeometry, registers: int) -> int:
        """Output channels whose sums at all points fit registers, beside a vector of pixels."""
        reach = -(-g.kernel[0] // g.stride[0])
        return max(1, (registers - 1) // (OUTPUTS[reach] + reach - 1))

    @property
    def can_pool(self) -> bool:
        """Whether outputs may be pooled."""
        return self.across == 1 and self.edge == EVEN

    @property
    def reach(self) -> int:
        """Vertical taps of a phase."""
        return -(-self.geometry.kernel[0] // self.geometry.stride[0])

    @property
    def edge(self) -> int:
        """Rows of a strip."""
        return OUTPUTS[self.reach]

    @property
    def points(self) -> int:
        """Points of a strip."""
        return self.edge + self.reach - 1

    @property
    def units(self) -> int:
        """Units that are summed: by input channel, vertical phase, and horizontal tap."""
        return self.geometry.in_channels * self.geometry.stride[0] * self.geometry.kernel[1]

    @property
    def lines(self) -> int:
        """Lines that are transformed: by input channel, vertical phase, and horizontal phase."""
        return self.geometry.in_channels * self.geometry.stride[0] * self.geometry.stride[1]

    @property
    def runs(self) -> int:
        """Runs of output channels."""
        return -(-self.geometry.out_channels // self.rows)

    @property
    def across(self) -> int:
        """Strips side by side."""
        return -(-self.geometry.out_width // (self.columns * LANES))

    @property
    def tiles(self) -> int:
        """Strips of an image."""
        return -(-self.geometry.out_height // self.edge) * self.across

    @property
    def line(self) -> int:
        """Elements of a transformed line: horizontal taps reach into one vector more."""
        return (self.columns + 1) * LANES

    def places(self) -> I64:
        """Where each unit lies among the transformed lines of a point, shape (units,)."""
        g = self.geometry
        lines, taps = np.arange(g.in_channels * g.stride[0])[:, None], np.arange(g.kernel[1])
        return ((lines * g.stride[1] + taps % g.stride[1]) * self.line + taps // g.stride[1]).ravel()

    def transformed(self, weight: NDArray[Any]) -> NDArray[np.float64]:
        """Weights at each point, shape (runs, points, units, outputs of a run)."""
        g, run, reach = self.geometry, self.rows, self.reach
        rows, outputs = reach * g.stride[0] - g.kernel[0], -g.out_channels % run
        padded = np.pad(weight, ((0, outputs), (0, 0), (0, rows), (0, 0)))
        # (output, channel, tap of a phase, phase, kx) -> (run, point, channel, phase, kx, output of the run)
        taps = padded.reshape(-1, run, g.in_channels, reach, g.stride[0], g.kernel[1])
        matrix, shape = winograd.kernel_matrix(reach, self.points), (self.runs, self.points, self.units, run)
        found: NDArray[np.float64] = np.einsum("pi,rociak->rpcako", matrix, taps).reshape(shape)
        return found


@inlined
def _transform(
    points: Any, step: Any, columns: Any, x: F32, sample: int, row: int, column: int, scratch: F32, d: I64
) -> None:
    """Transform the lines of the strip that begins at an output pixel: by point, channel, phase, horizontal phase."""
    n, height, width, across = len(points), d[Conv.HEIGHT], d[Conv.WIDTH], len(step)
    down, line = d[Winograd.STRIDE], (len(columns) + 1) * LANES
    lines = d[Conv.IN_CHANNELS] * down
    hop = lines * across * line + SPACE
    for number in range(lines):
        plane, phase = sample + number // down * height * width, number % down
        for v in range(len(columns) + 1):
            left = (column + v * LANES) * across - d[Conv.PAD_X]
            for i in range(n):
                y = (row + i) * down + phase - d[Conv.PAD_Y]
                end = width if 0 <= y < height else 0
                pixels = simd.load_interleaved(step, step, x, plane + y * width + left, max(0, -left), end - left)
                simd.store(scratch, d[Winograd.PATCH] + i * across * LANES, pixels)
            for k in range(across):
                at, to = d[Winograd.PATCH] + k * LANES, d[Winograd.INPUTS] + (number * across + k) * line + v * LANES
                simd.winograd_line(points, scratch, at, across * LANES, scratch, to, hop)


@inlined
def _outputs(
    points: Any, edge: Any, sums_tag: Any, width: int, pairs: int, packed: NDArray[np.int16], place: int,
    words: NDArray[np.int16], position: int, scratch: F32, factors: int,
) -> Any:  # fmt: skip
    """The outputs of a vector of columns, before the epilogue: for each output channel of a run, all rows of the strip.

    Sums of all points stay in registers. `width` is the vectors of a strip; what sums are multiplied by lies from
    ``scratch[factors]`` on.
    """
    sums, hop = simd.no_sums(sums_tag), pairs * width * PAIR * LANES
    for _ in range(pairs):
        sums = simd.dot_points(sums, points, packed, place, hop, words, position)
        place += width * PAIR * LANES
        position += PAIR * len(sums_tag)
    floats = simd.scaled_sums(sums, sums_tag, scratch, factors, np.float32(1))
    return simd.winograd_run_outputs(edge, points, floats)


@inlined
def _scale(sums_tag: Any, rows: Any, runs: Any, scales: F32, scratch: F32, steps: int, factors: int) -> None:
    """What the sums of some runs are multiplied by: the scales of their weights times the steps of their points."""
    for run in runs:
        for i in range(len(sums_tag)):
            at = run * len(sums_tag) + i
            simd.put(scratch, factors + at, simd.get(scales, at) * simd.get(scratch, steps + i // len(rows)))


@inlined
def _prefetch(edge: Any, out: F32, first: int, last: int, row: int, left: int, d: I64) -> None:
    """Fetch what `_store` writes of some images."""
    for image in range(first, last):
        simd.prefetch_rows(edge, out, (image * d[Conv.OUT_HEIGHT] + row) * d[Conv.OUT_WIDTH] + left, d[Conv.OUT_WIDTH])


@inlined
def _store(
    edge: Any, value: Any, out: F32, first: int, last: int, row: int, left: int, room: int, scratch: F32, d: I64
) -> None:
    """Store a vector of columns of a run: images from number `first` to the one before `last`, by way of scratch."""
    width, size = d[Conv.OUT_WIDTH], d[Conv.OUT_HEIGHT] * d[Conv.OUT_WIDTH]
    place, lanes = row * width + left, min(LANES, width - left)
    simd.store(scratch, room, value)
    for number in range(first, last):
        own = simd.load(edge, scratch, room)
        if row + len(edge) <= d[Conv.OUT_HEIGHT]:
            simd.store_rows(out, number * size + place, width, 0, lanes, None, own)
        else:  # rows below the image begin behind its end
            simd.store_rows(out, number * size + place, width, 0, lanes, size - place, own)
        room += len(edge) * LANES


@inlined
def _pool_down(edge: Any, rows: Any, value: Any, line: int, kept: int, lines: int, scratch: F32) -> None:
    """Reduce the rows of a vector of columns by windows of 3, two apart, for each channel of a run.

    The greatest of a strip's last two rows is kept for the windows that end in the next strip. ``scratch[kept]`` is
    where that of the first channel lies, ``scratch[lines]`` where its two lines of maxima go, each as long as `line`:
    of the windows that end with the strip's first row, and of those that lie within.
    """
    first, second = simd.every(edge, (), value), simd.every(edge, ONE, value)
    third, fourth = simd.every(edge, TWO, value), simd.every(edge, THREE, value)
    ending = simd.maximum(simd.load_grid(rows, rows, scratch, kept, line), first)
    simd.store_grid(rows, scratch, lines, 2 * line, ending)
    simd.store_grid(rows, scratch, lines + line, 2 * line, simd.maximum(simd.maximum(first, second), third))
    simd.store_grid(rows, scratch, kept, line, simd.maximum(third, fourth))


@inlined
def _pool_across(columns: Any, out: F32, image: int, row: int, lines: int, scratch: F32, d: I64) -> None:
    """Reduce the two rows of maxima of a channel, and store them where they lie in the pooled image."""
    height, width = (d[Conv.OUT_HEIGHT] - 1) // 2, (d[Conv.OUT_WIDTH] - 1) // 2
    for i in range(2):
        pooled = row // 2 - 1 + i
        if 0 <= pooled < height:
            value = simd.maximum_triples(simd.load(columns, scratch, lines + i * len(columns) * LANES))
            simd.store_rows(out, (image * height + pooled) * width, LANES, 0, LANES, width, value)


@kernel
def conv_words_strips(
    points: Any, edge: Any, step: Any, rows: Any, columns: Any, sums_tag: Any, x: F32, out: F32, scratch: F32,
    packed: NDArray[np.int16], places: I64, words: NDArray[np.int16], scales: F32, room: Any, epilogue: F32,
    steps: int, factors: int, kept: tuple[int, int], d: I64,
) -> None:  # fmt: skip
    """Convolve a batch.

    Parameters
    ----------
    points, edge, step : Tag
        As long as there are points n, rows m of a strip, and columns from an output to the next.
    rows, columns, sums_tag : Tag
        As long as a run has output channels, as a strip has vectors, and as a run has sums: one a channel and point.
    x, out : ndarray of float32, flat
    scratch : ndarray of float32, flat
        A patch of the input, transformed lines, sums, and steps.
    packed : ndarray of int16, flat
        Transformed lines as words.
    places : ndarray of int64, shape (units,)
        See `StripTiling.places`.
    words, scales, room
        See `WordPoints`.
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    steps, factors : int
        Where, in scratch, steps lie, and what the sums of a run are multiplied by.
    kept : tuple of int
        Where, in scratch, there is room to pool: see `_pool_down`.
    d : ndarray of int64
        The descriptor: `Conv` and `Winograd`; its strips are tiles.
    """
    n, run, bounds, pairs = len(points), len(rows), limits(epilogue), (len(places) + PAIR - 1) // PAIR
    hop = d[Conv.IN_CHANNELS] * d[Winograd.STRIDE] * len(step) * (len(columns) + 1) * LANES + SPACE
    line = len(columns) * LANES
    far = d[Conv.OUT_CHANNELS] * d[Conv.OUT_HEIGHT] * d[Conv.OUT_WIDTH] > FAR and d[Conv.POOL] == 0
    for sample in range(d[Conv.SAMPLES]):
        first_in = sample * d[Conv.IN_CHANNELS] * d[Conv.HEIGHT] * d[Conv.WIDTH]
        for tile in range(d[Conv.FIRST], d[Conv.LAST]):
            row, column = tile // d[Winograd.ACROSS] * len(edge), tile % d[Winograd.ACROSS] * line
            _transform(points, step, columns, x, first_in, row, column, scratch, d)
            for point in range(n):
                first, at = d[Winograd.INPUTS] + point * hop, point * pairs * PAIR * len(columns) * LANES
                value = round_point(columns, scratch, first, places, 1, packed, at, room)
                simd.put(scratch, steps + point, value)
            begin, end, image = d[Winograd.FIRST_CHANNEL], d[Winograd.LAST_CHANNEL], sample * d[Conv.OUT_CHANNELS]
            _scale(sums_tag, rows, range(begin // run, (end + run - 1) // run), scales, scratch, steps, factors)
            for v in range(min(len(columns), (d[Conv.OUT_WIDTH] - column + LANES - 1) // LANES)):
                left = column + v * LANES
                for channel in range(begin, end, run):
                    first, last, number = (
                        image + channel,
                        image + min(channel + run, end),
                        channel // run * len(sums_tag),
                    )
                    if far:
                        _prefetch(edge, out, first, last, row, left, d)
                    value = _outputs(
                        *(points, edge, sums_tag, len(columns), pairs, packed, v * PAIR * LANES),
                        *(words, number * pairs * PAIR, scratch, factors + number),
                    )
                    value = clamp(scale_shift_rows(value, rows, epilogue, channel), bounds)
                    if d[Conv.POOL] != 0:
                        own, lines = channel * line + v * LANES, 2 * channel * line + v * LANES
                        _pool_down(edge, rows, value, line, kept[0] + own, kept[1] + lines, scratch)
                    else:
                        _store(edge, value, out, first, last, row, left, d[Conv.SUMS], scratch, d)
            if d[Conv.POOL] != 0:
                for channel in range(begin, end):
                    _pool_across(columns, out, image + channel, row, kept[1] + 2 * channel * line, scratch, d)


class ConvWordsStrips:
    """A convolution packed for `conv_words_strips`.

    Parameters
    ----------
    weight : Tensor
        Finite.
    tiling : StripTiling
    epilogue : Epilogue
        Without a residual; with a pool only where the tiling has it.
    """

    kernel_name = "conv_words_strips"

    def __init__(self, weight: Tensor, tiling: StripTiling, epilogue: Epilogue) -> None:
        self.tiling = tiling
        g, points, run = tiling.geometry, tiling.points, tiling.rows
        words, scales, room = make_points(tiling.transformed(weight.float32().dense()))
        by_pair = words.reshape(tiling.runs, points, -1, run * PAIR).swapaxes(1, 2)
        self._weights = WordPoints(np.ascontiguousarray(by_pair).ravel(), scales, room)
        # a missing channel of the last run has the numbers of the last one that there is
        channels = np.minimum(np.arange(tiling.runs * run), g.out_channels - 1)
        self._epilogue = epilogue_array(epilogue, g.out_channels, channels)
        places, size = lay_out(
            patch=points * g.stride[1] * LANES,
            inputs=points * (tiling.lines * tiling.line + SPACE),
            sums=run * tiling.edge * LANES,
            outputs=0,
        )
        packed, pooled = packed_elements(points, tiling.units, tiling.columns), tiling.pool * tiling.columns * LANES
        self._places, self.scratch_elements = lay_out(
            floats=size,
            steps=LANES,
            factors=points * tiling.runs * run,
            words=packed,
            kept=tiling.runs * run * pooled,
            lines=2 * tiling.runs * run * pooled,
        )
        self.weight_bytes = self._weights.words.nbytes + self._weights.scales.nbytes
        self._descriptor = pack(
            Conv,
            Winograd,
            **layer_fields(g, epilogue),
            samples=g.batch,
            first=0,
            last=tiling.tiles,
            groups=1,
            group_inputs=g.in_channels,
            group_outputs=g.out_channels,
            stride=g.stride[0],
            across=tiling.across,
            tiles=tiling.tiles,
            pack=1,
            first_channel=0,
            last_channel=g.out_channels,
            **places,
        )

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        tiling = self.tiling
        tags = (
            *(tiling.points, tiling.edge, tiling.geometry.stride[1]),
            *(tiling.rows, tiling.columns, tiling.points * tiling.rows),
        )
        tiles, channels = divide_work(tiling.geometry, 1 if tiling.pool else tiling.tiles, share, tiling.rows)
        if tiling.pool:  # what a strip keeps is for the next one
            tiles = range(tiling.tiles)
        arguments = (
            *map(tag, tags),
            *(x.reshape(-1), out.reshape(-1), scratch, scratch[self._places["words"] :].view(np.int16)),
            *(tiling.places(), *self._weights, self._epilogue, self._places["steps"], self._places["factors"]),
            (self._places["kept"], self._places["lines"]),
            part_of(self._descriptor, tiles, channels),
        )
        return [(conv_words_strips, arguments)]
