"""Words of a stream of weights, one by one or four at a time: their meaning, in NumPy.

There are three kinds of words, told apart by their type:

uint16
    An offset of 11 bits, and below it a symbol of 5.
uint8
    Three bytes each: an offset of 16 bits, low byte first, and a symbol of 8. One more byte lies behind the last word.
uint32
    Offsets alone, beside weights that are not shared.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .memory import get
from .types import F32

__all__ = [
    "four_offset",
    "four_weight",
    "four_words",
    "word_offset",
    "word_weight",
]

SYMBOL_BITS = 5
OFFSET_BITS = 16 - SYMBOL_BITS


def _one(words: NDArray[Any], four: int, place: int) -> tuple[NDArray[Any], int]:
    if words.dtype != np.uint16:
        return words, four + place
    return np.array([four >> 16 * place & 0xFFFF], np.uint16), 0


def _split(words: NDArray[Any], index: int) -> tuple[int, int]:
    """Offset, and place of the weight among the values."""
    if words.dtype == np.uint8:
        low, high, symbol = (get(words, 3 * index + byte) for byte in range(3))
        get(words, 3 * index + 3)  # which is loaded, too
        return low + 256 * high, symbol
    word = get(words, index)
    return (word, index) if words.dtype == np.uint32 else (word >> SYMBOL_BITS, word & (1 << SYMBOL_BITS) - 1)


def word_offset(words: NDArray[Any], index: int) -> int:
    """Offset of word number `index`."""
    return _split(words, index)[0]


def word_weight(words: NDArray[Any], values: F32, book: F32, index: int) -> F32:
    """Weight of word number `index`, in all lanes of a vector.

    It is ``values[symbol]``, or ``values[index]`` beside words without a symbol; or, if `book` is not empty, what two
    vectors of it, laid end to end, hold there, which needs AVX-512.
    """
    return np.full((1, 16), get(book.ravel() if len(book) else values, _split(words, index)[1]))


def four_words(words: NDArray[Any], index: int) -> int:
    """Four words from number `index` on, for the two functions that follow: side by side if they fit, or the index."""
    if words.dtype != np.uint16:
        return index
    return sum(get(words, index + place) << 16 * place for place in range(4))


def four_offset(words: NDArray[Any], four: int, place: int) -> int:
    """As `word_offset`, of word number `place` of four."""
    return word_offset(*_one(words, four, place))


def four_weight(words: NDArray[Any], values: F32, book: F32, four: int, place: int) -> F32:
    """As `word_weight`, of word number `place` of four."""
    words, index = _one(words, four, place)
    return word_weight(words, values, book, index)
