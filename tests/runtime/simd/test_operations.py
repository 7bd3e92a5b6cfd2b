"""Each vector operation has two definitions, in NumPy and in LLVM, and they agree.

A case is a function of an output array and inputs. It is compiled as a kernel would be, with `simd`, and run as plain
Python on `reference`; both leave the same bits in the output.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib import import_module
from types import FunctionType, SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
import simd_byte_cases
import simd_function_cases
import simd_pair_cases
import simd_stream_cases
from numpy.typing import NDArray

from dcz.core.cpu import WIDE, WORDS
from dcz.runtime import simd
from dcz.runtime.jit import kernel
from dcz.runtime.kernels.contract import tag

pytestmark = pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="there is one side only")

REFERENCE = SimpleNamespace(
    **{
        name: getattr(module, name)
        for module in (import_module(f"dcz.runtime.simd.reference.{file}") for file in simd.FILES)
        for name in module.__all__
    }
)
LANES = simd.LANES
ONE, TWO, THREE, FOUR, SIX, SEVEN, SIXTEEN = (tag(n) for n in (1, 2, 3, 4, 6, 7, 16))
NONE = tag(0)


class Inputs(NamedTuple):
    """Arrays of each type that operations read or write."""

    x: NDArray[np.float32]
    special: NDArray[np.float32]
    book: NDArray[np.float32]
    bytes: NDArray[np.uint8]
    words: NDArray[np.uint16]
    halves: NDArray[np.uint16]
    longs: NDArray[np.uint32]
    bits: NDArray[np.uint32]
    places: NDArray[np.int32]
    sizes: NDArray[np.int64]
    target: NDArray[np.uint16]
    weights: NDArray[np.int8]
    biases: NDArray[np.int32]
    offsets: NDArray[np.uint16]
    places_of_bytes: NDArray[np.uint32]
    mask: NDArray[np.uint8]
    wide: NDArray[np.float32]
    narrow: NDArray[np.float32]
    sums: NDArray[np.int32]
    packed: NDArray[np.uint8]
    pixels: NDArray[np.int16]
    vectors: NDArray[np.uint16]
    nothing: NDArray[np.float32]

    @classmethod
    def random(cls, seed: int) -> Inputs:
        """Random numbers; in `special` those that floating point treats apart; in `halves` halves of finite ones."""
        rng = np.random.default_rng(seed)
        return cls(
            x=rng.standard_normal(1024).astype(np.float32),
            special=rng.choice(np.array([0, -0.0, 1, -1, np.nan, np.inf, -np.inf, 1e-40], np.float32), 1024),
            book=rng.standard_normal(256).astype(np.float32),
            bytes=rng.integers(0, 256, 1024).astype(np.uint8),
            words=rng.integers(0, 1 << 16, 1024).astype(np.uint16),
            halves=rng.integers(0x3000, 0x4000, 1024).astype(np.uint16),
            longs=rng.integers(0, 200, 1024).astype(np.uint32),
            bits=rng.integers(0, 1 << 30, 1024).astype(np.uint32),
            places=rng.integers(0, 500, LANES).astype(np.int32),
            sizes=rng.integers(0, 100, 64),
            target=rng.integers(0, 1 << 16, 256).astype(np.uint16),
            weights=rng.integers(-127, 128, 256).astype(np.int8),
            biases=rng.integers(-(1 << 17), 1 << 17, 1024).astype(np.int32),
            offsets=rng.integers(0, 700, 64).astype(np.uint16),
            places_of_bytes=rng.integers(0, 700, 64).astype(np.uint32),
            mask=rng.choice([np.uint8(0), np.uint8(255)], 256),
            wide=np.concatenate([rng.standard_normal(8), [-90000, 90000, 131, 0.3]]).astype(np.float32),
            narrow=np.concatenate([rng.standard_normal(8) / 400, [7, 240, 131, 0.3]]).astype(np.float32),
            sums=np.zeros(1024, np.int32),
            packed=np.zeros(1024, np.uint8),
            pixels=rng.integers(-(1 << 15) + 1, 1 << 15, 1024).astype(np.int16),
            vectors=rng.integers(0, 29, 64).astype(np.uint16),
            nothing=np.zeros(64, np.float32),
        )


# Memory


def zeros(out, i):
    simd.store(out, 0, simd.zeros(THREE))


def get(out, i):
    out[0], out[1], out[2] = simd.get(i.x, 7), simd.get(i.sizes, 5), simd.get(i.words, 9)


def put(out, i):
    simd.put(out, 5, i.x[3])


def load(out, i):
    simd.store(out, 3, simd.load(TWO, i.special, 5))


def store(out, i):
    simd.store(out, 1, simd.load(FOUR, i.x, 0))


def load_masked(out, i):
    simd.store(out, 0, simd.load_masked(i.x, 3, 2, 9))
    simd.store(out, 16, simd.load_masked(i.x, -20, 20, 40))
    simd.store(out, 32, simd.load_masked(i.x, 8, -5, 50))


def load_masked_or(out, i):
    simd.store(out, 0, simd.load_masked_or(i.x, 9, 0b1010_0000_1111_0001, simd.load(ONE, i.special, 0)))


def store_masked(out, i):
    simd.store_masked(out, 4, 3, 12, simd.load(ONE, i.x, 0))
    simd.store_masked(out, 40, 9, 4, simd.load(ONE, i.x, 0))


def load_rows(out, i):
    simd.store(out, 0, simd.load_rows(FOUR, i.x, 10, 7, 1, 12, None))
    simd.store(out, 64, simd.load_rows(FOUR, i.x, 10, 7, 1, 12, 19))


def store_rows(out, i):
    simd.store_rows(out, 2, 20, 1, 14, None, simd.load(THREE, i.x, 0))
    simd.store_rows(out, 100, 20, 1, 14, 33, simd.load(THREE, i.x, 0))
    for low, high in ((0, 16), (0, 8), (8, 16)):  # stored without a mask, unless a row ends before
        at = 200 + 200 * (low + high) // 8
        simd.store_rows(out, at, 20, low, high, None, simd.load(TWO, i.x, low))
        simd.store_rows(out, at + 50, 20, low, high, high + 20, simd.load(TWO, i.x, 32))
        simd.store_rows(out, at + 100, 20, low, high, high + 19, simd.load(TWO, i.x, 64))


def prefetch(out, i):
    simd.prefetch(TWO, i.x, 100_000)
    simd.put(out, 0, i.x[0])


def prefetch_rows(out, i):
    simd.prefetch_rows(TWO, i.x, -100_000, 50)
    simd.put(out, 0, i.x[0])


def prefetch_l2(out, i):
    simd.prefetch_l2(i.words, 100_000)
    simd.put(out, 0, i.x[0])


# Arithmetic


def add(out, i):
    simd.store(out, 0, simd.add(simd.load(TWO, i.x, 0), simd.load(TWO, i.special, 3)))


def fma(out, i):
    simd.store(out, 0, simd.fma(simd.load(THREE, i.x, 0), simd.load(ONE, i.x, 200), i.x, 300))


def fma_vectors(out, i):
    simd.store(out, 0, simd.fma_vectors(simd.load(TWO, i.x, 0), simd.load(TWO, i.x, 99), simd.load(TWO, i.special, 7)))


def fma_rows(out, i):
    simd.store(out, 0, simd.fma_rows(simd.load(SIX, i.x, 0), TWO, i.book, i.bytes, 5, i.x, 400))
    simd.store(out, 96, simd.fma_rows(simd.load(SIX, i.x, 0), SIX, i.book, i.x, 7, i.x, 400))


def fma_dots(out, i):
    simd.store(out, 0, simd.fma_dots(simd.load(SIX, i.x, 0), THREE, i.x, 100, 30, i.x, 300, 40))


def weight(out, i):
    out[0], out[1] = simd.weight(i.book, i.bytes, 11), simd.weight(i.book, i.x, 12)


def scale_shift_rows(out, i):
    simd.store(out, 0, simd.scale_shift_rows(simd.load(SIX, i.x, 0), TWO, i.book, 3, 50))


def scale_shift(out, i):
    simd.store(out, 0, simd.scale_shift(simd.load(TWO, i.special, 0), i.x[0], i.x[1]))


def clamp(out, i):
    simd.store(out, 0, simd.clamp(simd.load(FOUR, i.special, 0), np.float32(0), np.float32(0.5)))
    simd.store(out, 64, simd.clamp(simd.load(FOUR, i.special, 0), np.float32(-np.inf), np.float32(np.inf)))


def maximum(out, i):
    simd.store(out, 0, simd.maximum(simd.load(FOUR, i.special, 0), simd.load(FOUR, i.special, 64)))


def reduce_sum(out, i):
    out[0], out[1] = simd.reduce_sum(simd.load(SEVEN, i.x, 0)), simd.reduce_sum(simd.load(ONE, i.x, 1))


# Lanes that change places


def concat_even(out, i):
    simd.store(out, 0, simd.concat_even(simd.load(TWO, i.x, 0), simd.load(TWO, i.x, 32)))


def concat_odd(out, i):
    simd.store(out, 0, simd.concat_odd(simd.load(TWO, i.x, 0), simd.load(TWO, i.x, 32)))


def transpose(out, i):
    simd.store(out, 0, simd.transpose(simd.load(SIXTEEN, i.x, 0)))


def concat_halves(out, i):
    simd.store(out, 0, simd.concat_halves(simd.load(FOUR, i.x, 0)))
    simd.store(out, 64, simd.concat_halves(simd.load(THREE, i.x, 0)))


def slide_up(out, i):
    simd.store(out, 0, simd.slide_up(simd.load(FOUR, i.x, 0), TWO, 0b1111_0111_1111_1110))


def slide_down(out, i):
    simd.store(out, 0, simd.slide_down(simd.load(FOUR, i.x, 0), TWO, 0b0111_1111_0111_1111))


def every(out, i):
    simd.store(out, 0, simd.every(THREE, ONE, simd.load(SIX, i.x, 0)))
    simd.store(out, 50, simd.every(TWO, FOUR, simd.load(SIX, i.x, 0)))


def slide_1_down(out, i):
    simd.store(out, 0, simd.slide_1_down(TWO, simd.load(THREE, i.x, 0)))


def load_interleaved(out, i):
    simd.store(out, 0, simd.load_interleaved(THREE, FOUR, i.x, 5, 3, 50))
    simd.store(out, 48, simd.load_interleaved(THREE, THREE, i.x, 5, -9, 99))


def store_interleaved(out, i):
    simd.store_interleaved(out, 1, 40, simd.load(THREE, i.x, 0))
    simd.store_interleaved(out, 100, 64, simd.load(FOUR, i.x, 0))


def maximum_pairs(out, i):
    a, b = simd.load(ONE, i.special, 0), simd.load(ONE, i.special, 16)
    simd.store(out, 0, simd.maximum_pairs(ONE, a, b))
    simd.store(out, 16, simd.maximum_pairs(FOUR, a, b))


def maximum_triples(out, i):
    simd.store(out, 0, simd.maximum_triples(simd.load(THREE, i.special, 0)))
    simd.store(out, 100, simd.maximum_triples(simd.load(FOUR, i.special, 0)))


# Grids


def load_grid(out, i):
    simd.store(out, 0, simd.load_grid(SIX, TWO, i.x, 3, 100))


def store_grid(out, i):
    simd.store_grid(TWO, out, 3, 100, simd.load(SIX, i.x, 0))


def fma_grid(out, i):
    simd.store(out, 0, simd.fma_grid(simd.load(SIX, i.x, 0), THREE, simd.load(ONE, i.x, 900), i.x, 200, 90))


def fma_shifted(out, i):
    factor = simd.load(ONE, i.x, 900)
    simd.store(out, 0, simd.fma_shifted(simd.load(SIX, i.x, 0), TWO, ONE, NONE, NONE, TWO, factor, i.x, 200))


def max_pool_grid(out, i):
    simd.store(out, 0, simd.max_pool_grid(THREE, simd.load(SIX, i.special, 0)))
    simd.store(out, 64, simd.max_pool_grid(TWO, simd.load(SIX, i.special, 0)))


# Words that permutes look up


def load_words(out, i):
    words = simd.load_words(TWO, i.halves, 6)
    simd.store(out, 0, simd.table_lookup(words, words, simd.load_words(ONE, i.words, 100), 3))


def table_lookup(out, i):
    low, high = simd.load_words(FOUR, i.halves, 0), simd.load_words(FOUR, i.halves, 128)
    simd.store(out, 0, simd.table_lookup(low, high, simd.load_words(ONE, i.words, 300), 5))
    one = simd.load_words(ONE, i.halves, 64)
    simd.store(out, 32, simd.table_lookup(one, one, simd.load_words(ONE, i.words, 300), 0))


def fma_table_lookup(out, i):
    indices = simd.load_words(ONE, i.words, 300)
    simd.store(
        out,
        0,
        simd.fma_table_lookup(simd.load(FOUR, i.x, 0), simd.load(TWO, i.x, 80), indices, 4, TWO, i.halves, 0, 64),
    )


def fma_triples(out, i):
    simd.store(out, 0, simd.fma_triples(simd.load(SIX, i.x, 0), simd.load(TWO, i.book, 0), i.bits, 4, i.x, 100, 50))


def store_split_words(out, i):
    simd.store_split_words(i.target, 3, 40, simd.load(ONE, i.x, 0))
    simd.store(out, 0, simd.zeros(ONE))


def gather(out, i):
    simd.store(out, 0, simd.gather(THREE, i.longs, i.places))


def reduce_min(out, i):
    out[0] = simd.reduce_min(simd.gather(TWO, i.bits, i.places))


def pack_slots(out, i):
    simd.pack_slots(i.target, 2, i.places, simd.gather(TWO, i.longs, i.places), 0, 90, 127, 16)
    simd.pack_slots(i.target, 50, i.places, simd.gather(THREE, i.longs, i.places), 0, 90, 127, 10)
    simd.store(out, 0, simd.zeros(ONE))


def four_weight_in_registers(out, i):
    book = simd.load(TWO, i.book, 0)
    simd.store(out, 0, simd.four_weight(i.words, i.x, book, simd.four_words(i.words, 5), 2))
    simd.store(out, 16, simd.word_weight(i.words, i.x, book, 8))


AVX512 = {fma_triples, gather, four_weight_in_registers}
AVX512_WORDS = {load_words, table_lookup, fma_table_lookup}
CASES: list[Callable[..., None]] = [
    case
    for module in (sys.modules[__name__], simd_byte_cases, simd_function_cases, simd_pair_cases, simd_stream_cases)
    for name, case in vars(module).items()
    if isinstance(case, FunctionType) and case.__module__ == module.__name__
]
ROUNDED = "winograd_"
"""Winograd's sums are added in another order by the two sides."""


