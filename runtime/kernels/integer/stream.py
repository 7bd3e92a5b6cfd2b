"""The weights of a sparse integer convolution: for each block and output channel a segment of quads, or of pairs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
    phases = int(phase.max()) + 1
    outputs, inputs, taps = g.out_channels, g.in_channels // g.groups, g.kernel[0] * g.kernel[1]
    output, place = np.nonzero(weights.reshape(outputs, -1))
    channel, tap = place // taps + output // (outputs // g.groups) * inputs, place % taps
    unit = channel * phases + phase[tap]
    covers = np.zeros((len(blocks), g.in_channels * phases), bool)
    for row, block in zip(covers, blocks, strict=True):
        row[block[Block.FIRST_UNIT] : block[Block.LAST_UNIT]] = True
    block = covers.argmax(axis=0)[unit]
    segment = blocks[block, Block.SEGMENT] + output - blocks[block, Block.FIRST_OUTPUT]
    offset = (unit - blocks[block, Block.FIRST_UNIT]) * unit_bytes + distance[tap]
    segments = int((blocks[:, Block.LAST_OUTPUT] - blocks[:, Block.FIRST_OUTPUT]).sum())
    order = np.argsort(segment, kind="stable")
    counts = np.bincount(segment, minlength=segments)
    runs = -(-counts // together)
    starts = np.cumsum(runs) * together - runs * together
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    to = np.repeat(starts, counts) + rank
    narrow = np.uint16 if offset.max(initial=0) < 1 << 16 else np.uint32
    slots = int(runs.sum()) * together
    offsets, values = np.zeros(slots, narrow), np.zeros(slots, weights.dtype)
    offsets[to], values[to] = offset[order], weights.reshape(outputs, -1)[output, place][order]
    return IntegerStream(offsets, values, runs.astype(np.uint32))
