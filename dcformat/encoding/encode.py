"""A dense array to the fewest bytes that give it back bit for bit.

Nothing is asked of the caller: zeros, shared values, gap width and axis order are found by looking and counting. The
byte layout of each encoding is in `docs/format.md`; `decoder` reads it. A tensor is read piece by piece, once to count
and once to write, so that nothing is made that is as large as the tensor.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from bitarray import bitarray
from numpy.typing import NDArray

from ..coding import huffman
from ..coding.bits import Bytes, write_varint
from ..coding.codebook import CodebookForm, write_codebook
from ..coding.relative_index import gap_counts, gap_symbols, gaps_of
from ..constants import CHUNK_ENTRIES, MAX_CODEBOOK
from ..tensors import DTYPES, PIECE, Array, Dense, bit_patterns, flat_pieces
from .base import Encoding
from .row_scales import split_rows

SWAPPED = 1 << 4
FORM_SHIFT = 5
FREELY_SWAPPED = 1 << 16
"""Tensors with at most so many stored weights are swapped for a single bit. To swap axes back triples the time of
decoding, which is felt in larger ones: see `SWAPPED_COST`."""
SWAPPED_COST = 1 - 1 / 200
"""Larger tensors are swapped where positions take less than this share of their bits."""


LEAST_GAIN = 64
"""Bytes that an encoding of format 1.1 has to save: readers of 1.0 cannot read it, and its name is long."""


def encode_tensor(tensor: Dense) -> tuple[Encoding, Bytes]:
    """Encode a tensor in the encoding that takes the fewest bytes, or half a percent more where that decodes faster.

    Takes memory for the payload twice, and for pieces of the tensor: some tens of MiB, however large it is.

    Parameters
    ----------
    tensor : Dense
        Any shape, any of `DTYPES`.

    Returns
    -------
    encoding : Encoding
    payload : bytes-like
        The same for the same tensor, always. Plain elements are a view of the tensor, not a copy.
    """
    array = np.ascontiguousarray(tensor.array, dtype=DTYPES[tensor.dtype]).reshape(tensor.shape)
    candidates = list(_candidates_for(tensor.dtype, array)) if array.size else []
    best = min(candidates, key=_cost, default=None)
    return best if best is not None and _cost(best) < array.nbytes else encode_raw(tensor)


def _cost(candidate: tuple[Encoding, Bytes]) -> int:
    encoding, payload = candidate
    return len(payload) + (LEAST_GAIN if encoding.minor_version else 0)


def encode_raw(tensor: Dense) -> tuple[Encoding, Bytes]:
    """Encode a tensor as its plain elements: a view of them, where they lie in memory as in the file."""
    array = np.ascontiguousarray(tensor.array, dtype=DTYPES[tensor.dtype])
    return Encoding.RAW, array.reshape(-1).view(np.uint8).data


def _candidates_for(dtype: str, array: Array) -> Iterator[tuple[Encoding, Bytes]]:
    shared = False
    for kind, payload in _candidates(array):
        shared |= kind != Encoding.SPARSE_RAW
        yield kind.for_dtype(dtype), payload
    if dtype == "F32" and not shared and (split := split_rows(array)) is not None:
        scales, levels = split
        for kind, payload in _candidates(levels):
            if kind != Encoding.SPARSE_RAW:
                yield Encoding(f"{kind}_scaled"), b"".join([scales.astype("<f4").tobytes(), payload])


def _candidates(array: Array) -> Iterator[tuple[Encoding, Bytes]]:
    counts = _few_patterns(array)
    if counts is None:
        zeros = array.size - int(np.count_nonzero(bit_patterns(array)))
        index = _best_index(array) if zeros else None
        if index is not None and index.cost < 8 * array.itemsize * zeros:  # else plain elements are shorter
            yield Encoding.SPARSE_RAW, _sparse(array, index, None)
        return
    zeros = array.size - sum(counts.values())
    if zeros:
        yield Encoding.SPARSE_SHARED, _sparse(array, _best_index(array), _Patterns.of(counts, array.dtype))
        counts = {0: zeros, **counts}
    # Below this density a code of at least one bit a zero cannot win against gaps.
    if len(counts) <= MAX_CODEBOOK and (array.size - zeros) * 8 > array.size:
        yield Encoding.SHARED, _shared(array, _Patterns.of(counts, array.dtype))


def _pieces(array: Array, swapped: bool = False) -> Iterator[NDArray[Any]]:
    """Bit patterns of an array, flat, piece by piece: in its own order, or with its first two axes swapped."""
    if not swapped:
        yield from (bits for (bits,) in flat_pieces(bit_patterns(array)))
        return
    rows, columns, inner = *array.shape[:2], prod(array.shape[2:])
    together = max(1, PIECE // (rows * inner))
    height = rows if together > 1 else max(1, PIECE // inner)
    for column in range(0, columns, together):
        for row in range(0, rows, height):
            yield bit_patterns(array[row : row + height, column : column + together].swapaxes(0, 1))


def _few_patterns(array: Array) -> dict[int, int] | None:
    """How often each bit pattern but zero occurs, or None for more than a codebook holds."""
    found: Counter[int] = Counter()
    for bits in _pieces(array):
        patterns, counts = np.unique(bits[bits != 0], return_counts=True)
        if len(patterns) <= MAX_CODEBOOK:
            found.update(dict(zip(patterns.tolist(), counts.tolist(), strict=True)))
        if max(len(patterns), len(found)) > MAX_CODEBOOK:
            return None
    return found


@dataclass(frozen=True)
class _Patterns:
    """The distinct bit patterns of a tensor, rising: its codebook, and the code of each."""

    bits: NDArray[Any]
    lengths: huffman.Lengths
    form: CodebookForm
    codebook: bytes
    codes: dict[int, bitarray]

    @staticmethod
    def of(counts: dict[int, int], dtype: np.dtype[Any]) -> _Patterns:
        bits = np.array(sorted(counts), dtype=f"<u{dtype.itemsize}")
        lengths = huffman.code_lengths([counts[pattern] for pattern in bits.tolist()])
        form, codebook = write_codebook(bits.view(dtype)) if len(bits) else (CodebookForm.F32, b"")
        return _Patterns(bits, lengths, form, codebook, huffman.canonical_codes(lengths))

    def encode(self, bits: NDArray[Any]) -> bytes:
        return huffman.encode(np.searchsorted(self.bits, bits).astype(np.uint8), self.codes)


def _shared(array: Array, patterns: _Patterns) -> bytes:
    bits = bit_patterns(array)
    out = bytearray([patterns.form << FORM_SHIFT])
    write_varint(out, len(patterns.bits))
    out += patterns.codebook
    out += _tables(patterns.lengths)
    streams = [patterns.encode(bits[i : i + CHUNK_ENTRIES]) for i in range(0, len(bits), CHUNK_ENTRIES)]
    for stream in streams:
        write_varint(out, len(stream))
    return b"".join([out, *streams])


@dataclass(frozen=True)
class _Index:
    """How the positions of a tensor's stored weights take the fewest bits: axis order, gap width, code of the gaps."""

    swapped: bool
    stored: int
    gap_bits: int
    gap_lengths: huffman.Lengths
    cost: int


