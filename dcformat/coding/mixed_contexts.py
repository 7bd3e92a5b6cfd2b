"""The contexts of a weight's decisions: where it stands, and the weights around it that are known.

A weight is its *rank*: 0 if it is not stored, else the number of its centroid, from 1 on, among those of its sign, and
negative if its sign bit is 1. Centroids of one sign stand in the order of their sizes, so that ranks are sizes.

A *mark* of a weight has a bit for each weight around it that is stored. It is set when that one becomes known, as most
are not stored.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..jit import called
from .lanes import Ints
from .mixing import Cells

Ranks = NDArray[np.int16]
Marks = NDArray[np.uint8]
Near = tuple[int, int, int, int]
"""Ranks of the weights to the left, above, above to the left and above to the right in the kernel."""

SIGNS, DIGITS, LISTS = 10, 18, 25
"""The first list of contexts of signs and of digits, behind those of flags, and the number of lists."""
ROW_POSITIONS, COLUMNS = 2, 4
"""Lists whose counters tell the density of a kernel position in the row, and of the column."""

MIDDLE = 10
"""Level of a row or column that is as dense as the tensor."""
_LEVELS, _LEVEL_BITS = 2 * MIDDLE + 1, 6
NOTHING_SEEN = 1 << 13
"""Logit of a counter in the lists that tell densities, as long as it has seen nothing: its level is `MIDDLE`."""
_LEAST_STEP = -64
"""Least difference of two logits in steps of levels."""
_STEPS = np.arange(_LEAST_STEP, 1 + (NOTHING_SEEN + 2048 >> _LEVEL_BITS))
_LEVEL_OF = np.where(_STEPS > -_LEAST_STEP, MIDDLE, np.clip(_STEPS + MIDDLE, 0, 2 * MIDDLE)).astype(np.uint8)
"""Level of each difference."""
_U64 = np.uint64
_DEEP = 8
"""Digits from this node on have one context in a row and in a channel."""
_BEFORE_BITS = 3
"""Bits of a mark for the same place of other kernels; those above are for weights in the kernel."""


def counter_starts(rows: int, channels: int, kernel_size: int, digits: int) -> Ints:
    """Where the counters of each list of contexts begin, and their number: ndarray of int64, shape (LISTS + 1,)."""
    columns, nodes = channels * kernel_size, 1 << digits
    flags = [1, rows, rows * kernel_size, channels, columns]
    flags += [16 * kernel_size, 16 * kernel_size, 8 * kernel_size, _LEVELS * _LEVELS, 32 * 16]
    signs = [1, rows * kernel_size, channels, columns, 13, 19, 81, 13 * 13]
    sizes = [nodes, 2 * nodes, kernel_size * nodes, 16 * nodes, _LEVELS * nodes]
    return np.cumsum([0, *flags, *signs, *sizes, (_DEEP + 1) * rows, (_DEEP + 1) * channels])


@called
def sign(rank: int) -> int:
    """-1, 0 or 1."""
    return np.int64(rank > 0) - np.int64(rank < 0)  # type: ignore[return-value]


@called
def look_around(ranks: Ranks, at: int, k: int, line: int) -> Near:
    """Find the ranks around a place. Its own is still 0, which those outside count as."""
    x, below = k % line, k >= line
    return (
        np.int64(ranks[_U64(at - (x > 0))]),
        np.int64(ranks[_U64(at - line * below)]),
        np.int64(ranks[_U64(at - (line + 1) * (below and x > 0))]),
        np.int64(ranks[_U64(at - (line - 1) * (below and x + 1 < line))]),
    )  # type: ignore[return-value]


@called
def sizes_of(near: Near) -> int:
    """Sizes of the ranks around, those next to the place twice."""
    left, up, up_left, up_right = near
    return 2 * (abs(left) + abs(up)) + abs(up_left) + abs(up_right)


@called
def set_marks(marks: Marks, at: int, steps: tuple[int, int, int], k: int, line: int, size: int) -> None:
    """Mark the weights that have this one around them; `steps` lead to the same place of other kernels, or are 0."""
    if steps[0]:
        marks[_U64(at + steps[0])] |= np.uint8(1)
    if steps[1]:
        marks[_U64(at + steps[1])] |= np.uint8(2)
    if steps[2]:
        marks[_U64(at + steps[2])] |= np.uint8(4)
    x = k % line
    if x + 1 < line:
        marks[_U64(at + 1)] |= np.uint8(8)
    if k + line < size:
        marks[_U64(at + line)] |= np.uint8(16)
        if x:
            marks[_U64(at + line - 1)] |= np.uint8(64)
        if x + 1 < line:
            marks[_U64(at + line + 1)] |= np.uint8(32)


@called
def level_of(logit: int, base: int) -> int:
    """Level of a density, against the tensor's."""
    return np.int64(_LEVEL_OF[_U64((logit - base >> _LEVEL_BITS) - _LEAST_STEP)])  # type: ignore[return-value]


