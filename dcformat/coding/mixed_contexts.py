"""The contexts of a weight's decisions: where it stands, and the weights around it that are known.

A weight is its *rank*: 0 if it is not stored, else the number of its centroid, from 1 on, among those of its sign, and
negative if its sign bit is 1. Centroids of one sign stand in the order of their sizes, so that ranks are sizes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..jit import called
from .mixing import begun, logit_of

Ints = NDArray[np.int64]
Ranks = NDArray[np.int16]
Counters = NDArray[np.uint32]

FLAGS, SIGNS, DIGITS, LISTS = 0, 10, 18, 25
"""The first list of contexts of each kind of decision, and their number."""

# A place in the tensor.
ROW, CHANNEL, COLUMN, K, KERNEL_SIZE, LINE = range(6)
PLACE = 6
# Ranks around it, in the kernel; signs of the two before it at the same place of other kernels.
LEFT, UP, UP_LEFT, UP_RIGHT, ROW_BEFORE, ROW_SECOND, BEFORE, SECOND = range(8)
NEAR = 8
# What is known of the kernel, and the levels of density of row and column.
COUNT, SIZE_SUM, SIGN_SUM, ROW_LEVEL, COLUMN_LEVEL = range(5)
KNOWN = 5

MIDDLE = 10
"""Level of a row or column that is as dense as the tensor."""
_LEVELS, _LEVEL_BITS = 2 * MIDDLE + 1, 6
_U64 = np.uint64
_DEEP = 8
"""Digits from this node on have one context in a row and in a channel."""


def counter_starts(rows: int, channels: int, kernel_size: int, digits: int) -> Ints:
    """Where the counters of each list of contexts begin, and their number: ndarray of int64, shape (LISTS + 1,)."""
    columns, nodes = channels * kernel_size, 1 << digits
    flags = [1, rows, rows * kernel_size, channels, columns]
    flags += [16 * kernel_size, 16 * kernel_size, 8 * kernel_size, _LEVELS * _LEVELS, 32 * 16]
    signs = [1, rows * kernel_size, channels, columns, 13, 19, 81, 13 * 13]
    sizes = [nodes, 2 * nodes, kernel_size * nodes, 16 * nodes, _LEVELS * nodes]
    return np.cumsum([0, *flags, *signs, *sizes, (_DEEP + 1) * rows, (_DEEP + 1) * channels])


@called
def next_place(place: Ints, columns: int) -> None:
    """Go on to the next weight."""
    place[COLUMN] += 1
    place[K] += 1
    if place[K] == place[KERNEL_SIZE]:
        place[K] = 0
        place[CHANNEL] += 1
        if place[COLUMN] == columns:
            place[COLUMN] = place[CHANNEL] = 0
            place[ROW] += 1


@called
def look_around(ranks: Ranks, at: int, columns: int, place: Ints, near: Ints) -> None:
    """Find the ranks and signs around a place; those outside count as not stored."""
    size, line, k = place[KERNEL_SIZE], place[LINE], place[K]
    x, row, channel = k % line if line > 1 else 0, place[ROW], place[CHANNEL]
    near[LEFT] = ranks[at - 1] if x else 0
    near[UP] = ranks[at - line] if k >= line else 0
    near[UP_LEFT] = ranks[at - line - 1] if k >= line and x else 0
    near[UP_RIGHT] = ranks[at - line + 1] if k >= line and x + 1 < line else 0
    near[ROW_BEFORE] = sign(ranks[at - columns]) if row else 0
    near[ROW_SECOND] = sign(ranks[at - 2 * columns]) if row > 1 else 0
    near[BEFORE] = sign(ranks[at - size]) if channel else 0
    near[SECOND] = sign(ranks[at - 2 * size]) if channel > 1 else 0


@called
def sign(rank: int) -> int:
    """-1, 0 or 1."""
    return 1 if rank > 0 else -1 if rank < 0 else 0


@called
def _sizes(near: Ints) -> int:
    return 2 * (abs(near[LEFT]) + abs(near[UP])) + abs(near[UP_LEFT]) + abs(near[UP_RIGHT])  # type: ignore[no-any-return]


@called
def _level(counter: np.uint32, first: np.uint32) -> int:
    above = logit_of(begun(counter, first)) - logit_of(first)
    return min(max((above >> _LEVEL_BITS) + MIDDLE, 0), 2 * MIDDLE)  # type: ignore[no-any-return]


@called
def find_levels(counters: Counters, start: Ints, place: Ints, known: Ints) -> None:
    """Levels of the densities of a kernel position in the row, and of the column, against the tensor's."""
    of_row, of_column = start[2] + place[ROW] * place[KERNEL_SIZE] + place[K], start[4] + place[COLUMN]
    known[ROW_LEVEL] = _level(counters[_U64(of_row)], counters[0])
    known[COLUMN_LEVEL] = _level(counters[_U64(of_column)], counters[0])


