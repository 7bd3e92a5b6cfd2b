"""Products of matrices, of which there are many pairs."""

from __future__ import annotations

from ...jit import kernel
from ...simd import LANES
from ..contract import F32, I64
from ..transpose import transpose_matrix
from .tile import COLUMNS, ROWS, left_elements, multiply_tile, pack_right, right_elements, store_rows


def scratch_elements(rows: int, inner: int, columns: int) -> int:
    """Elements of scratch that `matmul` needs."""
    return left_elements(rows, inner) + right_elements(inner, columns) + ROWS * COLUMNS


@kernel
def matmul(
    a: F32, b: F32, out: F32, scratch: F32, pairs: I64, rows: int, inner: int, columns: int, first: int, last: int
) -> None:
    """Multiply some of the pairs of matrices.

    Parameters
    ----------
    a, b, out : ndarray of float32, flat
        Matrices (rows, inner), (inner, columns) and (rows, columns).
    scratch : ndarray of float32, shape (`scratch_elements`,)
    pairs : ndarray of int64, shape (products, 2)
        Which matrix of `a` and which of `b` each product is of.
    rows, inner, columns : int
    first, last : int
        The first product, and the one behind the last.
    """
    left_pitch, right_pitch = (rows + LANES - 1) // LANES * LANES, (columns + COLUMNS - 1) // COLUMNS * COLUMNS
    right = inner * left_pitch
    spare = right + inner * right_pitch
    for product in range(first, last):
        fresh = product == first
        if fresh or pairs[product, 0] != pairs[product - 1, 0]:
            transpose_matrix(a, pairs[product, 0] * rows * inner, rows, inner, inner, scratch, 0, left_pitch)
        if fresh or pairs[product, 1] != pairs[product - 1, 1]:
            pack_right(b, pairs[product, 1] * inner * columns, inner, columns, scratch, right)
        for row in range(0, rows, ROWS):
            for column in range(0, columns, COLUMNS):
                sums = multiply_tile(scratch, row, left_pitch, right + column, right_pitch, inner)
                place = (product * rows + row) * columns + column
                store_rows(sums, scratch, spare, out, place, columns, rows - row, columns - column)