def test_each_operation_has_a_case() -> None:
    assert vars(REFERENCE).keys() <= {case.__name__ for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_both_sides_agree(case: Callable[..., None]) -> None:
    if (case in AVX512 and not WIDE) or (case in AVX512_WORDS and not WORDS):
        pytest.skip("needs AVX-512")
    plain, compiled = FunctionType(case.__code__, {**case.__globals__, "simd": REFERENCE}, case.__name__), kernel(case)
    for seed in range(4):
        found, expected = (np.arange(1024, dtype=np.float32) for _ in range(2))
        inputs, others = Inputs.random(seed), Inputs.random(seed)
        compiled(found, inputs)
        with np.errstate(invalid="ignore", over="ignore"):
            plain(expected, others)
        if case.__name__.startswith(ROUNDED):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
        else:
            same = (found.view(np.int32) == expected.view(np.int32)) | np.isnan(found) & np.isnan(expected)
            assert same.all(), np.flatnonzero(~same)
        for written, wanted in zip(inputs, others, strict=True):
            assert written.tobytes() == wanted.tobytes()
        before = Inputs.random(seed)
        names = "target", "sums", "packed", "pixels"
        targets = [tuple(getattr(each, name) for each in (inputs, before)) for name in names]
        assert any((now != then).any() for now, then in targets) or (found != np.arange(1024)).any()
