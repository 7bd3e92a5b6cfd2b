"""Dense convolution of bytes: the pixels of a tile, four taps side by side, times the weights of some output channels.

What the taps of a tile read is brought side by side once, and serves all output channels. Their sums stay in registers,
some channels at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import simd
from ...jit import kernel
from ...simd.reference.bytes import HALF, QUAD
from ..contract import F32, I64, WHOLE, Call, Share, tag
from ..conv.blocks import divide_work
from ..descriptor import Conv, Planar
from .epilogue import IntegerEpilogue
from .planes import Bytes, tile_place
from .source import Source
from .sparse import describe, fill_frame


@kernel
def conv_bytes_dense(
    rows: Any,
    halves: Any,
    residual: Any,
    x: Bytes,
    out: NDArray[Any],
    added: Bytes,
    scratch: Bytes,
    offsets: NDArray[np.uint32],
    weights: NDArray[np.int8],
    runs: I64,
    biases: NDArray[np.int32],
    epilogue: F32,
    mask: Bytes,
    d: I64,
) -> None:
    """Convolve a batch.

    Parameters
    ----------
    rows, halves, residual : Tag
        As long as a tile has output channels and half vectors of pixels; empty where there is no residual.
    x, out, added, biases, epilogue, mask, d
        As `conv_bytes_sparse` takes them.
    scratch : ndarray of uint8, flat
        What the taps of a tile read.
    offsets : ndarray of uint32, shape (4 * quads,)
        Of each tap: the distance of its pixel from the first byte of the group's planes.
    weights : ndarray of int8, flat
        By run, quad, output channel, four at a time.
    runs : ndarray of int64, shape (runs, 3)
        First byte of the group's planes, first output channel, and number of the first weights, in quads. The runs of a
        group are neighbours.
    """
    length, quads = HALF * len(halves), d[Planar.QUADS]
    zero, low, high = d[Planar.ZERO], d[Planar.LOW], d[Planar.HIGH]
    for sample in range(d[Conv.SAMPLES]):
        for tile in range(d[Conv.FIRST], d[Conv.LAST]):
            pixel = tile_place(tile, length, d[Planar.OUT_END] - d[Planar.OUT_START] - length)
            group = np.int64(-1)
            for run in range(len(runs)):
                if runs[run, 0] != group:
                    group = runs[run, 0]
                    base = sample * d[Planar.IN_SAMPLE] + group + d[Planar.IN_BASE] + pixel
                    for quad in range(quads):
                        simd.interleave(halves, x, base, offsets, quad, scratch, quad * QUAD * length)
                channel, at = runs[run, 1], runs[run, 2]
                total = simd.start_sums(rows, halves, biases, channel)
                for quad in range(quads):
                    total = simd.dot_rows(total, scratch, quad * QUAD * length, weights, at + quad * len(rows))
                place = sample * d[Planar.OUT_SAMPLE] + channel * d[Planar.OUT_PLANE]
                begin, step = place + d[Planar.OUT_START] + pixel, d[Planar.OUT_PLANE]
                simd.store_outputs(
                    *(out, begin, step, total, residual, added, epilogue, channel, mask, pixel, zero, low, high)
                )
                if tile == 0:
                    for row in range(len(rows)):
                        fill_frame(out, place + row * step, d)


@dataclass(frozen=True)
class BlockTiling:
    """How a layer is cut into tiles.

    Attributes
    ----------
    source : Source
    rows : int
        Output channels of a tile; at most those of a group.
    halves : int
        Half vectors of pixels of a tile; at most those of a plane.
    """

    source: Source
    rows: int
    halves: int

    @property
    def tiles(self) -> int:
        """Tiles of a sample."""
        return -(-self.source.made.halves // self.halves)

    @property
    def quads(self) -> int:
        """Quads of taps of an output channel."""
        g = self.source.geometry
        return -(-g.in_channels // g.groups * g.kernel[0] * g.kernel[1] // QUAD)

    def channels(self) -> I64:
        """First output channel of each run. The last run of a group begins within the one before it where it must."""
        g = self.source.geometry
        outputs = g.out_channels // g.groups
        starts = np.minimum(np.arange(0, outputs, self.rows), outputs - self.rows)
        return (np.arange(g.groups)[:, None] * outputs + starts).ravel()


class ConvBytesDense:
    """A convolution packed for `conv_bytes_dense`.

    Parameters
    ----------
    weights : ndarray of int8, shape (out_channels, in_channels / groups, KH, KW)
    tiling : BlockTiling
    epilogue : IntegerEpilogue
    """

    kernel_name = "conv_bytes_dense"

    def __init__(self, weights: NDArray[np.int8], tiling: BlockTiling, epilogue: IntegerEpilogue) -> None:
        source, g = tiling.source, tiling.source.geometry
        self.tiling, self._epilogue = tiling, epilogue
        inputs, quads, starts = g.in_channels // g.groups, tiling.quads, tiling.channels()
        phase, distance = source.taps()
        unit = np.arange(inputs)[:, None] * len(source.phases) + phase
        self._offsets = np.zeros(QUAD * quads, np.uint32)
        self._offsets[: unit.size] = (unit * source.plane + distance).ravel()
        flat = np.zeros((g.out_channels, QUAD * quads), np.int8)
        flat[:, : unit.size] = weights.reshape(g.out_channels, -1)
        blocks = flat[starts[:, None] + np.arange(tiling.rows)].reshape(len(starts), tiling.rows, quads, QUAD)
        self._weights = np.ascontiguousarray(blocks.swapaxes(1, 2)).reshape(-1)
        group = starts // (g.out_channels // g.groups) * inputs * len(source.phases) * source.plane
        self._runs = np.stack([group, starts, np.arange(len(starts)) * quads * tiling.rows], axis=1)
        self.weight_bytes = self._weights.nbytes + self._offsets.nbytes
        self.scratch_bytes = quads * QUAD * HALF * tiling.halves
        self._descriptor = describe(source, epilogue, quads=quads)
        self._numbers, self._mask = epilogue.array(), source.made.mask()

    def bind(self, x: Bytes, out: NDArray[Any], added: Bytes, scratch: Bytes, share: Share = WHOLE) -> list[Call]:
        """Bind a part of the work to the planes of the source, to those of the output, and to scratch of its own."""
        tiling = self.tiling
        tiles, channels = divide_work(tiling.source.geometry, tiling.tiles, share, tiling.rows)
        mine = self._runs[(self._runs[:, 1] >= channels.start) & (self._runs[:, 1] < channels.stop)]
        d = self._descriptor.copy()
        d[Conv.FIRST], d[Conv.LAST] = tiles.start, tiles.stop
        arguments = (
            *(tag(tiling.rows), tag(tiling.halves), tag(int(self._epilogue.residual)), x, out, added, scratch),
            *(self._offsets, self._weights, np.ascontiguousarray(mine), self._epilogue.offset, self._numbers),
            *(self._mask, d),
        )
        return [(conv_bytes_dense, arguments)] if len(mine) and tiles else []
