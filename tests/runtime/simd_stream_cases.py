"""Cases of `simd/test_operations.py`: words of a stream of weights, Winograd's transforms, and waiting."""

from __future__ import annotations

from dcz.runtime import simd
from dcz.runtime.kernels.contract import tag

NONE, THREE, FOUR, SIX, TWELVE = (tag(n) for n in (0, 3, 4, 6, 12))


def word_offset(out, i):
    out[0], out[1], out[2] = (
        simd.word_offset(i.words, 9), simd.word_offset(i.bytes, 7), simd.word_offset(i.longs, 3),
    )  # fmt: skip


def word_weight(out, i):
    none = simd.zeros(NONE)
    simd.store(out, 0, simd.word_weight(i.words, i.x, none, 9))
    simd.store(out, 16, simd.word_weight(i.bytes, i.x, none, 9))
    simd.store(out, 32, simd.word_weight(i.longs, i.x, none, 9))


def four_words(out, i):
    out[0] = simd.four_offset(i.words, simd.four_words(i.words, 5), 0)
    out[1] = simd.four_words(i.bytes, 5)


def four_offset(out, i):
    for place in range(4):
        out[place] = simd.four_offset(i.words, simd.four_words(i.words, 5), place)
        out[place + 4] = simd.four_offset(i.bytes, simd.four_words(i.bytes, 5), place)
        out[place + 8] = simd.four_offset(i.longs, simd.four_words(i.longs, 5), place)


def four_weight(out, i):
    none = simd.zeros(NONE)
    for place in range(4):
        simd.store(out, 16 * place, simd.four_weight(i.words, i.x, none, simd.four_words(i.words, 5), place))
        simd.store(out, 64 + 16 * place, simd.four_weight(i.bytes, i.x, none, simd.four_words(i.bytes, 5), place))


def winograd_inputs(out, i):
    simd.winograd_inputs(SIX, i.x, 3, 100, 16, out, 0, 16)


def winograd_window(out, i):
    simd.winograd_window(SIX, i.x, 3, 100, 16, 1, 5, 0, 4, out, 600, 0, 16)


def winograd_weights(out, i):
    simd.winograd_weights(THREE, SIX, i.x, 3, 20, out, 0, 16)


def winograd_line(out, i):
    simd.winograd_line(SIX, i.x, 3, 20, out, 5, 18)


def winograd_line_outputs(out, i):
    simd.store(out, 0, simd.winograd_line_outputs(FOUR, SIX, i.x, 3, 18))


def winograd_run_outputs(out, i):
    simd.store(out, 0, simd.winograd_run_outputs(FOUR, SIX, simd.load_grid(TWELVE, SIX, i.x, 3, 40)))


def winograd_outputs(out, i):
    simd.store(out, 0, simd.winograd_outputs(FOUR, SIX, i.x, 3, 16))


def peek(out, i):
    out[0] = simd.peek(i.sizes, 7)


def pause(out, i):
    simd.pause()
    out[0] = i.x[1]
