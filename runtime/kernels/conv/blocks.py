"""Blocks: how the units of a convolution are cut to fit a cache, and how its work is divided among threads.

A *unit* is what a kernel packs at a time: an input channel together with some of its taps. A *block* is some units of a
group, and the outputs that they belong to. Where a group has several blocks, the sums of its outputs rest in scratch
between them. The weights of one output in one block are a *segment*.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil

import numpy as np

from ..contract import I64, ConvGeometry, Share
from ..descriptor import Block, Conv

FAR = 1 << 18
"""Elements of an input or output that does not stay in the L2 cache: 1 MiB."""


def block_table(g: ConvGeometry, taps: int, block_units: int, merge: bool = True) -> I64:
    """The table of blocks, shape (blocks, 8): columns are those of `Block`; POSITION is left to the packer.

    Parameters
    ----------
    g : ConvGeometry
    taps, block_units : int
        Units of a channel, and most of a block.
    merge : bool
        Whether small groups may share a block.
    """
    outputs, units = g.out_channels // g.groups, g.in_channels // g.groups * taps
    together, block_units, _ = cut(g, taps, block_units, merge)
    table: list[tuple[int, ...]] = []
    segments = 0
    for group in range(0, g.groups, together):
        end = min(group + together, g.groups)
        step = block_units if together == 1 else units * together
        for first in range(group * units, end * units, step):
            last = min(first + step, end * units)
            edges = first == group * units, last == end * units
            table.append((first, last, group * outputs, end * outputs, *edges, segments, 0))
            segments += (end - group) * outputs
    return np.array(table, dtype=np.int64)


def cut(g: ConvGeometry, taps: int, block_units: int, merge: bool = True) -> tuple[int, int, int]:
    """How many groups share a block, units of a block (of one size throughout), and blocks of an output."""
    units = g.in_channels // g.groups * taps
    together = min(g.groups, max(1, block_units // units)) if merge else 1
    size = -(-units // -(-units // block_units))
    return together, size, 1 if together > 1 else -(-units // size)


def most_units(blocks: I64) -> int:
    """Units of the largest block."""
    return int((blocks[:, Block.LAST_UNIT] - blocks[:, Block.FIRST_UNIT]).max())


def most_outputs(blocks: I64) -> int:
    """Outputs of the block that has most of them."""
    return int((blocks[:, Block.LAST_OUTPUT] - blocks[:, Block.FIRST_OUTPUT]).max())


def divide_work(g: ConvGeometry, tiles: float, share: Share, run: int = 1) -> tuple[range, range]:
    """Tiles, of which the last may be less than a whole one, and output channels that fall to a part of the work.

    Tiles are divided where they come out even, and channels, in whole runs of each group, where not.
    """
    part, parts = share
    channels = g.out_channels
    ends = [*(round(tiles * n / parts) for n in range(parts)), ceil(tiles)]
    most = max(min(last, tiles) - first for first, last in pairwise(ends))
    if tiles >= 0.9 * parts * most:  # all are busy for nine tenths of the time
        return range(ends[part], ends[part + 1]), range(channels)
    cuts = [channels * n // parts for n in (part, part + 1)]
    first, last = (c - c % (channels // g.groups) % run if c < channels else c for c in cuts)
    return range(ceil(tiles)), range(first, last)


def part_of(d: I64, blocks: I64, tiles: range, channels: range) -> tuple[I64, I64]:
    """Descriptor and table of blocks for some of the tiles and output channels; POSITION stays that of the whole."""
    part = d.copy()
    part[Conv.FIRST], part[Conv.LAST] = tiles.start, tiles.stop
    table = blocks.copy()
    table[:, Block.FIRST_OUTPUT] = np.maximum(blocks[:, Block.FIRST_OUTPUT], channels.start)
    table[:, Block.LAST_OUTPUT] = np.minimum(blocks[:, Block.LAST_OUTPUT], channels.stop)
    table[:, Block.SEGMENT] += table[:, Block.FIRST_OUTPUT] - blocks[:, Block.FIRST_OUTPUT]
    return part, table[table[:, Block.FIRST_OUTPUT] < table[:, Block.LAST_OUTPUT]]
