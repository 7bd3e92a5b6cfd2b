"""Cases of `simd/test_operations.py`: products of bytes, and what becomes of their sums."""

from __future__ import annotations

import numpy as np

from dcz.runtime import simd
from dcz.runtime.kernels.contract import tag

NONE, ONE, TWO, THREE, FOUR, SEVEN = (tag(n) for n in (0, 1, 2, 3, 4, 7))


def start_sums(out, i):
    simd.store_sums(i.sums, 3, simd.start_sums(TWO, THREE, i.biases, 5))
    out[0] = i.biases[5]


def load_sums(out, i):
    simd.store_sums(i.sums, 0, simd.load_sums(TWO, THREE, i.biases, 9))
    out[0] = i.biases[9]


def store_sums(out, i):
    sums = simd.dot_quad(simd.start_sums(ONE, THREE, i.biases, 2), i.bytes, 100, i.offsets, i.weights, 6)
    simd.store_sums(i.sums, 0, sums)
    simd.store_sums(i.sums, 100, simd.load_sums(ONE, THREE, i.sums, 0))
    out[0] = i.bytes[0]


def dot_quad(out, i):
    sums = simd.start_sums(ONE, SEVEN, i.biases, 2)
    for quad in range(5):
        sums = simd.dot_quad(sums, i.bytes, 9, i.offsets, i.weights, quad)
    simd.store_outputs(out, 0, 0, sums, NONE, i.bytes, i.wide, 3, i.bytes, 0, 99, 7, 240)


def interleave(out, i):
    simd.interleave(THREE, i.bytes, 9, i.places_of_bytes, 3, i.packed, 64)
    out[0] = i.bytes[0]


def dot_rows(out, i):
    simd.interleave(TWO, i.bytes, 9, i.places_of_bytes, 3, i.packed, 0)
    sums = simd.dot_rows(simd.start_sums(FOUR, TWO, i.biases, 7), i.packed, 0, i.weights, 3)
    sums = simd.dot_rows(sums, i.packed, 0, i.weights, 20)
    simd.store_outputs(out, 0, 100, sums, NONE, i.bytes, i.wide, 0, i.bytes, 0, 99, 7, 240)


def store_outputs(out, i):
    sums = simd.start_sums(TWO, THREE, i.biases, 2)
    simd.store_outputs(i.packed, 0, 100, sums, NONE, i.bytes, i.narrow, 3, i.mask, 4, 99, 7, 240)
    one = simd.dot_quad(simd.start_sums(ONE, THREE, i.biases, 2), i.bytes, 9, i.offsets, i.weights, 2)
    simd.store_outputs(i.packed, 300, 0, one, ONE, i.bytes, i.narrow, 3, i.mask, 9, 99, 7, 240)
    simd.store_outputs(out, 300, 0, one, ONE, i.bytes, i.wide, 3, i.mask, 9, 99, 7, 240)


def fill_bytes(out, i):
    simd.fill_bytes(i.packed, 3, 100, 7)
    simd.fill_bytes(i.packed, 200, 5, 9)
    simd.fill_bytes(i.packed, 300, 21, 11)
    out[0] = i.bytes[0]


def copy_bytes(out, i):
    simd.copy_bytes(i.bytes, 5, i.packed, 9, 200)
    simd.copy_bytes(i.bytes, 40, i.packed, 300, 32)
    out[0] = i.bytes[0]


def copy_every(out, i):
    simd.copy_every(ONE, i.bytes, 955, i.packed, 9, 69)
    simd.copy_every(TWO, i.bytes, 1023 - 2 * 69, i.packed, 200, 70)
    simd.copy_every(FOUR, i.bytes, 3, i.packed, 300, 17)
    out[0] = i.bytes[0]


def copy_inside(out, i):
    simd.copy_inside(i.bytes, 5, i.packed, 9, i.mask, 3, 96, 77)
    out[0] = i.bytes[0]


def max_windows(out, i):
    simd.max_windows(ONE, TWO, THREE, i.bytes, 3, i.sizes, 2, 2, i.packed, 9, 69)
    simd.max_windows(TWO, THREE, THREE, i.bytes, 5, i.sizes, 0, 1, i.packed, 200, 7)
    simd.max_windows(FOUR, ONE, ONE, i.bytes, 900, i.sizes, 5, 1, i.packed, 300, 3)
    out[0] = i.bytes[0]


def store_bytes(out, i):
    simd.store_bytes(i.packed, 3, i.x, 5, np.float32(70), 100, 131)
    simd.store_bytes(i.packed, 200, i.special, 0, np.float32(70), 100, 40)
    out[0] = i.bytes[0]