@called
def alone_cells(start: Ints, column: int, mark: int, levels: tuple[int, int]) -> Cells:
    """Contexts of whether the only weight of a kernel is stored, of which the last five see nothing."""
    nothing = start[5]
    return (
        start[COLUMNS] + column,
        start[7] + mark,
        start[8] + levels[0] * _LEVELS + levels[1],
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
    )


@called
def flag_cells(
    start: Ints,
    size: int,
    row_position: int,
    channel: int,
    column: int,
    k: int,
    mark: int,
    first_count: int,
    sizes: int,
    levels: tuple[int, int],
) -> Cells:
    """Contexts of whether a weight is stored, without those of tensor and row."""
    return (
        start[COLUMNS] + column,
        start[7] + (mark & (1 << _BEFORE_BITS) - 1) * size + k,
        start[8] + levels[0] * _LEVELS + levels[1],
        start[ROW_POSITIONS] + row_position,
        start[3] + channel,
        start[5] + (mark >> _BEFORE_BITS) * size + k,
        first_count + k,
        sizes,
    )


@called
def known_cells(start: Ints, digits: int, size: int, count: int, size_sum: int) -> tuple[int, int]:
    """Where the contexts of a kernel begin that depend on the number of its known weights and on their sizes."""
    return start[6] + min(count, 15) * size, start[9] + min(size_sum << 2 >> digits, 15)


@called
def size_cell(first: int, digits: int, mark: int, ranks: Ranks, at: int, k: int, line: int) -> int:
    """The context of the sizes around a place, from the kernel's first one on."""
    if mark >> _BEFORE_BITS:
        first += min(sizes_of(look_around(ranks, at, k, line)) << 3 >> digits, 31) * 16
    return first


@called
def sign_cells(
    start: Ints, row_position: int, channel: int, column: int, near: Near, others: Near, sign_sum: int
) -> Cells:
    """Contexts of a weight's sign. `others` are the ranks before it in the row and in the channel, nearest first."""
    left, up, up_left, up_right = sign(near[0]), sign(near[1]), sign(near[2]), sign(near[3])
    total = 2 * (left + up) + up_left + up_right + 6
    of_others = 2 * (sign(others[0]) + sign(others[2])) + sign(others[1]) + sign(others[3])
    return (
        start[SIGNS],
        start[SIGNS + 1] + row_position,
        start[SIGNS + 2] + channel,
        start[SIGNS + 3] + column,
        start[SIGNS + 4] + total,
        start[SIGNS + 5] + min(max(sign_sum, -9), 9) + 9,
        start[SIGNS + 6] + left + 3 * up + 9 * up_left + 27 * up_right + 40,
        start[SIGNS + 7] + total * 13 + min(max(of_others, -6), 6) + 6,
    )


@called
def mean_size(nodes: int, near: Near) -> int:
    """The mean size of the stored weights around, 1 to 15; 0 if there are none."""
    left, up, up_left, up_right = near
    count = 2 * (left != 0) + 2 * (up != 0) + (up_left != 0) + (up_right != 0)
    return 1 + sizes_of(near) * 14 // (count * nodes) if count else 0


@called
def first_digit_cells(
    start: Ints, nodes: int, minus: int, k: int, mean: int, level: int, row: int, channel: int
) -> Cells:
    """Where the contexts of the digits of a weight's size begin; the first is there again, as a lane is free."""
    return (
        start[DIGITS],
        start[DIGITS + 1] + minus * nodes,
        start[DIGITS + 2] + k * nodes,
        start[DIGITS + 3] + mean * nodes,
        start[DIGITS + 4] + level * nodes,
        start[DIGITS + 5] + row * (_DEEP + 1),
        start[DIGITS + 6] + channel * (_DEEP + 1),
        start[DIGITS],
    )


@called
def digit_cells(first: Cells, node: int) -> Cells:
    """Contexts of a digit; the node is a one and the digits before it."""
    shallow = min(node, _DEEP)
    return (
        first[0] + node,
        first[1] + node,
        first[2] + node,
        first[3] + node,
        first[4] + node,
        first[5] + shallow,
        first[6] + shallow,
        first[7] + node,
    )
