"""Cases of `simd/test_operations.py`: products of words of 16 bits, summed in pairs, and the grid of activations."""

from __future__ import annotations

import numpy as np

from dcz.runtime import simd
from dcz.runtime.kernels.contract import tag

ONE, THREE = tag(1), tag(3)


def store_words(out, i):
    low, high = simd.load(ONE, i.x, 3), simd.load(ONE, i.x, 40)
    simd.store_words(i.pixels, 5, low, high, np.float32(4321))
    out[0] = i.x[0]


def no_pairs(out, i):
    simd.store(out, 0, simd.first_sums(simd.no_pairs(THREE)))


def dot_pair(out, i):
    sums = simd.no_pairs(THREE)
    for pair in range(3):
        sums = simd.dot_pair(sums, i.pixels, i.vectors, i.pixels, pair)
    simd.store(out, 0, simd.first_sums(sums))
    simd.store(out, 100, simd.second_sums(sums))


def first_sums(out, i):
    simd.store(out, 7, simd.first_sums(simd.dot_pair(simd.no_pairs(ONE), i.pixels, i.vectors, i.pixels, 9)))


def second_sums(out, i):
    simd.store(out, 7, simd.second_sums(simd.dot_pair(simd.no_pairs(ONE), i.pixels, i.vectors, i.pixels, 9)))


def magnitude(out, i):
    most = simd.magnitude(simd.magnitude(simd.zeros(THREE), simd.load(THREE, i.x, 9)), simd.load(THREE, i.x, 70))
    simd.store(out, 0, most)
    simd.store(out, 100, simd.magnitude(most, simd.load(THREE, i.special, 0)))


def greatest_magnitude(out, i):
    out[0] = simd.greatest_magnitude(simd.magnitude(simd.zeros(THREE), simd.load(THREE, i.x, 9)))
    out[1] = simd.greatest_magnitude(simd.magnitude(simd.zeros(THREE), simd.load(THREE, i.special, 9)))
