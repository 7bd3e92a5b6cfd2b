"""Processors that convolutions of bytes are planned for: the tiles that are tried, and what operations cost."""

from __future__ import annotations

from dataclasses import dataclass


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


ZEN4_BYTES = ByteTarget(
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

PLAIN_BYTES = ByteTarget(
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
