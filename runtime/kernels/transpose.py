"""Matrices with their two axes swapped, 16 x 16 elements at a time."""

from __future__ import annotations

from .. import simd
from ..jit import inlined, kernel
from ..simd import LANES
from .contract import F32

SQUARE = (0,) * LANES


@inlined
def transpose_matrix(
    x: F32, start: int, rows: int, columns: int, pitch: int, out: F32, place: int, out_pitch: int
) -> None:  # fmt: skip
    """``out[place + c * out_pitch + r] = x[start + r * pitch + c]``.

    Where a row of `out` is longer than `rows`, zeros follow, up to a multiple of 16 at most.
    """
    for r in range(0, rows, LANES):
        for c in range(0, columns, LANES):
            source, target = start + r * pitch + c, place + c * out_pitch + r
            if rows - r >= LANES and columns - c >= LANES:
                tile = simd.load_grid(SQUARE, SQUARE, x, source, pitch)
                simd.store_grid(SQUARE, out, target, out_pitch, simd.transpose(tile))
            else:
                wide, end = columns - c, (rows - r - 1) * pitch + columns - c
                tile = simd.load_rows(SQUARE, x, source, pitch, 0, wide, end)
                wide, end = out_pitch - r, (columns - c - 1) * out_pitch + out_pitch - r
                simd.store_rows(out, target, out_pitch, 0, wide, end, simd.transpose(tile))


@kernel
def transpose(
    x: F32, out: F32, rows: int, columns: int, pitch: int, out_pitch: int, first: int, last: int
) -> None:  # fmt: skip
    """Transpose some of several matrices.

    Parameters
    ----------
    x, out : ndarray of float32, flat
        Matrices of `rows` rows of `columns` elements, `pitch` elements apart; and of `columns` rows, `out_pitch`
        elements apart, whose ends become zeros, up to a multiple of 16.
    rows, columns, pitch, out_pitch : int
    first, last : int
        The first matrix, and the one behind the last.
    """
    for i in range(first, last):
        transpose_matrix(x, i * rows * pitch, rows, columns, pitch, out, i * columns * out_pitch, out_pitch)
