"""Memory map of the arena: one block of memory for all activations, in which values may share addresses.

A value lives from the step that computes it to the last step that reads it. Values whose lifetimes do not overlap may
share memory. Some values share memory while both live:

- a view (flatten, a part of the channels of one sample) has the memory of its input, or a part of it;
- the parts of a concatenation are computed in place, where each part is contiguous in it;
- an elementwise step overwrites an input that no later step reads.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core import memory
from ..kernels.contract import F32

ALIGNMENT = 16
"""Float32 elements: 64 bytes, a cache line and an AVX-512 vector."""


def aligned(elements: int) -> F32:
    """Allocate zeroed memory at a multiple of 64 bytes."""
    return memory.room(elements, np.float32, zeroed=True)


@dataclass(frozen=True)
class Use:
    """Memory use of one step.

    Attributes
    ----------
    reads : tuple of int
        Values.
    makes : int
        Value.
    view : bool
        The output is the input, or a run of its elements.
    offset : int
        Of a view: the first element of that run.
    joins : bool
        The output is the concatenation of the inputs in memory order.
    overwrites : tuple of int
        Inputs that the output may overwrite, provided the step reads them once.
    scratch : int
        Elements of scratch memory.
    """

    reads: tuple[int, ...]
    makes: int
    view: bool = False
    offset: int = 0
    joins: bool = False
    overwrites: tuple[int, ...] = ()
    scratch: int = 0


@dataclass(frozen=True)
class MemoryMap:
    """Offsets of all values, in float32 elements from the start of the arena.

    Attributes
    ----------
    values : dict of int to int
        Offset of each value.
    scratch : list of int
        Offset of the scratch memory of each step.
    elements : int
        Size of the arena.
    """

    values: dict[int, int]
    scratch: list[int]
    elements: int


def lay_out(sizes: dict[int, int], uses: Sequence[Use], given: Sequence[int], kept: Sequence[int]) -> MemoryMap:
    """Assign offsets to values and scratch memory.

    Parameters
    ----------
    sizes : dict of int to int
        Elements of each value.
    uses : sequence of Use
        The steps, in the order in which they run.
    given, kept : sequence of int
        The input values, present before the first step, and the values that must remain after the last.

    Returns
    -------
    MemoryMap
    """
    homes = _share(sizes, uses, given, kept)
    lives = dict.fromkeys(given, (-1, -1))
    for step, use in enumerate(uses):
        for value in (*use.reads, use.makes):
            first, _ = lives.get(value, (step, step))
            lives[value] = first, step
    lives |= {value: (lives[value][0], len(uses)) for value in kept}

    blocks: dict[int, _Block] = {}
    for value, (home, _) in homes.items():
        first, last = lives[value]
        block = blocks.setdefault(home, _Block(sizes[home], first, last))
        block.first, block.last = min(block.first, first), max(block.last, last)
    scratch = [_Block(use.scratch, step, step) for step, use in enumerate(uses)]
    elements = _place([*blocks.values(), *scratch])
    offsets = {value: blocks[home].offset + within for value, (home, within) in homes.items()}
    return MemoryMap(offsets, [block.offset for block in scratch], elements)


def _share(
    sizes: dict[int, int], uses: Sequence[Use], given: Sequence[int], kept: Sequence[int]
) -> dict[int, tuple[int, int]]:
    """For each value, the value whose memory it uses (its own by default), and the offset there."""
    parent: dict[int, tuple[int, int]] = {}
    for use in uses:
        if use.view:
            parent[use.makes] = use.reads[0], use.offset
        elif use.joins and len(set(use.reads)) == len(use.reads):
            offset = 0
            for value in use.reads:
                parent.setdefault(value, (use.makes, offset))
                offset += sizes[value]

    def home(value: int) -> tuple[int, int]:
        within = 0
        while value in parent:
            value, offset = parent[value]
            within += offset
        return value, within

    last_read: dict[int, int] = {}
    for step, use in enumerate(uses):
        for value in (*use.reads, use.makes):
            root, _ = home(value)
            last_read[root] = step
    last_read |= {home(value)[0]: len(uses) for value in kept}
    for step, use in enumerate(uses):
        if use.makes in parent:
            continue
        for value in use.overwrites:
            root, within = home(value)
            alone = [home(read)[0] for read in use.reads].count(root) == 1
            whole = within == 0 and sizes[root] == sizes[use.makes]
            if whole and alone and last_read[root] == step:
                parent[use.makes] = root, 0
                last_read[root] = last_read[use.makes]
                break
    return {value: home(value) for value in {*given, *(use.makes for use in uses)}}


@dataclass(eq=False)
class _Block:
    elements: int
    first: int
    last: int
    offset: int = 0


def _place(blocks: Sequence[_Block]) -> int:
    """Best fit: place each block in the smallest gap between live blocks; return the total size."""
    total = 0
    living: list[_Block] = []
    for block in sorted(blocks, key=lambda b: (b.first, -b.elements)):
        living = [other for other in living if other.last >= block.first]
        room, end, best = None, 0, 0
        for other in living:
            gap = other.offset - end
            if gap >= block.elements and (room is None or gap < room):
                room, best = gap, end
            end = max(end, _align(other.offset + other.elements))
        block.offset = end if room is None else best
        total = max(total, _align(block.offset + block.elements))
        insort(living, block, key=lambda b: b.offset)
    return total


def _align(elements: int) -> int:
    return -(-elements // ALIGNMENT) * ALIGNMENT
