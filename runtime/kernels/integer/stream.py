"""The weights of a sparse integer convolution: for each block and output channel a segment of quads, or of pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import simd
from ...jit import inlined, kernel
from ...simd.reference.bytes import QUAD
from ..contract import I64, ConvGeometry
from ..descriptor import Block


@dataclass(frozen=True)
class IntegerStream:
    """Weights in the order in which a kernel reads them, some at a time.

    Attributes
    ----------
    offsets : ndarray of uint16 or uint32, shape (weights,)
        Of each weight: the distance from the block's first byte, or vector, to the pixel that it multiplies.
    weights : ndarray of int8 or int16, shape (weights,)
        The last quad, or pair, of a segment is filled up with zeros.
    counts : ndarray of uint32, shape (segments,)
        Quads, or pairs, of each segment.
    """

    offsets: NDArray[Any]
    weights: NDArray[Any]
    counts: NDArray[np.uint32]

    @property
    def nbytes(self) -> int:
        """Bytes that it takes in memory."""
        return self.offsets.nbytes + self.weights.nbytes + self.counts.nbytes

    def locate(self, blocks: I64) -> I64:
        """The table of blocks with POSITION, in quads or pairs, filled in."""
        located = blocks.copy()
        starts = np.cumsum(self.counts, dtype=np.int64) - self.counts
        located[:, Block.POSITION] = starts[blocks[:, Block.SEGMENT]]
        return located


def make_stream(
    weights: NDArray[Any],
    g: ConvGeometry,
    blocks: I64,
    unit_bytes: int,
    phase: I64,
    distance: I64,
    together: int = QUAD,
) -> IntegerStream:
    """Sort the weights of a convolution by segment.

    Parameters
    ----------
    weights : ndarray of int8 or int16, shape (out_channels, in_channels / groups, KH, KW)
    g : ConvGeometry
    blocks : ndarray of int64, shape (blocks, 8)
        Units are planes, or those of a tile of words.
    unit_bytes : int
        Bytes, or vectors, from a unit to the next, within a block.
    phase, distance : ndarray of int64, shape (KH * KW,)
        Of each tap: its unit among those of the channel, and the distance of its pixel from the unit's first.
    together : int
        Weights that the kernel takes at a time.
    """
    phases, taps = int(phase.max()) + 1, g.kernel[0] * g.kernel[1]
    block = np.zeros(g.in_channels * phases, np.int64)
    for number, row in enumerate(blocks):
        block[row[Block.FIRST_UNIT] : row[Block.LAST_UNIT]] = number
    # Of each input channel and tap, the segment of output 0 and the offset, for all groups.
    unit = np.arange(g.in_channels)[:, None] * phases + phase
    segment = (blocks[:, Block.SEGMENT] - blocks[:, Block.FIRST_OUTPUT])[block[unit]].ravel()
    offset = ((unit - blocks[block[unit], Block.FIRST_UNIT]) * unit_bytes + distance).ravel()
    segments = int((blocks[:, Block.LAST_OUTPUT] - blocks[:, Block.FIRST_OUTPUT]).sum())
    flat, sizes = weights.reshape(-1), np.array([g.out_channels, g.groups, g.in_channels // g.groups * taps], np.int64)
    counts = np.zeros(segments, np.int64)
    taken = np.empty(int(sizes[2]), np.int64)
    count_weights(flat, segment, taken, counts, sizes)
    runs = -(-counts // together)
    places = (np.cumsum(runs) - runs) * together
    slots = int(runs.sum()) * together
    narrow = np.uint16 if offset.max(initial=0) < 1 << 16 else np.uint32
    offsets, values = np.zeros(slots, narrow), np.zeros(slots, weights.dtype)
    place_weights(flat, segment, offset, taken, places, offsets, values, sizes)
    return IntegerStream(offsets, values, runs.astype(np.uint32))


@inlined
def _taken(weights: NDArray[Any], first: int, count: int, taken: I64) -> int:
    """List which weights from the first on are not zero, without a branch for each; how many they are."""
    found = 0
    for tap in range(count):
        simd.put(taken, found, tap)
        found += simd.get(weights, first + tap) != 0
    return found


@kernel
def count_weights(weights: NDArray[Any], segment: I64, taken: I64, counts: I64, sizes: I64) -> None:
    """Count the weights of each segment.

    Parameters
    ----------
    weights : ndarray of int8 or int16, flat
        By output channel, input channel of its group, and tap.
    segment : ndarray of int64, flat
        Of each input channel and tap: the segment of output channel 0.
    taken : ndarray of int64, shape (taps of all input channels of a group,)
        Is overwritten.
    counts : ndarray of int64, shape (segments,)
        Zeros.
    sizes : ndarray of int64
        Output channels, groups, and taps of all input channels of a group.
    """
    taps = sizes[2]
    for output in range(sizes[0]):
        group = output // (sizes[0] // sizes[1]) * taps
        for i in range(_taken(weights, output * taps, taps, taken)):
            counts[simd.get(segment, group + simd.get(taken, i)) + output] += 1


@kernel
def place_weights(
    weights: NDArray[Any],
    segment: I64,
    offset: I64,
    taken: I64,
    places: I64,
    offsets: NDArray[Any],
    values: NDArray[Any],
    sizes: I64,
) -> None:
    """Write the weights of each segment, and their offsets.

    Parameters
    ----------
    weights, segment, taken, sizes
        As `count_weights` takes them.
    offset : ndarray of int64, flat
        Of each input channel and tap.
    places : ndarray of int64, shape (segments,)
        Of the first weight of each segment; afterwards those behind the last.
    offsets, values
        See `IntegerStream`.
    """
    taps = sizes[2]
    for output in range(sizes[0]):
        group = output // (sizes[0] // sizes[1]) * taps
        for i in range(_taken(weights, output * taps, taps, taken)):
            tap = simd.get(taken, i)
            here = simd.get(segment, group + tap) + output
            place = places[here]
            places[here] = place + 1
            offsets[place], values[place] = simd.get(offset, group + tap), simd.get(weights, output * taps + tap)
