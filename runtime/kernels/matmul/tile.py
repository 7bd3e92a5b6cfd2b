"""Dense products of matrices by tiles of sums that stay in registers.

A product has two packed factors: the left one with its axes swapped, rows side by side, so that a tile's rows are
neighbours; the right one with its columns filled up to whole tiles.
"""

from __future__ import annotations

from typing import Any

from ... import simd
from ...jit import inlined
from ...simd import LANES
from ..contract import F32
from ..transpose import transpose_matrix

ROWS, COLUMNS = 8, 2 * LANES
"""Size of a tile: 16 vectors of sums."""
ROW_TAG, SUMS_TAG, ONE = (0,) * ROWS, (0,) * (ROWS * COLUMNS // LANES), (0,)


def filled(size: int, to: int) -> int:
    """A size filled up to a multiple."""
    return -(-size // to) * to


def left_elements(rows: int, inner: int) -> int:
    """Elements of a packed left factor."""
    return inner * filled(rows, LANES)


def right_elements(inner: int, columns: int) -> int:
    """Elements of a packed right factor."""
    return inner * filled(columns, COLUMNS)


@inlined
def pack_right(x: F32, start: int, rows: int, columns: int, out: F32, place: int) -> None:
    """Copy a matrix to ``out[place]``, each row filled with zeros to whole tiles."""
    pitch = (columns + COLUMNS - 1) // COLUMNS * COLUMNS
    for r in range(rows):
        for c in range(0, pitch, LANES):
            vector = simd.load_masked(x, start + r * columns + c, 0, columns - c)
            simd.store(out, place + r * pitch + c, vector)


@inlined
def pack_right_transposed(x: F32, start: int, rows: int, columns: int, out: F32, place: int) -> None:
    """As `pack_right`, of a matrix (columns, rows)."""
    pitch = (columns + COLUMNS - 1) // COLUMNS * COLUMNS
    zeros = simd.zeros(ONE)
    for r in range(rows):
        simd.store(out, place + (r + 1) * pitch - LANES, zeros)  # what no 16 x 16 elements reach
    transpose_matrix(x, start, columns, rows, rows, out, place, pitch)


@inlined
def multiply_tile(
    scratch: F32, left: int, left_pitch: int, right: int, right_pitch: int, inner: int
) -> Any:  # fmt: skip
    """Sums of a tile: ``sums[r, c]`` is the sum of ``left[k * left_pitch + r] * right[k * right_pitch + c]``.

    Both factors lie in `scratch`, from the element on that is given.
    """
    sums = simd.zeros(SUMS_TAG)
    for k in range(inner):
        sums = simd.fma_rows(sums, ROW_TAG, scratch, scratch, left + k * left_pitch, scratch, right + k * right_pitch)
    return sums


@inlined
def store_rows(sums: Any, scratch: F32, spare: int, out: F32, place: int, pitch: int, rows: int, columns: int) -> None:
    """Write the part of a tile that lies inside a matrix; `spare` is where scratch has room for a tile."""
    if rows >= ROWS and columns >= COLUMNS:
        simd.store_grid(ROW_TAG, out, place, pitch, sums)
    else:
        simd.store(scratch, spare, sums)
        for r in range(min(rows, ROWS)):
            for c in range(0, min(columns, COLUMNS), LANES):
                vector = simd.load(ONE, scratch, spare + r * COLUMNS + c)
                simd.store_masked(out, place + r * pitch + c, 0, columns - c, vector)
