"""The choice of kernel and tiling for a convolution of bytes, by an estimate of its cycles.

The answer is the same bits whatever is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..kernels.conv.blocks import cut
from ..kernels.integer.dense import BlockTiling, ConvBytesDense
from ..kernels.integer.epilogue import IntegerEpilogue
from ..kernels.integer.source import Source
from ..kernels.integer.sparse import ConvBytesSparse, QuadTiling
from ..simd.reference.bytes import QUAD
from .byte_target import ByteCosts, ByteTarget

Packed = ConvBytesSparse | ConvBytesDense


class IntegerChoice(NamedTuple):
    """A way to compute a convolution of bytes."""

    cycles: float
    """An estimate."""
    kernel: str
    halves: int
    """Half vectors of a tile."""
    pack: Callable[[], Packed]
    """Packs the weights."""


def choices(
    weights: NDArray[np.int8], source: Source, epilogue: IntegerEpilogue, target: ByteTarget
) -> list[IntegerChoice]:
    """Ways to compute a convolution of bytes, the one estimated to be fastest first.

    Parameters
    ----------
    weights : ndarray of int8, shape (out_channels, in_channels / groups, KH, KW)
    source : Source
    epilogue : IntegerEpilogue
    target : ByteTarget
    """
    most, outputs = source.made.halves, source.geometry.out_channels // source.geometry.groups
    counts = np.count_nonzero(weights.reshape(len(weights), -1), axis=1)
    fitting = [halves for halves in target.halves if halves <= most] or [most]
    sparse = [QuadTiling(source, halves) for halves in fitting]
    dense = BlockTiling(source, min(target.rows, outputs), min(target.dense_halves, most))
    found = [
        *(
            IntegerChoice(
                *(_sparse(target.costs, tiling, counts), "sparse", tiling.halves),
                partial(ConvBytesSparse, weights, tiling, epilogue),
            )
            for tiling in sparse
        ),
        IntegerChoice(
            *(_dense(target.costs, dense), "dense", dense.halves), partial(ConvBytesDense, weights, dense, epilogue)
        ),
    ]
    return sorted(found, key=lambda choice: choice.cycles)


def _sparse(costs: ByteCosts, tiling: QuadTiling, counts: NDArray[np.int64]) -> float:
    """Cycles of `conv_bytes_sparse`."""
    source, g, halves = tiling.source, tiling.source.geometry, tiling.halves
    blocks = cut(g, len(source.phases), tiling.block_units)[2]
    quads = float((counts / QUAD + blocks * 0.375 * (counts > 0)).sum())
    segments = g.out_channels * blocks
    weights = quads * (halves * costs.quad + costs.quad_each) + segments * costs.segment
    sums = g.out_channels * halves * (costs.stored + (blocks - 1) * costs.sums)
    copied = source.planes * (halves + 1) * costs.copied if tiling.slice else 0.0
    return tiling.tiles * (weights + sums + copied)


def _dense(costs: ByteCosts, tiling: BlockTiling) -> float:
    """Cycles of `conv_bytes_dense`."""
    runs, halves, rows = len(tiling.channels()), tiling.halves, tiling.rows
    packed = tiling.source.geometry.groups * tiling.quads * halves * costs.interleaved
    products = runs * tiling.quads * (rows * halves * costs.dense + costs.dense_each)
    return tiling.tiles * (packed + products + runs * rows * halves * costs.stored)
