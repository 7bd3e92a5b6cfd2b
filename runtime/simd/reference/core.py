"""The vectors of `simd` in NumPy: their definition, used when compilation is off.

A `Vectors` value is an ndarray of float32, shape (count, 16). Every access is checked against the bounds of its array.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I64 = NDArray[np.int64]
Tag = tuple[object, ...]

_LANES = 16


def _span(array: NDArray[Any], first: int, count: int) -> NDArray[Any]:
    if not 0 <= first <= first + count <= len(array):
        raise IndexError(f"elements {first} to {first + count} of an array of {len(array)}")
    return array[first : first + count]


def zeros(tag: Tag) -> F32:
    """As many zero vectors as `tag` is long."""
    return np.zeros((len(tag), _LANES), dtype=np.float32)


def get(array: NDArray[Any], index: int) -> Any:
    """``array[index]``: float32 as it is, integers as int64."""
    found = _span(array, index, 1)[0]
    return found if array.dtype == np.float32 else int(found)


def put(array: NDArray[Any], index: int, value: Any) -> None:
    """``array[index] = value``."""
    _span(array, index, 1)[0] = value


def weight(codebook: F32, symbols: NDArray[Any], index: int) -> Any:
    """Weight number `index`: ``codebook[symbols[index]]``, or ``symbols[index]`` where those are float32 weights."""
    found = get(symbols, index)
    return found if symbols.dtype == np.float32 else get(codebook, found)


def load(tag: Tag, array: F32, index: int) -> F32:
    """As many consecutive vectors as `tag` is long, from ``array[index]`` on."""
    return _span(array, index, len(tag) * _LANES).reshape(len(tag), _LANES).copy()


def store(array: F32, index: int, value: F32) -> None:
    """Write all vectors of `value`, one after the other, from ``array[index]`` on."""
    _span(array, index, value.size)[:] = value.ravel()


def prefetch(tag: Tag, array: NDArray[Any], index: int) -> None:
    """Ask for as many vectors as `tag` is long, from ``array[index]`` on, to be brought near; may lie out of bounds."""


def prefetch_rows(tag: Tag, array: F32, index: int, step: int) -> None:
    """Ask for ``array[index + t * step]`` to be brought near for writing, t below the length of `tag`."""


def fma(acc: F32, factor: F32 | float, array: F32, index: int) -> F32:
    """``acc + factor * load(array, index)``, rounded once; a `factor` of one vector."""
    columns = _span(array, index, acc.size).reshape(acc.shape).astype(np.float64)
    result: F32 = (acc + np.asarray(factor, np.float64) * columns).astype(np.float32)
    return result


def fma_rows(acc: F32, rows: Tag, codebook: F32, symbols: NDArray[Any], first: int, array: F32, index: int) -> F32:
    """Outer product: row r of `acc`, a run of vectors, gains ``weight(first + r) * load(array, index)``.

    `acc` holds ``len(rows)`` runs of equal length.
    """
    runs = acc.reshape(len(rows), -1, _LANES)
    return np.concatenate([fma(run, weight(codebook, symbols, first + r), array, index) for r, run in enumerate(runs)])


def fma_dots(acc: F32, rows: Tag, a: F32, i: int, a_step: int, x: F32, j: int, x_step: int) -> F32:
    """Partial dot products of ``len(rows)`` rows of `a` and some rows of `x`, the steps apart.

    Vector ``s * len(rows) + r`` of `acc` gains the product of those at ``a[i + r * a_step]`` and ``x[j + s * x_step]``.
    """
    columns = np.concatenate([load((0,), a, i + r * a_step) for r in range(len(rows))]).astype(np.float64)
    samples = [load((0,), x, j + s * x_step) for s in range(len(acc) // len(rows))]
    result: F32 = (acc + np.concatenate([columns * s for s in samples])).astype(np.float32)
    return result


def load_masked(array: F32, index: int, low: int, high: int) -> F32:
    """One vector from ``array[index]`` on; lanes outside low <= lane < high are zero and not read."""
    vector = np.zeros((1, _LANES), dtype=np.float32)
    low, high = max(low, 0), min(high, _LANES)
    if low < high:
        vector[0, low:high] = _span(array, index + low, high - low)
    return vector


def load_lanes(array: F32, index: int, bits: int, other: F32) -> F32:
    """One vector from ``array[index]`` on; lanes whose bit is zero are not read and come from `other`."""
    vector = other.copy()
    for lane in range(_LANES):
        if bits >> lane & 1:
            vector[0, lane] = _span(array, index + lane, 1)[0]
    return vector


def store_masked(array: F32, index: int, low: int, high: int, value: F32) -> None:
    """Write one vector from ``array[index]`` on; lanes outside low <= lane < high are left alone."""
    low, high = max(low, 0), min(high, _LANES)
    if low < high:
        _span(array, index + low, high - low)[:] = value[0, low:high]


def load_rows(tag: Tag, array: F32, index: int, step: int, low: int, high: int, end: int | None) -> F32:
    """As many vectors as `tag` is long, `step` elements apart, from ``array[index]`` on.

    In row t lanes outside ``low <= lane < min(high, end - t * step)`` are zero and not read; an `end` of None is far.
    """
    return np.concatenate(
        [load_masked(array, index + t * step, low, _row_end(high, end, t * step)) for t in range(len(tag))]
    )


def store_rows(array: F32, index: int, step: int, low: int, high: int, end: int | None, value: F32) -> None:
    """Write vectors `step` elements apart, from ``array[index]`` on; lanes as in `load_rows`, others are left alone."""
    for t in range(len(value)):
        store_masked(array, index + t * step, low, _row_end(high, end, t * step), value[t : t + 1])


def _row_end(high: int, end: int | None, offset: int) -> int:
    return high if end is None else min(high, end - offset)


def load_words(tag: Tag, array: NDArray[np.uint16], index: int) -> I64:
    """As many vectors of 32 words as `tag` is long, from ``array[index]`` on."""
    return _span(array, index, len(tag) * 2 * _LANES).reshape(len(tag), -1).astype(np.int64)


def _joined(low: I64, high: I64) -> F32:
    """Two vectors of float32 by their lower and upper words: of each eight words the first four, the second four."""
    bits = (high << 16 | low).astype(np.uint32).view(np.float32)
    return np.ascontiguousarray(bits.reshape(-1, 2, 4).swapaxes(0, 1)).reshape(2, _LANES)


def pick(low: I64, high: I64, indices: I64, shift: int) -> F32:
    """Look float32 up in a table given by its lower and upper words, in one vector of each or in 2, 4 or 8.

    The elements are ``indices >> shift``, modulo the size of the table. Of each eight indices the first four fall to
    the first vector of the result, the others to the second. Needs AVX-512 for words.
    """
    at = (indices.ravel() >> shift) % low.size
    return _joined(low.ravel()[at], high.ravel()[at])


def fma_picked(
    acc: F32, weights: F32, indices: I64, shift: int, window: Tag, array: NDArray[np.uint16], index: int, plane: int
) -> F32:
    """Sparse products of some samples, for each of which `acc` has two vectors.

    They gain `weights` times what ``indices >> shift`` picks from the sample's window: its lower words,
    ``load_words(window, array, index)`` for the first sample, its upper words `plane` elements on, those of the next
    sample again that far on. The order is that of `pick`.
    """
    picked = []
    for sample in range(len(acc) // 2):
        low, high = (load_words(window, array, index + (2 * sample + half) * plane) for half in range(2))
        picked.append(pick(low, high, indices, shift))
    return fma_vectors(np.tile(weights, (len(picked), 1)), np.concatenate(picked), acc)


def fma_triples(acc: F32, book: F32, stream: NDArray[np.uint32], place: int, array: F32, index: int, step: int) -> F32:
    """Sparse products of some samples, for each of which `acc` has three vectors, from 16 elements of a stream.

    Vector i gains an entry of `book`, two vectors, times one of the sample's window: of the element's bits those from
    10 i on tell the place in `book`, those from 10 i + 5 on the one in the window, 5 bits each. The window is 31
    elements from ``array[index]`` on, for the next sample `step` elements on, and a zero. Needs AVX-512.
    """
    words = _span(stream, place, _LANES).astype(np.int64)
    rows: list[F32] = []
    for at in range(index, index + len(acc) // 3 * step, step):
        window = np.append(_span(array, at, 31), np.float32(0))
        rows += [
            fma_vectors(book.ravel()[words >> 10 * i & 31], window[words >> 10 * i + 5 & 31], acc[len(rows) + i])
            for i in range(3)
        ]
    return np.stack(rows)


def store_words(array: NDArray[np.uint16], index: int, plane: int, value: F32) -> None:
    """Write the lower words of a vector from ``array[index]`` on, the upper ones `plane` elements on."""
    bits = value.ravel().view(np.uint32)
    _span(array, index, _LANES)[:] = bits & 0xFFFF
    _span(array, index + plane, _LANES)[:] = bits >> 16


def gather(tag: Tag, array: NDArray[np.uint32], places: NDArray[np.int32]) -> F32:
    """Bits of ``array[places]``, in as many vectors as `tag` is long, each from one element further on."""
    return np.array([array[places + i] for i in range(len(tag))]).view(np.float32)


def least(values: F32) -> int:
    """Least of the bits of the first vector."""
    return int(values[0].view(np.uint32).min())


def put_group(
    stream: NDArray[np.uint16], index: int, places: NDArray[np.int32], values: F32,
    origin: int, limit: int, empty: int, bits: int,
) -> None:  # fmt: skip
    """Write 32 bits a lane from ``stream[index]`` on: a slot of `bits` for each vector, the first one lowest.

    A slot holds the bits in `values` less `origin` where that is below `limit`, else `empty`; `places` move on by the
    slots so filled. Where there are two slots, those of four lanes lie side by side, first all lower ones.
    """
    entries = values.view(np.uint32).astype(np.int64) - origin
    inside = entries < limit
    slots = np.where(inside, entries, empty) << bits * np.arange(len(values))[:, None]
    words = slots.sum(axis=0).astype(np.uint32).view(np.uint16).reshape(4, 4, 2)
    _span(stream, index, 2 * _LANES)[:] = (words.swapaxes(1, 2) if len(values) == 2 else words).reshape(-1)
    places += inside.sum(axis=0, dtype=np.int32)


def prefetch_far(array: NDArray[Any], index: int) -> None:
    """Ask for the cache line of ``array[index]`` to be brought to the L2 cache; may lie out of bounds.

    Far more lines can be under way there than to the L1 cache: a stream from memory arrives twice as fast.
    """


def fma_vectors(a: F32, b: F32, c: F32) -> F32:
    """``a * b + c``, lane by lane, rounded once."""
    result: F32 = (a.astype(np.float64) * b + c).astype(np.float32)
    return result


def evens(low: F32, high: F32) -> F32:
    """Lanes 0, 2, 4, ... of two vectors laid end to end."""
    return np.concatenate([low, high], axis=1)[:, ::2]


def total(value: F32) -> Any:
    """Sum of all lanes of all vectors, by halves."""
    vectors = list(value)
    while len(vectors) > 1:
        half = (len(vectors) + 1) // 2
        pairs = [a + b for a, b in zip(vectors, vectors[half:], strict=False)]
        vectors = pairs + vectors[len(pairs) : half]
    lanes = vectors[0]
    while len(lanes) > 1:
        lanes = lanes[: len(lanes) // 2] + lanes[len(lanes) // 2 :]
    return lanes[0]


def add(a: F32, b: F32) -> F32:
    """``a + b``, lane by lane."""
    return a + b


def scale_shift(value: F32, scale: Any, shift: Any) -> F32:
    """``value * scale + shift``, rounded once."""
    result: F32 = (value.astype(np.float64) * scale + shift).astype(np.float32)
    return result


def maximum(value: F32, bound: Any) -> F32:
    """The greater of each lane and `bound`; NaN stays."""
    return np.where(value < np.float32(bound), np.float32(bound), value)


def minimum(value: F32, bound: Any) -> F32:
    """The lesser of each lane and `bound`; NaN stays."""
    return np.where(value > np.float32(bound), np.float32(bound), value)


def greater(a: F32, b: F32) -> F32:
    """The greater of two vectors, lane by lane; NaN wins."""
    return np.where((a > b) | np.isnan(a), a, b)


def pool_grid(rows: Tag, value: F32) -> F32:
    """The greatest of each 2 x 2 vectors of a grid of ``len(rows)`` rows, less where an odd one ends; NaN wins."""
    grid = value.reshape(len(rows), -1, _LANES)
    grid = np.pad(grid, ((0, len(rows) % 2), (0, grid.shape[1] % 2), (0, 0)), mode="edge")
    across = greater(grid[:, 1::2], grid[:, ::2])
    return greater(across[1::2], across[::2]).reshape(-1, _LANES)


def greater_pairs(tag: Tag, low: F32, high: F32) -> F32:
    """The greater of each two neighbours of two vectors laid end to end; neighbours are groups of ``len(tag)`` lanes.

    NaN wins.
    """
    pairs = np.concatenate([low, high]).reshape(-1, 2, len(tag))
    return greater(pairs[:, 1], pairs[:, 0]).reshape(1, _LANES)


def fma_grid(acc: F32, rows: Tag, factor: F32, array: F32, index: int, pitch: int) -> F32:
    """``acc + factor * load_grid(array, index, pitch)``, rounded once; a `factor` of one vector."""
    grid = load_grid((0,) * len(acc), rows, array, index, pitch).astype(np.float64)
    result: F32 = (acc + np.asarray(factor, np.float64) * grid).astype(np.float32)
    return result


def fma_shifted(
    acc: F32, rows: Tag, up: Tag, down: Tag, left: Tag, right: Tag, factor: F32, array: F32, index: int
) -> F32:
    """`acc` and `factor` times an image, ``len(rows)`` rows of consecutive vectors at `index`, as large as `acc`.

    Pixel (row, column) of `acc` meets pixel ``(row + len(down) - len(up), column + len(right) - len(left))`` of the
    image; where there is none, nothing is added.
    """
    image, sums = (load((0,) * len(acc), array, index), acc.copy())
    image, sums = (pixels.reshape(len(rows), -1, _LANES) for pixels in (image, sums))
    height, width = sums.shape[:2]
    inside = sums[len(up) : height - len(down), len(left) : width - len(right)]
    met = image[len(down) : height - len(up), len(right) : width - len(left)].astype(np.float64)
    inside[...] = inside + np.asarray(factor, np.float64) * met
    return sums.reshape(acc.shape)


def load_grid(tag: Tag, rows: Tag, array: F32, index: int, pitch: int) -> F32:
    """As many vectors as `tag` is long: ``len(rows)`` rows of consecutive ones, `pitch` elements apart."""
    width = tag[: len(tag) // len(rows)]
    return np.concatenate([load(width, array, index + row * pitch) for row in range(len(rows))])


def store_grid(rows: Tag, array: F32, index: int, pitch: int, value: F32) -> None:
    """Write vectors as ``len(rows)`` rows of consecutive ones, `pitch` elements apart."""
    for row, vectors in enumerate(value.reshape(len(rows), -1, _LANES)):
        store(array, index + row * pitch, vectors)


def transpose(value: F32) -> F32:
    """Lane i of vector j becomes lane j of vector i; 16 vectors."""
    return value.T.copy()


def load_apart(tag: Tag, step: Tag, array: F32, index: int, low: int, high: int) -> F32:
    """Vectors of every n-th element, n the length of `step`: lane t of vector r is ``array[index + t * n + r]``.

    As many vectors as `tag` is long. Elements outside ``low <= t * n + r < high`` are zero and not read.
    """
    n = len(step)
    vectors = [load_masked(array, index + skip, low - skip, high - skip) for skip in range(0, n * _LANES, _LANES)]
    return np.concatenate(vectors).reshape(_LANES, n).T[: len(tag)].copy()


def next_lanes(tag: Tag, value: F32) -> F32:
    """As many vectors of `value` as `tag` is long, each lane with what was in the next; the last one stays."""
    return np.concatenate([value[: len(tag), 1:], value[: len(tag), -1:]], axis=1)


def store_together(array: F32, index: int, end: int, value: F32) -> None:
    """The way back of `load_apart`, of elements ``t * n + r < end``: n is the number of vectors."""
    count = max(0, min(end, value.size))
    _span(array, index, count)[:] = value.T.ravel()[:count]
