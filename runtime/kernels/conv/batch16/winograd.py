"""Convolution by Winograd's fast algorithm of 16 samples side by side: a vector holds one value of each.

It is `conv_winograd` with a tile a vector. So inputs are transformed as they lie in memory, and masked loads make the
padding; a phase is the image with steps between its pixels; and outputs are stored straight to their places.
"""

from __future__ import annotations

from typing import Any

from .... import simd
from ....jit import inlined, kernel
from ....simd import LANES
from ...contract import F32, I64, WHOLE, Call, Share, tag
from ...descriptor import Conv, Winograd
from ...epilogue import limits, scale_shift
from ..winograd.dense import ConvWinograd, sum_run
from ..winograd.tiles import SPACE, own_channels
from .sparse import steps, store_tile


@inlined
def _inside(n: int, start: int, size: int, stride: int) -> tuple[int, int]:
    """Of n places from `start` on, `stride` apart: the first one in an image, and the first one behind it."""
    first = min(n, steps(-start, stride))
    return first, max(first, min(n, steps(size - start, stride)))


@kernel
def transform_inputs(points: Any, edge: Any, columns: int, x: F32, first: int, tile: int, scratch: F32, d: I64) -> None:
    """Transform all channels of a group, as `columns` tiles from `tile` on see them.

    Parameters
    ----------
    points, edge : Tag
        As long as there are points n, and outputs m along the edge of a tile.
    columns : int
    x : ndarray of float32, flat
    first : int
        Plane of `x` of the group's first channel.
    tile : int
    scratch : ndarray of float32, flat
        Gets the transformed inputs by point, channel, phase, tile.
    d : ndarray of int64
        The descriptor.
    """
    n, stride, height, width = len(points), d[Winograd.STRIDE], d[Conv.HEIGHT], d[Conv.WIDTH]
    step, plane, across = len(edge) * stride, height * width * LANES, d[Winograd.ACROSS]
    units = d[Winograd.GROUP_INPUTS] * stride * stride
    hop = units * columns * LANES + SPACE
    for p in range(columns):
        for phase in range(stride * stride):
            top = (tile + p) // across * step - d[Conv.PAD_Y] + phase // stride
            left = (tile + p) % across * step - d[Conv.PAD_X] + phase % stride
            row, last_row = _inside(n, top, height, stride)
            column, last_column = _inside(n, left, width, stride)
            at, to = first * plane + (top * width + left) * LANES, d[Winograd.INPUTS] + (phase * columns + p) * LANES
            for _ in range(d[Winograd.GROUP_INPUTS]):
                grid = points, x, at, stride * width * LANES, stride * LANES
                simd.winograd_window(*grid, row, last_row, column, last_column, scratch, d[Winograd.PATCH], to, hop)
                at += plane
                to += stride * stride * columns * LANES


@kernel
def conv_winograd_lanes(
    points: Any, edge: Any, area: Any, rows: Any, sums_tag: Any, x: F32, out: F32, residual: F32, scratch: F32,
    weights: F32, epilogue: F32, d: I64,
) -> None:  # fmt: skip
    """Convolve 16 samples.

    Parameters
    ----------
    points, edge, area : Tag
        As long as there are points n, outputs m along the edge of a tile, and outputs of a tile.
    rows, sums_tag : Tag
        As long as a run has output channels, and as that times the tiles of a block.
    x, out, residual : ndarray of float32, flat
        Activations; `residual` is read only where the descriptor says so.
    scratch : ndarray of float32, flat
        A row of zeros, transformed inputs, sums, and outputs of a tile.
    weights : ndarray of float32
        Transformed: by group, run of output channels, point, channel, output channel of the run.
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    d : ndarray of int64
        The descriptor.
    """
    run, most, groups, inputs = len(rows), len(sums_tag) // len(rows), d[Winograd.GROUPS], d[Winograd.GROUP_INPUTS]
    across, bounds = d[Winograd.ACROSS], limits(epilogue)
    for at in range(d[Winograd.PATCH], d[Winograd.INPUTS], LANES):
        simd.store(scratch, at, simd.zeros((0,)))
    for number in range((d[Conv.LAST] - d[Conv.FIRST]) * groups):
        tile, group = (d[Conv.FIRST] + number // groups) * most, number % groups
        columns = most if d[Winograd.TILES] - tile > 1 else 1
        begin, end = own_channels(group, d)
        if begin < end:
            transform_inputs(points, edge, columns, x, group * inputs, tile, scratch, d)
        for channel in range(begin, end, run):
            sum_run(points, rows, sums_tag, columns, group, channel, weights, scratch, d)
            for o in range(channel, min(channel + run, end)):
                for p in range(min(columns, d[Winograd.TILES] - tile)):
                    at, hop = d[Conv.SUMS] + ((o - channel) * columns + p) * LANES, run * columns * LANES + SPACE
                    value = simd.winograd_outputs(edge, points, scratch, at, hop)
                    row, column = (tile + p) // across * len(edge), (tile + p) % across * len(edge)
                    store_tile(
                        *(area, edge, value, out, residual, scratch, d[Winograd.OUTPUTS], o, row, column),
                        *(*scale_shift(epilogue, o), bounds, d),
                    )


class ConvWinogradLanes(ConvWinograd):
    """A convolution packed for `conv_winograd_lanes`.

    Parameters
    ----------
    weight : Tensor
    tiling : WinogradTiling
        With one tile a vector.
    epilogue : Epilogue
    """

    kernel_name = "conv_winograd_lanes"

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`; activations are (channels, height, width, 16)."""
        tiling, flat_out = self.tiling, out.reshape(-1)
        tags = tiling.points, tiling.edge, tiling.edge**2, tiling.rows, tiling.rows * tiling.columns
        arguments = (
            *map(tag, tags),
            *(x.reshape(-1), flat_out, flat_out if residual is None else residual.reshape(-1), scratch),
            *(self._weights, self._epilogue, self._part(share)),
        )
        return [(conv_winograd_lanes, arguments)]
