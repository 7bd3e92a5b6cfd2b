"""Grids of 16 bits for weights and activations, so fine that sums of 32 bits cannot overflow.

A sum of products is at most (levels of activations) times (sum of the magnitudes of the integer weights). Sums of a
block of units begin at zero, so only the weights of one segment count: some dozens, where a whole output channel may
have thousands. That is worth four or five bits.
"""

from __future__ import annotations

from math import isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..contract import F32, I64, ConvGeometry
from ..descriptor import Block

MOST = (1 << 15) - 1
"""Greatest magnitude of a word."""
LARGEST_SUM = (1 << 31) - 1
SKEW = 2
"""How many times finer the grid of activations is than that of weights, if neither is limited: most activations are
small beside the greatest, by which their grid is made, and most weights are not."""


class Grid(NamedTuple):
    """Integer weights, their scales, and the levels of activations."""

    weights: NDArray[np.int16]
    """Shape (out_channels, in_channels / groups, KH, KW)."""
    scales: NDArray[np.float64]
    """Shape (out_channels,): an integer weight stands for this many times itself."""
    levels: int
    """The greatest magnitude of an activation as an integer."""


def make_grid(weight: F32, g: ConvGeometry, blocks: I64) -> Grid:
    """Choose the grids of a layer.

    Parameters
    ----------
    weight : ndarray of float32, shape (out_channels, in_channels / groups, KH, KW)
        Finite.
    g : ConvGeometry
    blocks : ndarray of int64, shape (blocks, 8)
        A unit is an input channel together with a horizontal tap.
    """
    outputs = len(weight)
    magnitudes = np.abs(weight.astype(np.float64))
    largest = magnitudes.reshape(outputs, -1).max(axis=1, initial=0)
    largest[largest == 0] = 1.0
    heaviest = _heaviest(magnitudes, g, blocks) / largest
    levels = min(MOST, SKEW * isqrt(int(LARGEST_SUM / max(1.0, heaviest.max(initial=0)))))
    # A weight gains half a step at most by rounding.
    room = LARGEST_SUM // levels - np.count_nonzero(magnitudes.reshape(outputs, -1), axis=1) / 2
    steps = np.floor(np.minimum(MOST, room / np.maximum(1.0, heaviest)))
    scales = largest / steps
    integers = np.rint(weight / scales.reshape(-1, 1, 1, 1)).astype(np.int16)
    return Grid(integers, scales, levels)


def _heaviest(magnitudes: NDArray[np.float64], g: ConvGeometry, blocks: I64) -> NDArray[np.float64]:
    """Of each output channel, the sum of the magnitudes of its heaviest segment."""
    outputs, units = g.out_channels // g.groups, g.in_channels // g.groups * g.kernel[1]
    each = magnitudes.sum(axis=2).reshape(g.out_channels, units)
    until = np.concatenate([np.zeros((g.out_channels, 1)), np.cumsum(each, axis=1)], axis=1)
    heaviest = np.zeros(g.out_channels)
    for block in blocks:
        channels = np.arange(block[Block.FIRST_OUTPUT], block[Block.LAST_OUTPUT])
        group = channels // outputs * units
        first, last = (np.clip(block[end] - group, 0, units) for end in (Block.FIRST_UNIT, Block.LAST_UNIT))
        heaviest[channels] = np.maximum(heaviest[channels], until[channels, last] - until[channels, first])
    return heaviest
