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
from ..epilogue import clamp, epilogue_array, limits, scale_shift
from .points import make_points, multiply, packed_elements, round_point

OUTPUTS = {3: 4, 4: 4, 5: 3}
"""Rows m of a strip, by vertical taps r of a phase."""
EVEN = 4
"""Rows of a strip that can be pooled."""
ONE = tag(1)


@dataclass(frozen=True)
class StripTiling:
    """How a layer is cut into strips.

    Attributes
    ----------
    geometry : ConvGeometry
        One that `fits`.
    rows, columns : int
        Output channels, and vectors of a strip, whose sums are held in registers.
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
def _store(
    points: Any, edge: Any, columns: Any, run: int, out: F32, plane: int, channel: int, row: int, column: int,
    at: int, scratch: F32, epilogue: F32, bounds: Any, d: I64,
) -> None:  # fmt: skip
    """Transform the sums of an output channel, which lie from `at` on, apply the epilogue, and store the outputs."""
    width, hop = d[Conv.OUT_WIDTH], run * len(columns) * LANES + SPACE
    left, end = row * width + column, d[Conv.OUT_HEIGHT] * width
    scale, shift = scale_shift(epilogue, channel)
    for v in range(len(columns)):
        value = simd.winograd_line_outputs(edge, points, scratch, at + v * LANES, hop)
        value = clamp(simd.scale_shift(value, scale, shift), bounds)
        place, lanes = left + v * LANES, min(LANES, width - column - v * LANES)
        if row + len(edge) <= d[Conv.OUT_HEIGHT]:
            simd.store_rows(out, plane + place, width, 0, lanes, None, value)
        else:  # rows below the image begin behind its end
            simd.store_rows(out, plane + place, width, 0, lanes, end - place, value)


@inlined
def _pool(
    points: Any, edge: Any, columns: Any, run: int, out: F32, image: int, channel: int, row: int, at: int, scratch: F32,
    place: tuple[int, int], epilogue: F32, bounds: Any, d: I64,
) -> None:  # fmt: skip
    """Like `_store`, but of outputs whose windows of 3 x 3, two apart, end in this strip the greatest is stored.

    The greatest of a strip's last two rows is kept for the windows that end in the next strip. `place` tells where, in
    scratch, those of all channels lie, and where there is room for the rows of a channel.
    """
    hop, line = run * len(columns) * LANES + SPACE, (len(columns) + 2) * LANES
    kept, lines = place[0] + channel * len(columns) * LANES, place[1]
    scale, shift = scale_shift(epilogue, channel)
    for v in range(len(columns)):
        value = simd.winograd_line_outputs(edge, points, scratch, at + v * LANES, hop)
        simd.store_grid(edge, scratch, lines, line, clamp(simd.scale_shift(value, scale, shift), bounds))
        first, third = simd.load(ONE, scratch, lines), simd.load(ONE, scratch, lines + 2 * line)
        whole = simd.maximum(simd.maximum(first, simd.load(ONE, scratch, lines + line)), third)
        ending = simd.maximum(simd.load(ONE, scratch, kept), first)
        simd.store(scratch, kept, simd.maximum(third, simd.load(ONE, scratch, lines + 3 * line)))
        simd.store(scratch, lines, ending)
        simd.store(scratch, lines + line, whole)
        lines += LANES
        kept += LANES
    height, width = (d[Conv.OUT_HEIGHT] - 1) // 2, (d[Conv.OUT_WIDTH] - 1) // 2
    for i in range(2):
        pooled = row // 2 - 1 + i
        if 0 <= pooled < height:
            target = (image * height + pooled) * width
            for x in range(0, width, LANES):
                start = place[1] + i * line + 2 * x
                one, two = simd.load(ONE, scratch, start), simd.load(ONE, scratch, start + LANES)
                more, most = simd.load(ONE, scratch, start + 2), simd.load(ONE, scratch, start + 2 + LANES)
                value = simd.maximum(simd.concat_even(one, two), simd.concat_odd(one, two))
                value = simd.maximum(value, simd.concat_even(more, most))
                simd.store_masked(out, target + x, 0, width - x, value)


@kernel
def conv_words_strips(
    points: Any, edge: Any, step: Any, rows: Any, columns: Any, sums_tag: Any, x: F32, out: F32, scratch: F32,
    packed: NDArray[np.int16], places: I64, words: NDArray[np.int16], scales: F32, room: Any, epilogue: F32,
    steps: int, kept: tuple[int, int], d: I64,
) -> None:  # fmt: skip
    """Convolve a batch.

    Parameters
    ----------
    points, edge, step : Tag
        As long as there are points n, rows m of a strip, and columns from an output to the next.
    rows, columns, sums_tag : Tag
        As long as a run has output channels, as a strip has vectors, and as long as the product of the two.
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
    steps : int
        Where steps lie in scratch.
    kept : tuple of int
        Where, in scratch, there is room to pool: see `_pool`.
    d : ndarray of int64
        The descriptor: `Conv` and `Winograd`; its strips are tiles.
    """
    n, run, bounds, pairs = len(points), len(rows), limits(epilogue), (len(places) + PAIR - 1) // PAIR
    hop = d[Conv.IN_CHANNELS] * d[Winograd.STRIDE] * len(step) * (len(columns) + 1) * LANES + SPACE
    far = d[Conv.OUT_CHANNELS] * d[Conv.OUT_HEIGHT] * d[Conv.OUT_WIDTH] > FAR and d[Conv.POOL] == 0
    for sample in range(d[Conv.SAMPLES]):
        first_in = sample * d[Conv.IN_CHANNELS] * d[Conv.HEIGHT] * d[Conv.WIDTH]
        for tile in range(d[Conv.FIRST], d[Conv.LAST]):
            row, column = tile // d[Winograd.ACROSS] * len(edge), tile % d[Winograd.ACROSS] * len(columns) * LANES
            _transform(points, step, columns, x, first_in, row, column, scratch, d)
            for point in range(n):
                first, at = d[Winograd.INPUTS] + point * hop, point * pairs * PAIR * len(columns) * LANES
                value = round_point(columns, scratch, first, places, 1, packed, at, room)
                simd.put(scratch, steps + point, value)
            for channel in range(d[Winograd.FIRST_CHANNEL], d[Winograd.LAST_CHANNEL], run):
                at, end = d[Conv.SUMS], min(channel + run, d[Winograd.LAST_CHANNEL])
                if far:
                    for o in range(sample * d[Conv.OUT_CHANNELS] + channel, sample * d[Conv.OUT_CHANNELS] + end):
                        for v in range(len(columns)):
                            place = (o * d[Conv.OUT_HEIGHT] + row) * d[Conv.OUT_WIDTH] + column + v * LANES
                            simd.prefetch_rows(edge, out, place, d[Conv.OUT_WIDTH])
                multiply(sums_tag, rows, n, pairs, packed, words, scales, channel // run, steps, at, scratch)
                for o in range(channel, end):
                    image = sample * d[Conv.OUT_CHANNELS] + o
                    if d[Conv.POOL] != 0:
                        _pool(points, edge, columns, run, out, image, o, row, at, scratch, kept, epilogue, bounds, d)
                    else:
                        plane = image * d[Conv.OUT_HEIGHT] * d[Conv.OUT_WIDTH]
                        _store(
                            *(points, edge, columns, run, out, plane, o, row, column, at, scratch, epilogue, bounds, d),
                        )
                    at += len(columns) * LANES


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
        g, points = tiling.geometry, tiling.points
        self._weights = make_points(tiling.transformed(weight.float32().dense()))
        self._epilogue = epilogue_array(epilogue, g.out_channels)
        places, size = lay_out(
            patch=points * g.stride[1] * LANES,
            inputs=points * (tiling.lines * tiling.line + SPACE),
            sums=points * (tiling.rows * tiling.columns * LANES + SPACE),
            outputs=0,
        )
        words = packed_elements(points, tiling.units, tiling.columns)
        kept = g.out_channels * tiling.columns * LANES if tiling.pool else 0
        lines = EVEN * (tiling.columns + 2) * LANES if tiling.pool else 0
        self._places, self.scratch_elements = lay_out(floats=size, steps=LANES, words=words, kept=kept, lines=lines)
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
            *(tiling.rows, tiling.columns, tiling.rows * tiling.columns),
        )
        tiles, channels = divide_work(tiling.geometry, 1 if tiling.pool else tiling.tiles, share, tiling.rows)
        if tiling.pool:  # what a strip keeps is for the next one
            tiles = range(tiling.tiles)
        arguments = (
            *map(tag, tags),
            *(x.reshape(-1), out.reshape(-1), scratch, scratch[self._places["words"] :].view(np.int16)),
            *(tiling.places(), *self._weights, self._epilogue, self._places["steps"]),
            (self._places["kept"], self._places["lines"]),
            part_of(self._descriptor, tiles, channels),
        )
        return [(conv_words_strips, arguments)]
