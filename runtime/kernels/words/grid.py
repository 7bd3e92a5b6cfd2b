"""Grids of 16 bits for weights and activations, so fine that sums of 32 bits cannot overflow.

A sum of products is at most (levels of activations) times (sum of the magnitudes of the integer weights). Sums of a
block of units begin at zero, so only the weights of one segment count: some dozens, where a whole output channel may
have thousands. That is worth four or five bits. Where no activation is negative, a sum lies between those of the
positive and of the negative weights alone, which is worth another one.

Sums of weights are rounded, and weights are their differences. So the errors of neighbours cancel, and what a layer
makes of the mean of its activations is nearly exact: behind a ReLU most of the error of weights rounded one by one lies
there.
"""

from __future__ import annotations

from dataclasses import replace
from math import isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...jit import kernel
from ..contract import F32, I64, ConvGeometry, Epilogue
from ..descriptor import Block
from ..epilogue import epilogue_array

MOST = (1 << 15) - 1
"""Greatest magnitude of a word."""
LARGEST_SUM = (1 << 31) - 1
SKEW = 1.4
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

    def scaled(self, epilogue: Epilogue) -> F32:
        """An epilogue as kernels take it, see `kernels.epilogue`; its scales are multiplied by those of the weights."""
        scale = self.scales if epilogue.scale is None else self.scales * epilogue.scale
        return epilogue_array(replace(epilogue, scale=scale.astype(np.float32)), len(scale))


def make_grid(weight: F32, g: ConvGeometry, blocks: I64) -> Grid:
    """Choose the grids of a layer. No weight changes its sign.

    Parameters
    ----------
    weight : ndarray of float32, shape (out_channels, in_channels / groups, KH, KW)
        Finite.
    g : ConvGeometry
    blocks : ndarray of int64, shape (blocks, 8)
        A unit is an input channel together with a horizontal tap.
    """
    outputs, units = len(weight), g.in_channels // g.groups * g.kernel[1]
    flat, sizes = np.ascontiguousarray(weight).reshape(-1), np.array([outputs, *weight.shape[1:]], np.int64)
    largest, nonzero, until = np.zeros(outputs), np.zeros(outputs, np.int64), np.zeros((2, outputs, units + 1))
    weigh(flat, sizes, largest, nonzero, until)
    largest[largest == 0] = 1.0
    positive, negative = (_heaviest(sums, g, blocks) / largest for sums in until)
    heaviest = np.maximum(positive, negative) if g.nonnegative else _heaviest(until.sum(axis=0), g, blocks) / largest
    levels = min(MOST, int(SKEW * isqrt(int(LARGEST_SUM / max(1.0, heaviest.max(initial=0))))))
    # A weight gains less than a step by rounding.
    room = LARGEST_SUM // levels - nonzero
    steps = np.floor(np.minimum(MOST - 1, room / np.maximum(1.0, heaviest)))
    scales = largest / steps
    integers = np.empty(weight.shape, np.int16)
    round_weights(flat, scales, integers.reshape(-1))
    return Grid(integers, scales, levels)


@kernel
def weigh(
    weights: F32,
    sizes: I64,
    largest: NDArray[np.float64],
    nonzero: I64,
    until: NDArray[np.float64],
) -> None:
    """Measure each output channel.

    Parameters
    ----------
    weights : ndarray of float32, flat
        By output channel, input channel of its group, and tap.
    sizes : ndarray of int64
        The weight's shape.
    largest, nonzero
        Written, of each output channel: its greatest magnitude, and how many weights are not zero.
    until : ndarray of float64, shape (2, outputs, units + 1)
        Zeros. Written: the sums of the magnitudes of all units before each, of positive weights and of negative ones.
    """
    inputs, height, width = sizes[1], sizes[2], sizes[3]
    for output in range(sizes[0]):
        most, count, positive, negative = 0.0, 0, 0.0, 0.0
        for channel in range(inputs):
            start = (output * inputs + channel) * height * width
            for tap in range(width):
                for row in range(height):
                    weight = np.float64(weights[start + row * width + tap])
                    positive += max(weight, 0.0)
                    negative += max(-weight, 0.0)
                    most = max(most, abs(weight))
                    count += weight != 0
                unit = channel * width + tap + 1
                until[0, output, unit], until[1, output, unit] = positive, negative
        largest[output], nonzero[output] = most, count


@kernel
def round_weights(weights: F32, scales: NDArray[np.float64], out: NDArray[np.int16]) -> None:
    """Round the sums of the first weights of each output channel, divided by its scale; write their differences."""
    size = len(weights) // len(scales)
    for output in range(len(scales)):
        total, before = 0.0, 0.0
        for i in range(output * size, (output + 1) * size):
            total += np.float64(weights[i]) / scales[output]
            nearest = np.rint(total)
            out[i] = np.int16(nearest - before)
            before = nearest


def _heaviest(until: NDArray[np.float64], g: ConvGeometry, blocks: I64) -> NDArray[np.float64]:
    """Of each output channel, the sum of the magnitudes of its heaviest segment; `until` as `weigh` writes it."""
    outputs, units = g.out_channels // g.groups, g.in_channels // g.groups * g.kernel[1]
    heaviest = np.zeros(g.out_channels)
    for block in blocks:
        channels = np.arange(block[Block.FIRST_OUTPUT], block[Block.LAST_OUTPUT])
        group = channels // outputs * units
        first, last = (np.clip(block[end] - group, 0, units) for end in (Block.FIRST_UNIT, Block.LAST_UNIT))
        heaviest[channels] = np.maximum(heaviest[channels], until[channels, last] - until[channels, first])
    return heaviest