@called
def flag_contexts(start: Ints, digits: int, place: Ints, near: Ints, known: Ints, contexts: Ints) -> None:
    """Contexts of whether a weight is stored."""
    size, k = place[KERNEL_SIZE], place[K]
    pattern = (near[LEFT] != 0) + 2 * (near[UP] != 0) + 4 * (near[UP_LEFT] != 0) + 8 * (near[UP_RIGHT] != 0)
    others = (near[ROW_BEFORE] != 0) + 2 * (near[BEFORE] != 0) + 4 * (near[SECOND] != 0)
    contexts[0] = start[0]
    contexts[1] = start[1] + place[ROW]
    contexts[2] = start[2] + place[ROW] * size + k
    contexts[3] = start[3] + place[CHANNEL]
    contexts[4] = start[4] + place[COLUMN]
    contexts[5] = start[5] + pattern * size + k
    contexts[6] = start[6] + min(known[COUNT], 15) * size + k
    contexts[7] = start[7] + others * size + k
    contexts[8] = start[8] + known[ROW_LEVEL] * _LEVELS + known[COLUMN_LEVEL]
    contexts[9] = start[9] + min(_sizes(near) << 3 >> digits, 31) * 16 + min(known[SIZE_SUM] << 2 >> digits, 15)


@called
def sign_contexts(start: Ints, place: Ints, near: Ints, known: Ints, contexts: Ints) -> None:
    """Contexts of a weight's sign."""
    left, up, up_left, up_right = sign(near[LEFT]), sign(near[UP]), sign(near[UP_LEFT]), sign(near[UP_RIGHT])
    total = 2 * (left + up) + up_left + up_right + 6
    others = 2 * (near[ROW_BEFORE] + near[BEFORE]) + near[ROW_SECOND] + near[SECOND]
    contexts[0] = start[SIGNS]
    contexts[1] = start[SIGNS + 1] + place[ROW] * place[KERNEL_SIZE] + place[K]
    contexts[2] = start[SIGNS + 2] + place[CHANNEL]
    contexts[3] = start[SIGNS + 3] + place[COLUMN]
    contexts[4] = start[SIGNS + 4] + total
    contexts[5] = start[SIGNS + 5] + min(max(known[SIGN_SUM], -9), 9) + 9
    contexts[6] = start[SIGNS + 6] + left + 3 * up + 9 * up_left + 27 * up_right + 40
    contexts[7] = start[SIGNS + 7] + total * 13 + min(max(others, -6), 6) + 6


@called
def mean_size(nodes: int, near: Ints) -> int:
    """The mean size of the stored weights around, 1 to 15; 0 if there are none."""
    count = 2 * (near[LEFT] != 0) + 2 * (near[UP] != 0) + (near[UP_LEFT] != 0) + (near[UP_RIGHT] != 0)
    return 1 + _sizes(near) * 14 // (count * nodes) if count else 0


@called
def digit_contexts(
    start: Ints, nodes: int, node: int, minus: int, mean: int, place: Ints, known: Ints, contexts: Ints
) -> None:
    """Contexts of a digit of a weight's size; the node is a one and the digits before it."""
    shallow = min(node, _DEEP)
    contexts[0] = start[DIGITS] + node
    contexts[1] = start[DIGITS + 1] + minus * nodes + node
    contexts[2] = start[DIGITS + 2] + place[K] * nodes + node
    contexts[3] = start[DIGITS + 3] + mean * nodes + node
    contexts[4] = start[DIGITS + 4] + (known[ROW_LEVEL] + known[COLUMN_LEVEL]) // 2 * nodes + node
    contexts[5] = start[DIGITS + 5] + place[ROW] * (_DEEP + 1) + shallow
    contexts[6] = start[DIGITS + 6] + place[CHANNEL] * (_DEEP + 1) + shallow
