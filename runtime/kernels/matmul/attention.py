"""Scaled dot-product attention (Vaswani et al. 2017), 16 rows of a head at a time: their scores stay in the cache."""

from __future__ import annotations

import numpy as np

from ... import simd
from ...jit import inlined, kernel
from ...simd import LANES
from .. import functions
from ..contract import F32, I64
from ..transpose import transpose_matrix
from .tile import (
    COLUMNS,
    ONE,
    ROW_TAG,
    ROWS,
    filled,
    multiply_tile,
    pack_right,
    pack_right_transposed,
    right_elements,
    store_rows,
)

_0, _1, _INFINITY = np.float32(0), np.float32(1), np.float32(np.inf)


def scratch_elements(keys: int, width: int, value_width: int) -> int:
    """Elements of scratch that `attention` needs."""
    scores = LANES * filled(keys, COLUMNS)
    packed = right_elements(width, keys) + right_elements(keys, value_width) + width * LANES
    return packed + 2 * scores + ROWS * COLUMNS


@kernel
def attention(
    q: F32, k: F32, v: F32, mask: F32, out: F32, scratch: F32, heads: I64, queries: int, keys: int, width: int,
    value_width: int, scale: float, causal: bool, first: int, last: int,
) -> None:  # fmt: skip
    """``softmax(scale * q k^T + mask) v`` of some of the blocks of 16 rows of all heads.

    Parameters
    ----------
    q, k, v, out : ndarray of float32, flat
        Heads of shapes (queries, width), (keys, width), (keys, value_width) and (queries, value_width).
    mask : ndarray of float32, flat
        Matrices (queries, keys); empty where there is none.
    scratch : ndarray of float32, shape (`scratch_elements`,)
    heads : ndarray of int64, shape (heads, 4)
        Which matrix of `q`, `k`, `v` and `mask` each head has.
    queries, keys, width, value_width : int
    scale : float
    causal : bool
        Whether row i of the queries takes the keys up to i alone.
    first, last : int
        The first block, and the one behind the last.
    """
    blocks = (queries + LANES - 1) // LANES
    key_pitch = (keys + COLUMNS - 1) // COLUMNS * COLUMNS
    value_pitch = (value_width + COLUMNS - 1) // COLUMNS * COLUMNS
    values = width * key_pitch
    query = values + keys * value_pitch
    scores = query + width * LANES
    turned = scores + LANES * key_pitch
    spare = turned + LANES * key_pitch
    for block in range(first, last):
        head, row = block // blocks, block % blocks * LANES
        if block == first or row == 0:
            pack_right_transposed(k, heads[head, 1] * keys * width, width, keys, scratch, 0)
            pack_right(v, heads[head, 2] * keys * value_width, keys, value_width, scratch, values)
        rows = min(LANES, queries - row)
        transpose_matrix(q, (heads[head, 0] * queries + row) * width, rows, width, width, scratch, query, LANES)
        for half in range(0, rows, ROWS):
            for column in range(0, keys, COLUMNS):
                sums = multiply_tile(scratch, query + half, LANES, column, key_pitch, width)
                simd.store_grid(ROW_TAG, scratch, scores + half * key_pitch + column, key_pitch, sums)
        for r in range(rows):
            seen = min(keys, row + r + 1) if causal else keys
            bias = (heads[head, 3] * queries + row + r) * keys
            _softmax(scratch, scores + r * key_pitch, seen, keys, np.float32(scale), mask, bias)
        transpose_matrix(scratch, scores, rows, keys, key_pitch, scratch, turned, LANES)
        for half in range(0, rows, ROWS):
            for column in range(0, value_width, COLUMNS):
                sums = multiply_tile(scratch, turned + half, LANES, values + column, value_pitch, keys)
                place = ((head * queries) + row + half) * value_width + column
                store_rows(sums, scratch, spare, out, place, value_width, rows - half, value_width - column)


@inlined
def _softmax(scores: F32, start: int, seen: int, size: int, scale: float, mask: F32, bias: int) -> None:
    """Softmax of ``scale * scores + mask`` over the first elements, in place; the others of `size` become zero."""
    top = simd.splat(ONE, -_INFINITY)
    low = simd.splat(ONE, -_INFINITY)
    for i in range(0, seen, LANES):
        value = simd.scale_shift(simd.load(ONE, scores, start + i), scale, _0)
        if len(mask) > 0:
            value = simd.add(value, simd.load_masked(mask, bias + i, 0, seen - i))
        simd.store(scores, start + i, value)
        bits = (1 << min(LANES, seen - i)) - 1
        top = simd.maximum(simd.load_masked_or(scores, start + i, bits, low), top)
    for _ in range(4):
        top = simd.maximum_pairs(ONE, top, top)
    total = simd.zeros(ONE)
    for i in range(0, size, LANES):
        bits = (1 << max(0, min(LANES, seen - i))) - 1
        value = functions.exp(simd.subtract(simd.load_masked_or(scores, start + i, bits, low), top))
        simd.store(scores, start + i, value)
        total = simd.add(total, value)
    share = simd.divide(simd.splat(ONE, _1), simd.splat(ONE, simd.reduce_sum(total)))
    for i in range(0, seen, LANES):
        simd.store(scores, start + i, simd.multiply(simd.load(ONE, scores, start + i), share))
