"""Cases of `simd/test_operations.py`: steps of elementary functions, and windows."""

from __future__ import annotations

import numpy as np

from dcz.runtime import simd
from dcz.runtime.kernels.contract import tag

ONE, TWO, THREE, FOUR, FIVE, SIX, SEVEN, TEN = (tag(n) for n in (1, 2, 3, 4, 5, 6, 7, 10))


def splat(out, i):
    simd.store(out, 0, simd.splat(TWO, i.x[3]))


def subtract(out, i):
    simd.store(out, 0, simd.subtract(simd.load(TWO, i.x, 0), simd.load(TWO, i.special, 3)))


def multiply(out, i):
    simd.store(out, 0, simd.multiply(simd.load(TWO, i.x, 0), simd.load(TWO, i.x, 50)))


def divide(out, i):
    simd.store(out, 0, simd.divide(simd.load(TWO, i.x, 0), simd.load(TWO, i.x, 50)))


def minimum(out, i):
    simd.store(out, 0, simd.minimum(simd.load(FOUR, i.special, 0), simd.load(FOUR, i.special, 64)))


def square_root(out, i):
    simd.store(out, 0, simd.square_root(simd.absolute(simd.load(TWO, i.x, 0))))


def absolute(out, i):
    simd.store(out, 0, simd.absolute(simd.load(FOUR, i.special, 0)))


def copy_sign(out, i):
    simd.store(out, 0, simd.copy_sign(simd.load(TWO, i.x, 0), simd.load(TWO, i.special, 0)))


def round_even(out, i):
    eighths = simd.scale_shift(simd.load(FOUR, i.x, 0), np.float32(8), np.float32(0.5))
    simd.store(out, 0, simd.round_even(eighths))
    simd.store(out, 64, simd.round_even(simd.multiply(simd.round_even(eighths), simd.splat(FOUR, np.float32(0.5)))))


def floor(out, i):
    simd.store(out, 0, simd.floor(simd.scale_shift(simd.load(FOUR, i.x, 0), np.float32(8), np.float32(0.5))))
    simd.store(out, 64, simd.floor(simd.load(FOUR, i.special, 0)))


def sine(out, i):
    simd.store(out, 0, simd.sine(simd.scale_shift(simd.load(TWO, i.x, 0), np.float32(3e7), np.float32(0))))


def cosine(out, i):
    simd.store(out, 0, simd.cosine(simd.scale_shift(simd.load(TWO, i.x, 0), np.float32(3e7), np.float32(0))))


def select_equal(out, i):
    a, b = simd.load(FOUR, i.special, 0), simd.load(FOUR, i.special, 64)
    simd.store(out, 0, simd.select_equal(a, b, simd.load(FOUR, i.x, 0), simd.load(FOUR, i.x, 64)))


def select_less(out, i):
    a, b = simd.load(FOUR, i.special, 0), simd.load(FOUR, i.special, 64)
    simd.store(out, 0, simd.select_less(a, b, simd.load(FOUR, i.x, 0), simd.load(FOUR, i.x, 64)))


def polynomial(out, i):
    coefficients = np.float32(0.25), np.float32(-1.5), np.float32(3.1)
    simd.store(out, 0, simd.polynomial(simd.load(TWO, i.x, 0), coefficients))


def power(out, i):
    magnitudes = simd.absolute(simd.load(TWO, i.x, 0))
    simd.store(out, 0, simd.power(magnitudes, simd.load(TWO, i.x, 64)))


def power_of_two(out, i):
    whole = simd.round_even(simd.scale_shift(simd.load(FOUR, i.x, 0), np.float32(30), np.float32(0)))
    simd.store(out, 0, simd.power_of_two(whole))


def scale_by_power(out, i):
    """Products beyond float32 at both ends, and some that are subnormal."""
    whole = simd.round_even(simd.scale_shift(simd.load(FOUR, i.x, 0), np.float32(60), np.float32(0)))
    near_one = simd.clamp(simd.absolute(simd.load(FOUR, i.x, 64)), np.float32(0.7), np.float32(1.42))
    simd.store(out, 0, simd.scale_by_power(near_one, whole))


def exponent(out, i):
    simd.store(out, 0, simd.exponent(simd.absolute(simd.load(FOUR, i.x, 0))))


def mantissa(out, i):
    simd.store(out, 0, simd.mantissa(simd.absolute(simd.load(FOUR, i.x, 0))))


def spread(out, i):
    simd.store(out, 0, simd.spread(SEVEN, i.x, 5))


def fma_window(out, i):
    sums, taps = simd.load(TWO, i.x, 0), simd.load(SIX, i.x, 100)
    simd.store(out, 0, simd.fma_window(sums, taps, THREE, ONE, i.x, 203, 40, i.sizes, 5, -1, 2, i.nothing))
    simd.store(out, 64, simd.fma_window(sums, taps, THREE, TWO, i.x, 203, 64, i.sizes, 9, 0, 3, i.nothing))
    long = simd.load(TEN, i.x, 100)
    simd.store(out, 128, simd.fma_window(sums, long, FIVE, ONE, i.x, 203, 40, i.sizes, 5, -1, 2, i.nothing))
    simd.store(out, 192, simd.fma_window(sums, long, FIVE, TWO, i.x, 203, 64, i.sizes, 9, 0, 3, i.nothing))


def splat_pair(out, i):
    simd.store(out, 0, simd.splat_pair(THREE, i.x, 7))


def fma_pairs(out, i):
    sums, bits = simd.load(TWO, i.x, 0), (1 << 14) - 1
    simd.store(out, 0, simd.fma_pairs(sums, SIX, THREE, ONE, ONE, i.x, 300, i.x, 100, 350, 14, bits, -1, 3, i.nothing))
    simd.store(out, 64, simd.fma_pairs(sums, SIX, THREE, TWO, TWO, i.x, 300, i.x, 100, 350, 14, bits, 0, 4, i.nothing))


def store_pairs(out, i):
    simd.store_pairs(out, 3, 100, 9, 7, 2, simd.load(THREE, i.x, 40))
    simd.store_pairs(out, 200, 240, 8, 8, 9, simd.load(TWO, i.x, 90))


def load_places(out, i):
    simd.store(out, 0, simd.load_places(THREE, ONE, i.x, 100, i.sizes, 5, i.words, 7))
    simd.store(out, 64, simd.load_places(TWO, TWO, i.x, 200, i.sizes, 9, i.words, 20))


def store_places(out, i):
    simd.store_places(out, 3, i.sizes, 5, i.words, 7, simd.load(THREE, i.x, 40))