def _chunks(array: Array, swapped: bool) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """Positions and bit patterns of the stored weights in one axis order, a chunk at a time."""
    positions, stored = np.empty(0, dtype=np.int64), bit_patterns(array.reshape(-1)[:0])
    passed = 0
    for bits in _pieces(array, swapped):
        found = np.flatnonzero(bits)
        positions, stored = np.concatenate([positions, passed + found]), np.concatenate([stored, bits[found]])
        passed += len(bits)
        while len(positions) >= CHUNK_ENTRIES:
            yield positions[:CHUNK_ENTRIES], stored[:CHUNK_ENTRIES]
            positions, stored = positions[CHUNK_ENTRIES:], stored[CHUNK_ENTRIES:]
    if len(positions):
        yield positions, stored


def _index(array: Array, swapped: bool) -> _Index:
    counted = [np.unique(gaps_of(positions), return_counts=True) for positions, _ in _chunks(array, swapped)]
    gaps = np.concatenate([np.empty(0, dtype=np.int64), *(gaps for gaps, _ in counted)])
    occurrences = np.concatenate([np.empty(0, dtype=np.int64), *(counts for _, counts in counted)])
    best: _Index | None = None
    for width, counts in gap_counts(gaps, occurrences).items():
        lengths = huffman.code_lengths(counts)
        cost = huffman.coded_bits(counts, lengths) + 8 * len(_tables(lengths))
        if best is None or cost < best.cost:
            best = _Index(swapped, int(occurrences.sum()), width, lengths, cost)
    assert best is not None
    return best


def _best_index(array: Array) -> _Index:
    plain = _index(array, swapped=False)
    if array.ndim < 2 or min(array.shape[:2]) == 1:
        return plain
    swapped = _index(array, swapped=True)
    least = 1 if plain.stored <= FREELY_SWAPPED else SWAPPED_COST
    return swapped if swapped.cost < plain.cost * least else plain


def _sparse(array: Array, index: _Index, patterns: _Patterns | None) -> bytes:
    """Payload of a sparse tensor: shared where `patterns` are its distinct values, else raw."""
    form = patterns.form if patterns is not None else CodebookForm.F32
    out = bytearray([index.gap_bits | SWAPPED * index.swapped | form << FORM_SHIFT])
    write_varint(out, index.stored)
    if not index.stored:
        return bytes(out)
    if patterns is None:
        out += _tables(index.gap_lengths)
    else:
        write_varint(out, len(patterns.bits))
        out += patterns.codebook
        out += _tables(index.gap_lengths, patterns.lengths)
    gap_codes = huffman.canonical_codes(index.gap_lengths)
    gap_streams: list[bytes] = []
    weights: list[Bytes] = []
    before = 0
    for positions, stored in _chunks(array, index.swapped):
        symbols = gap_symbols(gaps_of(positions), index.gap_bits)
        gap_streams.append(huffman.encode(symbols, gap_codes))
        row = [int(positions[0]) - before, len(symbols) - len(positions), len(gap_streams[-1])]
        before = int(positions[0])
        if patterns is None:
            weights.append(stored.view(np.uint8).data)
        else:
            weights.append(patterns.encode(stored))
            row.append(len(weights[-1]))
        for value in row:
            write_varint(out, value)
    return b"".join([out, *gap_streams, *weights])


def chunk_sizes(count: int) -> NDArray[np.int64]:
    """How many of so many stored weights lie in each chunk."""
    return np.diff(np.arange(0, count, CHUNK_ENTRIES), append=count)


def _tables(*lengths: huffman.Lengths) -> bytes:
    out = bitarray()
    for table in lengths:
        huffman.write_lengths(out, table)
    return out.tobytes()
