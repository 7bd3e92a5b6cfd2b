"""Dense convolution: every weight is multiplied with a packed tile of pixels, a run of output channels at a time.

Shared weights stay symbols, one byte each, which are looked up in the codebook as they are broadcast.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .....core import memory
from .....dcformat.tensors import Tensor
from .... import simd
from ....jit import kernel
from ....simd import LANES
from ...contract import F32, I64, WHOLE, Call, Epilogue, Share, tag
from ...descriptor import Block, Conv, Direct
from ...epilogue import clamp, epilogue_array, limits, scale_shift_rows
from ...weights import DenseWeights
from ..blocks import most_outputs, part_of
from .pack_input import describe, pack_tile
from .tile import Tiling, corner, is_whole, needs_no_packing, prefetch_outputs, store_tile


@dataclass(frozen=True, kw_only=True)
class DenseTiling(Tiling):
    """How a layer is cut into tiles and blocks, and into runs of output channels.

    Attributes
    ----------
    run : int
        Output channels taken at a time.
    """

    merge: bool = False
    run: int

    @property
    def lengths(self) -> I64:
        """Stored weights of an output channel in each block, shape (blocks,)."""
        units: I64 = self.blocks[:, Block.LAST_UNIT] - self.blocks[:, Block.FIRST_UNIT]
        return units * self.geometry.kernel[0]

    def blocks_of(self, channels: range) -> I64:
        """The table of blocks, POSITION being that of the first weight of `channels`."""
        blocks, lengths = self.blocks.copy(), self.lengths
        outputs = blocks[:, Block.LAST_OUTPUT] - blocks[:, Block.FIRST_OUTPUT]
        sizes = -(-outputs // self.run) * self.run * lengths
        skipped = np.maximum(0, channels.start - blocks[:, Block.FIRST_OUTPUT])
        blocks[:, Block.POSITION] = np.cumsum(sizes) - sizes + skipped * lengths
        return blocks


@kernel
def conv_dense(
    tag: Any,
    rows_tag: Any,
    sums_tag: Any,
    x: F32,
    out: F32,
    residual: F32,
    scratch: F32,
    taps: I64,
    symbols: NDArray[Any],
    codebook: F32,
    blocks: I64,
    epilogue: F32,
    d: I64,
) -> None:
    """Convolve a batch.

    Parameters
    ----------
    tag, rows_tag, sums_tag : Tag
        As long as a tile has rows, as a run has output channels, and as the product of the two.
    x, out, residual : ndarray of float32, flat
        Activations; `residual` is read only where the descriptor says so.
    scratch : ndarray of float32, flat
        The packed tile, then the sums.
    taps : ndarray of int64, shape (KH,)
        Vector, within a packed unit, of each vertical tap.
    symbols : ndarray of uint8 or float32
        Weights by block, run of output channels, unit, vertical tap, output channel of the run.
    codebook : ndarray of float32
    blocks : ndarray of int64, shape (blocks, 8)
    epilogue : ndarray of float32
        See `kernels.epilogue`.
    d : ndarray of int64
        The descriptor: `Conv` and `Direct`.
    """
    rows, run, bounds = len(tag), len(rows_tag), limits(epilogue)
    unit_vectors = d[Direct.UNIT_VECTORS]
    for sample in range(d[Conv.SAMPLES]):
        first_in = sample * d[Conv.IN_CHANNELS] * d[Direct.IN_PLANE]
        first_out = sample * d[Conv.OUT_CHANNELS] * d[Direct.OUT_PLANE]
        for tile in range(d[Conv.FIRST], d[Conv.LAST]):
            row, column = corner(tile, rows, d)
            for b in range(len(blocks)):
                first, last = blocks[b, Block.FIRST_UNIT], blocks[b, Block.LAST_UNIT]
                if needs_no_packing(row, rows, d):
                    pixels, start, pitch = x, first_in + first * d[Direct.IN_PLANE] + row * LANES, d[Direct.IN_PLANE]
                else:
                    pack_tile(tag, x, first_in, first, last, tile, row, column, scratch, d)
                    pixels, start, pitch = scratch, 0, unit_vectors * LANES
                at, position = d[Conv.SUMS], blocks[b, Block.POSITION]
                for channel in range(blocks[b, Block.FIRST_OUTPUT], blocks[b, Block.LAST_OUTPUT], run):
                    sums = simd.zeros(sums_tag)
                    target = first_out + channel * d[Direct.OUT_PLANE]
                    if blocks[b, Block.ENDS] != 0:
                        for r in range(run):
                            prefetch_outputs(tag, out, target + r * d[Direct.OUT_PLANE], row, column, d)
                    if blocks[b, Block.STARTS] == 0:
                        sums = simd.load(sums_tag, scratch, at)
                    for unit in range(last - first):
                        for ky in range(len(taps)):
                            place = start + unit * pitch + simd.get(taps, ky) * LANES
                            sums = simd.fma_rows(sums, rows_tag, codebook, symbols, position, pixels, place)
                            position += run
                    end = min(channel + run, blocks[b, Block.LAST_OUTPUT])
                    if blocks[b, Block.ENDS] != 0 and end - channel == run and is_whole(row, rows, d):
                        place = target + row * LANES
                        value = scale_shift_rows(sums, rows_tag, epilogue, channel)
                        if d[Conv.RESIDUAL] != 0:
                            more = simd.load_grid(sums_tag, rows_tag, residual, place, d[Direct.OUT_PLANE])
                            value = simd.add(value, more)
                        simd.store_grid(rows_tag, out, place, d[Direct.OUT_PLANE], clamp(value, bounds))
                    else:
                        simd.store(scratch, at, sums)
                        if blocks[b, Block.ENDS] != 0:
                            store_tile(
                                *(tag, scratch, at, channel, end, out, residual, first_out, row, column),
                                *(epilogue, bounds, d),
                            )
                    at += run * rows * LANES


def _stream(weights: DenseWeights, tiling: DenseTiling) -> NDArray[Any]:
    """Weights in the order in which the kernel reads them; missing outputs of a run have symbol 0."""
    g, run = tiling.geometry, tiling.run
    # (output, input channel, ky, kx) -> (output, unit, ky)
    by_unit = weights.symbols.transpose(0, 1, 3, 2).reshape(g.out_channels, -1, g.kernel[0])
    parts = []
    for first, last, first_output, last_output, *_ in tiling.blocks:
        skip = first // by_unit.shape[1] * by_unit.shape[1]
        part = by_unit[first_output:last_output, first - skip : last - skip]
        part = np.pad(part, ((0, -len(part) % run), (0, 0), (0, 0)))
        parts.append(part.reshape(-1, run, *part.shape[1:]).transpose(0, 2, 3, 1).ravel())
    return np.concatenate(parts)


class ConvDense:
    """A convolution packed for `conv_dense`.

    Parameters
    ----------
    weight : Tensor
    tiling : DenseTiling
    epilogue : Epilogue
    """

    kernel_name = "conv_dense"

    def __init__(self, weight: Tensor, tiling: DenseTiling, epilogue: Epilogue) -> None:
        self.tiling = tiling
        weights, run = DenseWeights.of(weight), tiling.run
        self._symbols, self._codebook = memory.on_large_pages(_stream(weights, tiling)), weights.codebook
        self._epilogue = epilogue_array(epilogue, tiling.geometry.out_channels)
        self._descriptor = describe(tiling, epilogue)
        self.weight_bytes = self._symbols.nbytes + self._codebook.nbytes
        outputs = -(-most_outputs(tiling.blocks) // run) * run
        self.scratch_elements = tiling.tile_elements + outputs * tiling.rows * LANES

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        flat_out = out.reshape(-1)
        rows, run = self.tiling.rows, self.tiling.run
        tiles, channels = self.tiling.share(share, run)
        d, blocks = part_of(self._descriptor, self.tiling.blocks_of(channels), tiles, channels)
        arguments = (
            *(tag(rows), tag(run), tag(rows * run), x.reshape(-1), flat_out),
            *(flat_out if residual is None else residual.reshape(-1), scratch),
            *(self.tiling.tap_offsets(), self._symbols, self._codebook, blocks, self._epilogue, d),
        )
        return [(conv_dense, arguments)]
