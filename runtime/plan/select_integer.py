"""The choice of kernel and tiling for a convolution of bytes, by an estimate of its cycles.

The answer is the same bits whatever is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.cpu import BYTE_DOTS, WORDS
from ..kernels.conv.blocks import cut
from ..kernels.integer.dense import BlockTiling, ConvBytesDense
from ..kernels.integer.epilogue import IntegerEpilogue
from ..kernels.integer.source import Source
from ..kernels.integer.sparse import ConvBytesSparse, QuadTiling
from ..simd.reference.bytes import QUAD

Packed = ConvBytesSparse | ConvBytesDense


@dataclass(frozen=True)
class ByteCosts:
    """Cycles of the kernels on bytes, each for half a vector of pixels where it says no other.

    Attributes
    ----------
    quad : float
        Of four sparse weights.
    quad_each : float
        Of four sparse weights, whatever the tile.
    segment : float
        Of the weights of an output channel in a block, whatever the tile.
    sums : float
        Of sums that are stored and taken up again.
    stored : float
        Of the epilogue.
    copied : float
        Of a slice of a plane.
    interleaved : float
        Of four taps that are brought side by side.
    dense : float
        Of four taps of an output channel, in the dense kernel.
    dense_each : float
        Of four taps of the output channels that are taken at a time, whatever the tile.
    """

    quad: float
    quad_each: float
    segment: float
    sums: float
    stored: float
    copied: float
    interleaved: float
    dense: float
    dense_each: float


@dataclass(frozen=True)
class ByteTarget:
    """A kind of processor.

    Attributes
    ----------
    costs : ByteCosts
    halves : tuple of int
        Half vectors of a tile of the sparse kernel that are tried.
    rows, dense_halves : int
        Output channels and half vectors of a tile of the dense kernel.
    """

    costs: ByteCosts
    halves: tuple[int, ...]
    rows: int
    dense_halves: int


ZEN4 = ByteTarget(
    ByteCosts(
        quad=4.0,
        quad_each=1.1,
        segment=13.9,
        sums=9.3,
        stored=7.5,
        copied=3.0,
        interleaved=12.1,
        dense=2.0,
        dense_each=0.7,
    ),
    halves=(2, 3, 5, 6, 7, 9, 10, 11),
    rows=4,
    dense_halves=2,
)
"""With AVX-512 VNNI; fitted by ``python -m benchmarks.byte_costs`` on Zen 4, on which an instruction on 512 bits takes
two cycles of a pipe: 94 % of the estimates are within 20 %, and what is chosen takes 0.9 % longer than the fastest."""

PLAIN = ByteTarget(
    ByteCosts(
        quad=13.0,
        quad_each=3.0,
        segment=8.0,
        sums=20.0,
        stored=60.0,
        copied=2.0,
        interleaved=8.0,
        dense=9.0,
        dense_each=2.0,
    ),
    halves=(1,),
    rows=2,
    dense_halves=1,
)
"""Without: sums of four products are made of sums of two, in registers of half the size."""

HOST = ZEN4 if BYTE_DOTS and WORDS else PLAIN


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
    weights: NDArray[np.int8], source: Source, epilogue: IntegerEpilogue, target: ByteTarget = HOST
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
