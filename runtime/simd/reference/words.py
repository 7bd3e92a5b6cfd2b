"""Tables of 16-bit words that permutes look up, and slots that are packed into words: their meaning, in NumPy.

A permute of words looks up 32 indices at once. One for the lower and one for the upper words of some float32, and the
two joined, cost less than permutes of float32 as soon as a table has 64 entries.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .arithmetic import fma_vectors
from .types import F32, I64, LANES, Tag, span

__all__ = [
    "fma_table_lookup",
    "fma_triples",
    "gather",
    "load_words",
    "pack_slots",
    "reduce_min",
    "store_split_words",
    "table_lookup",
]


def _joined(low: I64, high: I64) -> F32:
    """Two vectors of float32 by their lower and upper words: of each eight words the first four, the second four."""
    bits = (high << 16 | low).astype(np.uint32).view(np.float32)
    return np.ascontiguousarray(bits.reshape(-1, 2, 4).swapaxes(0, 1)).reshape(2, LANES)


def load_words(tag: Tag, array: NDArray[np.uint16], index: int) -> I64:
    """As many vectors of 32 words as `tag` is long, from ``array[index]`` on."""
    return span(array, index, len(tag) * 2 * LANES).reshape(len(tag), -1).astype(np.int64)


def store_split_words(array: NDArray[np.uint16], index: int, plane: int, value: F32) -> None:
    """Write the lower words of a vector from ``array[index]`` on, the upper ones `plane` elements on."""
    bits = value.ravel().view(np.uint32)
    span(array, index, LANES)[:] = bits & 0xFFFF
    span(array, index + plane, LANES)[:] = bits >> 16


def table_lookup(low: I64, high: I64, indices: I64, shift: int) -> F32:
    """Look float32 up in a table given by its lower and upper words, in one vector of each or in 2, 4 or 8.

    The elements are ``indices >> shift``, modulo the size of the table. Of each eight indices the first four fall to
    the first vector of the result, the others to the second. Needs AVX-512 for words.
    """
    at = (indices.ravel() >> shift) % low.size
    return _joined(low.ravel()[at], high.ravel()[at])


def fma_table_lookup(
    acc: F32, weights: F32, indices: I64, shift: int, window: Tag, array: NDArray[np.uint16], index: int, plane: int
) -> F32:
    """Sparse products of some samples, for each of which `acc` has two vectors.

    They gain `weights` times what ``indices >> shift`` picks from the sample's window: its lower words,
    ``load_words(window, array, index)`` for the first sample, its upper words `plane` elements on, those of the next
    sample again that far on. The order is that of `table_lookup`.
    """
    picked = []
    for sample in range(len(acc) // 2):
        low, high = (load_words(window, array, index + (2 * sample + half) * plane) for half in range(2))
        picked.append(table_lookup(low, high, indices, shift))
    return fma_vectors(np.tile(weights, (len(picked), 1)), np.concatenate(picked), acc)


def fma_triples(acc: F32, book: F32, stream: NDArray[np.uint32], place: int, array: F32, index: int, step: int) -> F32:
    """Sparse products of some samples, for each of which `acc` has three vectors, from 16 elements of a stream.

    Vector i gains an entry of `book`, two vectors, times one of the sample's window: of the element's bits those from
    10 i on tell the place in `book`, those from 10 i + 5 on the one in the window, 5 bits each. The window is 31
    elements from ``array[index]`` on, for the next sample `step` elements on, and a zero. Needs AVX-512.
    """
    words = span(stream, place, LANES).astype(np.int64)
    rows: list[F32] = []
    for at in range(index, index + len(acc) // 3 * step, step):
        window = np.append(span(array, at, 31), np.float32(0))
        rows += [
            fma_vectors(book.ravel()[words >> 10 * i & 31], window[words >> 10 * i + 5 & 31], acc[len(rows) + i])
            for i in range(3)
        ]
    return np.stack(rows)


def gather(tag: Tag, array: NDArray[np.uint32], places: NDArray[np.int32]) -> F32:
    """Bits of ``array[places]``, in as many vectors as `tag` is long, each from one element further on."""
    return np.array([array[places + i] for i in range(len(tag))]).view(np.float32)


def reduce_min(values: F32) -> int:
    """Least of the bits of the first vector."""
    return int(values[0].view(np.uint32).min())


def pack_slots(
    stream: NDArray[np.uint16], index: int, places: NDArray[np.int32], values: F32,
    origin: int, limit: int, empty: int, bits: int,
) -> None:  # fmt: skip
    """Write 32 bits a lane from ``stream[index]`` on: a slot of `bits` for each vector, the first one lowest.

    A slot holds the bits in `values` less `origin` where that is below `limit`, else `empty`; no bits are below
    `origin`. `places` move on by the slots so filled. Where there are two slots, those of four lanes lie side by side,
    first all lower ones.
    """
    entries = values.view(np.uint32).astype(np.int64) - origin
    inside = entries < limit
    slots = np.where(inside, entries, empty) << bits * np.arange(len(values))[:, None]
    words = slots.sum(axis=0).astype(np.uint32).view(np.uint16).reshape(4, 4, 2)
    span(stream, index, 2 * LANES)[:] = (words.swapaxes(1, 2) if len(values) == 2 else words).reshape(-1)
    places += inside.sum(axis=0, dtype=np.int32)
