"""Tiles of images for Winograd's algorithm: from an image to transformed inputs, and from outputs to an image.

The inputs of a vector of tiles are gathered from a channel to a *patch*, and transformed. Its outputs, vectors of tiles
again, get the epilogue and are scattered to their places.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import numpy as np

from .... import simd
from ....jit import inlined, kernel
from ....simd import LANES
from ....simd import winograd_points as winograd
from ...contract import F32, I64, ConvGeometry, Epilogue
from ...descriptor import Conv, Winograd, layer_fields, pack
from ...epilogue import clamp
from ..batch16.sparse import PAIR
from ..blocks import FAR

SPACE = LANES
"""Elements between the data of a point and those of the next. Without them points would often lie a multiple of 4 KiB
apart, and so all fall to one set of the caches."""


@inlined
def _gather(
    points: Any, edge: Any, step: Any, rest: Any, x: F32, plane: int, phase: int, tile: int, scratch: F32, d: I64
) -> None:
    """Gather the patch of a vector of tiles: for each row of the phase, the columns of all phases."""
    n, m, stride, height, width = len(points), len(edge), d[Winograd.STRIDE], d[Conv.HEIGHT], d[Conv.WIDTH]
    reach = stride * n
    lane = 0
    while lane < d[Winograd.PACK] and tile < d[Winograd.TILES]:
        row, column = tile // d[Winograd.ACROSS], tile % d[Winograd.ACROSS]
        count = min(d[Winograd.PACK] - lane, min(d[Winograd.ACROSS] - column, d[Winograd.TILES] - tile))
        left = len(step) * column - d[Conv.PAD_X]
        near = count + reach // len(step) < LANES  # the last tile's inputs lie in these vectors
        for i in range(n):
            y = stride * (m * row + i) + phase - d[Conv.PAD_Y]
            at, end = d[Winograd.PATCH] + i * reach * LANES + lane, width if 0 <= y < height else 0
            start = left
            whole = simd.load_interleaved(step, step, x, plane + y * width + start, max(0, -start), end - start)
            simd.store_rows(scratch, at, LANES, 0, count, len(step) * LANES, whole)
            for _ in range((reach - len(rest)) // len(step) - 1):
                start += len(step)
                at += len(step) * LANES
                if near:
                    whole = simd.slide_1_down(step, whole)
                else:
                    whole = simd.load_interleaved(step, step, x, plane + y * width + start, max(0, -start), end - start)
                simd.store_rows(scratch, at, LANES, 0, count, len(step) * LANES, whole)
            start += len(step)
            at += len(step) * LANES
            if near:
                part = simd.slide_1_down(rest, whole)
            else:
                part = simd.load_interleaved(rest, step, x, plane + y * width + start, max(0, -start), end - start)
            simd.store_rows(scratch, at, LANES, 0, count, len(step) * LANES, part)
        lane += count
        tile += count


@inlined
def _prefetch_inputs(points: Any, step: Any, x: F32, plane: int, tile: int, d: I64) -> None:
    """Prefetch the inputs of a vector of tiles in a channel."""
    n, stride, height, width = len(points), d[Winograd.STRIDE], d[Conv.HEIGHT], d[Conv.WIDTH]
    lane = 0
    while lane < d[Winograd.PACK] and tile < d[Winograd.TILES]:
        row, column = tile // d[Winograd.ACROSS], tile % d[Winograd.ACROSS]
        count = min(d[Winograd.PACK] - lane, min(d[Winograd.ACROSS] - column, d[Winograd.TILES] - tile))
        top, left = row * len(step) - d[Conv.PAD_Y], plane + column * len(step) - d[Conv.PAD_X]
        for y in range(max(top, 0), min(top + n * stride, height)):
            for at in range(y * width, y * width + count * len(step) + LANES, LANES):
                simd.prefetch((0,), x, left + at)
        lane += count
        tile += count


@kernel
def transform_inputs(
    points: Any, edge: Any, step: Any, rest: Any, columns: int, x: F32, first: int, tile: int, scratch: F32, to: int,
    d: I64,
) -> None:  # fmt: skip
    """Transform the inputs of the vectors of tiles from `tile` on, in all channels of a group.

    Parameters
    ----------
    points, edge, step, rest : Tag
        As long as there are points n; outputs m along the edge of a tile; input columns from a tile to the next; and
        columns of a tile's inputs behind the last whole step.
    columns : int
        Vectors of the block.
    x : ndarray of float32, flat
    first : int
        Plane of `x` of the group's first channel.
    tile : int
        First tile of the block.
    scratch : ndarray of float32, flat
    to : int
        Where in scratch the transformed inputs go: by point, channel, vector.
    d : ndarray of int64
        The descriptor.
    """
    n, stride, plane = len(points), d[Winograd.STRIDE], d[Conv.HEIGHT] * d[Conv.WIDTH]
    far = d[Conv.SAMPLES] * d[Conv.IN_CHANNELS] * plane > FAR
    hop = d[Winograd.GROUP_INPUTS] * stride * stride * columns * LANES + SPACE
    for channel in range(first, first + d[Winograd.GROUP_INPUTS]):
        if far:
            for p in range(columns):
                _prefetch_inputs(points, step, x, (channel + 1) * plane, tile + p * d[Winograd.PACK], d)
        for phase in range(stride):
            for p in range(columns):
                _gather(points, edge, step, rest, x, channel * plane, phase, tile + p * d[Winograd.PACK], scratch, d)
                for across in range(stride):
                    at, place = d[Winograd.PATCH] + across * LANES, to + (across * columns + p) * LANES
                    simd.winograd_inputs(points, scratch, at, stride * n * LANES, stride * LANES, scratch, place, hop)
            to += stride * columns * LANES


@inlined
def own_channels(group: int, d: I64) -> tuple[int, int]:
    """The output channels of a group that belong to this part of the work: the first one, and the first one behind."""
    outputs = d[Winograd.GROUP_OUTPUTS]
    return max(d[Winograd.FIRST_CHANNEL], group * outputs), min(d[Winograd.LAST_CHANNEL], (group + 1) * outputs)


@inlined
def prefetch_outputs(edge: Any, out: F32, channel: int, tile: int, d: I64) -> None:
    """Prefetch the places of a vector of tiles in an output channel."""
    shrink = 1 + d[Conv.POOL]
    m, height, width = len(edge) // shrink, d[Conv.OUT_HEIGHT] // shrink, d[Conv.OUT_WIDTH] // shrink
    lane = 0
    while lane < d[Winograd.PACK] and tile < d[Winograd.TILES]:
        row, column = tile // d[Winograd.ACROSS], tile % d[Winograd.ACROSS]
        count = min(d[Winograd.PACK] - lane, min(d[Winograd.ACROSS] - column, d[Winograd.TILES] - tile))
        for y in range(channel * height + m * row, channel * height + min(m * row + m, height)):
            for at in range(m * column, min(m * (column + count), width) + LANES, LANES):
                simd.prefetch_rows((0,), out, y * width + at, 0)
        lane += count
        tile += count


@inlined
def _scatter(edge: Any, out: F32, plane: int, height: int, width: int, tile: int, scratch: F32, d: I64) -> None:
    """Store a vector of tiles, which lies in scratch pixel by pixel, to their places in an image."""
    m = len(edge)
    lane = 0
    while lane < d[Winograd.PACK] and tile < d[Winograd.TILES]:
        row, column = tile // d[Winograd.ACROSS], tile % d[Winograd.ACROSS]
        count = min(d[Winograd.PACK] - lane, min(d[Winograd.ACROSS] - column, d[Winograd.TILES] - tile))
        for i in range(min(m, height - m * row)):
            target = plane + (m * row + i) * width + m * column
            value = simd.load_grid(edge, edge, scratch, d[Winograd.OUTPUTS] + i * m * LANES + lane, LANES)
            simd.store_interleaved(out, target, min(m * count, width - m * column), value)
        lane += count
        tile += count


@inlined
def store_tiles(
    edge: Any, value: Any, out: F32, channel: int, tile: int, scratch: F32, scale: float, shift: float, limits: Any,
    d: I64,
) -> None:  # fmt: skip
    """Apply the epilogue to a vector of tiles of one output channel, counted through all samples, and store it."""
    value = clamp(simd.scale_shift(value, scale, shift), limits)
    height, width = d[Conv.OUT_HEIGHT], d[Conv.OUT_WIDTH]
    if d[Conv.POOL] != 0:  # 4 x 4 pixels of a tile become 2 x 2
        height, width = height // 2, width // 2
        simd.store(scratch, d[Winograd.OUTPUTS], simd.max_pool_grid(edge, value))
        _scatter(PAIR, out, channel * height * width, height, width, tile, scratch, d)
    else:
        simd.store(scratch, d[Winograd.OUTPUTS], value)
        _scatter(edge, out, channel * height * width, height, width, tile, scratch, d)


class WinogradTiling:
    """How a layer is cut into tiles.

    Parameters
    ----------
    geometry : ConvGeometry
        One that `fits`.
    rows, columns : int
        Of the product of matrices at a point, how much is summed in registers at a time: a *run* of output channels
        times vectors of tiles; in `conv_winograd_sparse` tiles times vectors of output channels.
    pack : int
        Tiles of a vector: up to 16, or 1 where 16 samples lie side by side.
    edge : int, optional
        Outputs m of a tile, along one axis; 2 or 4 for a reach of 3, without it the first of `winograd.OUTPUTS`.

    Attributes
    ----------
    reach, edge, points : int
        Taps r of a phase, outputs m of a tile, and points n, along one axis.
    """

    def __init__(self, geometry: ConvGeometry, rows: int, columns: int, pack: int, edge: int | None = None) -> None:
        self.geometry, self.rows, self.columns, self.pack = geometry, rows, columns, pack
        self.reach = -(-geometry.kernel[0] // geometry.stride[0])
        self.edge = winograd.OUTPUTS[self.reach][0] if edge is None else edge
        self.points = self.edge + self.reach - 1

    @staticmethod
    def fits(g: ConvGeometry) -> bool:
        """Whether the algorithm takes a layer: square kernels and strides, no dilation, few enough taps a phase."""
        square = g.kernel[0] == g.kernel[1] and g.stride[0] == g.stride[1] and g.dilation == (1, 1)
        return square and -(-g.kernel[0] // g.stride[0]) in winograd.OUTPUTS

    @property
    def units(self) -> int:
        """Channels of a group that are summed: those of all phases."""
        return self.geometry.in_channels // self.geometry.groups * self.geometry.stride[0] ** 2

    @property
    def runs(self) -> int:
        """Runs of output channels, of all groups."""
        g = self.geometry
        return g.groups * -(-(g.out_channels // g.groups) // self.rows)

    @property
    def weight_elements(self) -> int:
        """Elements of the transformed weights."""
        return self.points**2 * self.units * self.runs * self.rows

    @property
    def across(self) -> int:
        """Tiles of a row."""
        return -(-self.geometry.out_width // self.edge)

    @property
    def tiles(self) -> int:
        """Tiles of an image."""
        return -(-self.geometry.out_height // self.edge) * self.across

    @property
    def vectors(self) -> int:
        """Vectors that hold the tiles of an image."""
        return -(-self.tiles // self.pack)

    @property
    def blocks(self) -> int:
        """Blocks of vectors of an image."""
        return -(-self.vectors // self.columns)

    def descriptor(self, epilogue: Epilogue, places: Mapping[str, int], *more: type[IntEnum], **values: int) -> I64:
        """The descriptor: the fields of `Conv` and `Winograd`, and maybe more.

        Parameters
        ----------
        epilogue : Epilogue
        places : mapping of str to int
            Those of `places`.
        *more, **values
            Further fields, and their values.
        """
        g = self.geometry
        return pack(
            Conv,
            Winograd,
            *more,
            **layer_fields(g, epilogue),
            samples=g.batch if self.pack > 1 else 1,
            first=0,
            last=self.blocks,
            groups=g.groups,
            group_inputs=g.in_channels // g.groups,
            group_outputs=g.out_channels // g.groups,
            stride=g.stride[0],
            across=self.across,
            tiles=self.tiles,
            pack=self.pack,
            first_channel=0,
            last_channel=g.out_channels,
            **places,
            **values,
        )

    def places(self) -> tuple[dict[str, int], int]:
        """Where patch, inputs, sums and outputs begin in scratch, and its size, in elements."""
        points = self.points**2
        return lay_out(
            patch=points * self.geometry.stride[0] * LANES,
            inputs=points * (self.units * self.columns * LANES + SPACE),
            sums=points * (self.rows * self.columns * LANES + SPACE),
            outputs=(self.edge**2 + 1) * LANES,
        )


def lay_out(**sizes: int) -> tuple[dict[str, int], int]:
    """Lay out parts of scratch one after the other: where each begins, and the size of all, in elements."""
    ends = np.cumsum([0, *sizes.values()]).tolist()
    return dict(zip(sizes, ends, strict=False)), ends[-1]


def part_of(d: I64, blocks: range, channels: range) -> I64:
    """The descriptor of a part of the work."""
    part = d.copy()
    part[Conv.FIRST], part[Conv.LAST] = blocks.start, blocks.stop
    part[Winograd.FIRST_CHANNEL], part[Winograd.LAST_CHANNEL] = channels.start, channels.stop
    return part
