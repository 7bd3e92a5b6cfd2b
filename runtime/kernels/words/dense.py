"""Dense convolution in words of 16 bits: a packed tile of pixels, two taps side by side, times runs of output channels.

Activations are float32, and become words as `words.sparse` says. What two units of a tile read is brought side by side
once, and serves all output channels: a run of them at a time, whose sums stay in registers. Products are summed in 32
bits, without overflow (`grid`), and the sums of blocks in float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....dcformat.tensors import Tensor
from ... import simd
from ...jit import kernel
from ...simd import LANES
from ...simd.reference.pairs import PAIR
from ..contract import F32, I64, WHOLE, Call, Epilogue, Share, tag
from ..conv.blocks import most_outputs, most_units, part_of
from ..conv.direct.dense import DenseTiling
from ..conv.direct.pack_input import describe
from ..conv.direct.tile import corner, is_whole, needs_no_packing, prefetch_outputs, store_contiguous, store_tile
from ..descriptor import Block, Conv, Direct
from ..epilogue import limits
from .grid import make_grid
from .pack_words import grid_of, pack_channel_pairs, pack_unit_pairs


@dataclass(frozen=True, kw_only=True)
class DenseWordTiling(DenseTiling):
    """How a layer is cut into tiles, blocks and runs, where a vector holds two units."""

    @property
    def block_units(self) -> int:
        """Most units of a block."""
        return PAIR * super().block_units

    @property
    def tile_elements(self) -> int:
        """Elements of scratch for a packed block."""
        return -(-most_units(self.blocks) // PAIR) * self.unit_vectors * LANES

    @property
    def lengths(self) -> I64:
        """Stored weights of an output channel in each block, shape (blocks,)."""
        units = self.blocks[:, Block.LAST_UNIT] - self.blocks[:, Block.FIRST_UNIT]
        return -(-units // PAIR) * PAIR * self.geometry.kernel[0]


@kernel
def conv_words_dense(
    tag: Any,
    rows_tag: Any,
    sums_tag: Any,
    x: F32,
    out: F32,
    residual: F32,
    packed: NDArray[np.int16],
    scratch: F32,
    taps: I64,
    weights: NDArray[np.int16],
    blocks: I64,
    epilogue: F32,
    levels: np.float32,
    d: I64,
) -> None:
    """Convolve a batch.

    Parameters
    ----------
    tag, rows_tag, sums_tag : Tag
        As long as a tile has rows, as a run has output channels, and as the product of the two.
    x, out, residual : ndarray of float32, flat
        Activations; `residual` is read only where the descriptor says so.
    packed : ndarray of int16, flat
        The packed tile.
    scratch : ndarray of float32, flat
        The sums, from where the descriptor says.
    taps : ndarray of int64, shape (KH,)
        Vector, within two packed units, of each vertical tap.
    weights : ndarray of int16
        By block, run of output channels, two units, vertical tap, output channel of the run, unit.
    blocks : ndarray of int64, shape (blocks, 8)
    epilogue : ndarray of float32
        See `kernels.epilogue`; scales are multiplied by those of the weights.
    levels : float32
        See `Grid`.
    d : ndarray of int64
        The descriptor: `Conv` and `Direct`.
    """
    rows, run, bounds, zero = len(tag), len(rows_tag), limits(epilogue), np.float32(0)
    pitch = d[Direct.UNIT_VECTORS] * PAIR * LANES
    for sample in range(d[Conv.SAMPLES]):
        first_in = sample * d[Conv.IN_CHANNELS] * d[Direct.IN_PLANE]
        first_out = sample * d[Conv.OUT_CHANNELS] * d[Direct.OUT_PLANE]
        scale, step = grid_of(x, first_in, d[Conv.IN_CHANNELS] * d[Direct.IN_PLANE], levels)
        for tile in range(d[Conv.FIRST], d[Conv.LAST]):
            row, column = corner(tile, rows, d)
            for b in range(len(blocks)):
                first, last = blocks[b, Block.FIRST_UNIT], blocks[b, Block.LAST_UNIT]
                resumes, ends = blocks[b, Block.STARTS] == 0, blocks[b, Block.ENDS] != 0
                if needs_no_packing(row, rows, d):
                    pack_channel_pairs(tag, x, first_in + row * LANES, first, last, packed, scale, d)
                else:
                    pack_unit_pairs(x, first_in, first, last, tile, (row, column), packed, scale, d)
                at, position = d[Conv.SUMS], blocks[b, Block.POSITION]
                for channel in range(blocks[b, Block.FIRST_OUTPUT], blocks[b, Block.LAST_OUTPUT], run):
                    target = first_out + channel * d[Direct.OUT_PLANE]
                    if ends:
                        for r in range(run):
                            prefetch_outputs(tag, out, target + r * d[Direct.OUT_PLANE], row, column, d)
                    sums = simd.no_sums(sums_tag)
                    for start in range(0, (last - first + 1) // PAIR * pitch, pitch):
                        for ky in range(len(taps)):
                            place = start + simd.get(taps, ky) * PAIR * LANES
                            sums = simd.dot_run(sums, rows_tag, packed, place, weights, position)
                            position += PAIR * run
                    total = simd.float_sums(sums)
                    if resumes:
                        total = simd.add(total, simd.load(sums_tag, scratch, at))
                    if ends:
                        total = simd.scale_shift(total, step, zero)
                    simd.store(scratch, at, total)
                    if ends:
                        end = min(channel + run, blocks[b, Block.LAST_OUTPUT])
                        if is_whole(row, rows, d):
                            for r in range(channel, end):
                                own = simd.load(tag, scratch, at + (r - channel) * rows * LANES)
                                store_contiguous(tag, own, r, out, residual, first_out, row, epilogue, bounds, d)
                        else:
                            store_tile(
                                *(tag, scratch, at, channel, end, out, residual, first_out, row, column),
                                *(epilogue, bounds, d),
                            )
                    at += run * rows * LANES


def _stream(weights: NDArray[np.int16], tiling: DenseWordTiling) -> NDArray[np.int16]:
    """Weights in the order in which the kernel reads them; missing outputs and units have zeros."""
    g, run = tiling.geometry, tiling.run
    # (output, input channel, ky, kx) -> (output, unit, ky)
    by_unit = weights.transpose(0, 1, 3, 2).reshape(g.out_channels, -1, g.kernel[0])
    parts = []
    for first, last, first_output, last_output, *_ in tiling.blocks:
        skip = first // by_unit.shape[1] * by_unit.shape[1]
        part = by_unit[first_output:last_output, first - skip : last - skip]
        part = np.pad(part, ((0, -len(part) % run), (0, -part.shape[1] % PAIR), (0, 0)))
        runs = part.reshape(-1, run, part.shape[1] // PAIR, PAIR, g.kernel[0])
        parts.append(runs.transpose(0, 2, 4, 1, 3).ravel())
    return np.concatenate(parts)


class ConvWordsDense:
    """A convolution packed for `conv_words_dense`.

    Parameters
    ----------
    weight : Tensor
        Finite.
    tiling : DenseWordTiling
    epilogue : Epilogue
    """

    kernel_name = "conv_words_dense"

    def __init__(self, weight: Tensor, tiling: DenseWordTiling, epilogue: Epilogue) -> None:
        g = tiling.geometry
        self.tiling = tiling
        grid = make_grid(weight.float32().dense(), g, tiling.blocks)
        self._weights = _stream(grid.weights, tiling)
        self._epilogue = grid.scaled(epilogue)
        self._levels, self._descriptor = np.float32(grid.levels), describe(tiling, epilogue)
        self.weight_bytes = self._weights.nbytes
        outputs = -(-most_outputs(tiling.blocks) // tiling.run) * tiling.run
        self.scratch_elements = tiling.tile_elements + outputs * tiling.rows * LANES

    def bind(self, x: F32, out: F32, residual: F32 | None, scratch: F32, share: Share = WHOLE) -> list[Call]:
        """See `contract.PackedLayer`."""
        tiling, flat_out = self.tiling, out.reshape(-1)
        rows, run = tiling.rows, tiling.run
        tiles, channels = tiling.share(share, run)
        d, blocks = part_of(self._descriptor, tiling.blocks_of(channels), tiles, channels)
        arguments = (
            *(tag(rows), tag(run), tag(rows * run), x.reshape(-1), flat_out),
            flat_out if residual is None else residual.reshape(-1),
            *(scratch[: tiling.tile_elements].view(np.int16), scratch, tiling.tap_offsets(), self._weights, blocks),
            *(self._epilogue, self._levels, d),
        )
        return [(conv_words_dense, arguments)]
