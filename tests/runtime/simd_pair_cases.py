"""Cases of `simd/test_operations.py`: products of words of 16 bits, by weights and by rows; the grid of activations."""

from __future__ import annotations

import numpy as np

from dcz.runtime import simd
from dcz.runtime.kernels.contract import tag

ONE, TWO, THREE, SIX = tag(1), tag(2), tag(3), tag(6)


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


def store_word_pairs(out, i):
    low, high = simd.load(TWO, i.x, 3), simd.load(TWO, i.x, 40)
    simd.store_word_pairs(i.pixels, 5, low, high, np.float32(4321))
    out[0] = i.x[0]


def no_sums(out, i):
    simd.store(out, 0, simd.float_sums(simd.no_sums(THREE)))


def dot_run(out, i):
    few, many = simd.no_sums(SIX), simd.no_sums(SIX)
    for step in range(3):
        few = simd.dot_run(few, TWO, i.pixels, 96 * step, i.pixels, 4 * step + 9)  # two channels, three vectors each
        many = simd.dot_run(many, THREE, i.pixels, 64 * step, i.pixels, 6 * step + 9)  # and the other way round
    simd.store(out, 0, simd.float_sums(few))
    simd.store(out, 100, simd.float_sums(many))


def dot_points(out, i):
    sums = simd.no_sums(SIX)
    for step in range(3):
        sums = simd.dot_points(sums, THREE, i.pixels, 32 * step, 96, i.pixels, 12 * step + 9)
    simd.store(out, 0, simd.float_sums(sums))


def float_sums(out, i):
    simd.store(out, 7, simd.float_sums(simd.dot_run(simd.no_sums(ONE), ONE, i.pixels, 0, i.pixels, 9)))


def scaled_sums(out, i):
    sums = simd.dot_run(simd.no_sums(SIX), TWO, i.pixels, 0, i.pixels, 9)
    simd.store(out, 7, simd.scaled_sums(sums, TWO, i.x, 5, i.x[3]))
