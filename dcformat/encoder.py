"""A dense array to the fewest bytes that give it back bit for bit.

Nothing is asked of the caller: zeros, shared values, gap width and axis order are found by looking and counting. The
byte layout of each encoding is in `docs/format.md`; `decoder` reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from bitarray import bitarray
from numpy.typing import NDArray

from . import huffman
from .bits import write_varint
from .codebook import CodebookForm, write_codebook
from .constants import CHUNK_ENTRIES, MAX_CODEBOOK
from .encoding import Encoding
from .relative_index import gap_counts, gap_symbols, gaps_of
from .row_scales import split_rows
from .tensors import DTYPES, Array, Dense, bit_patterns

SWAPPED = 1 << 4
FORM_SHIFT = 5
FREELY_SWAPPED = 1 << 16
"""Tensors with at most so many stored weights are swapped for a single bit. To swap axes back triples the time of
decoding, which is felt in larger ones: see `SWAPPED_COST`."""
SWAPPED_COST = 1 - 1 / 200
"""Larger tensors are swapped where positions take less than this share of their bits."""


LEAST_GAIN = 64
"""Bytes that an encoding of format 1.1 has to save: readers of 1.0 cannot read it, and its name is long."""


def encode_tensor(tensor: Dense) -> tuple[Encoding, bytes]:
    """Encode a tensor in the encoding that takes the fewest bytes, or half a percent more where that decodes faster.

    Parameters
    ----------
    tensor : Dense
        Any shape, any of `DTYPES`.

    Returns
    -------
    encoding : Encoding
    payload : bytes
        The same for the same tensor, always.
    """
    array = np.ascontiguousarray(tensor.array, dtype=DTYPES[tensor.dtype]).reshape(tensor.shape)
    candidates = list(_candidates_for(tensor.dtype, array)) if array.size else []
    best = min(candidates, key=_cost, default=None)
    return best if best is not None and _cost(best) < array.nbytes else encode_raw(tensor)


def _cost(candidate: tuple[Encoding, bytes]) -> int:
    encoding, payload = candidate
    return len(payload) + (LEAST_GAIN if encoding.minor_version else 0)


def encode_raw(tensor: Dense) -> tuple[Encoding, bytes]:
    """Encode a tensor as its plain elements."""
    return Encoding.RAW, np.ascontiguousarray(tensor.array, dtype=DTYPES[tensor.dtype]).tobytes()


def _candidates_for(dtype: str, array: Array) -> Iterator[tuple[Encoding, bytes]]:
    shared = False
    for kind, payload in _candidates(array):
        shared |= kind != Encoding.SPARSE_RAW
        yield kind.for_dtype(dtype), payload
    if dtype == "F32" and not shared and (split := split_rows(array)) is not None:
        scales, levels = split
        for kind, payload in _candidates(levels):
            if kind != Encoding.SPARSE_RAW:
                yield Encoding(f"{kind}_scaled"), scales.astype("<f4").tobytes() + payload


def _candidates(array: Array) -> Iterator[tuple[Encoding, bytes]]:
    bits = bit_patterns(array)
    stored = bits[bits != 0]
    patterns = _few_patterns(stored)
    if patterns is None:
        if len(stored) < array.size:
            yield Encoding.SPARSE_RAW, _sparse(array, None)
        return
    if len(stored) < array.size:
        yield Encoding.SPARSE_SHARED, _sparse(array, patterns)
        patterns = np.concatenate([np.zeros(1, dtype=patterns.dtype), patterns])
    # Below this density a code of at least one bit a zero cannot win against gaps.
    if len(patterns) <= MAX_CODEBOOK and len(stored) * 8 > array.size:
        yield Encoding.SHARED, _shared(bits, patterns, array.dtype)


def _few_patterns(stored: NDArray[Any]) -> NDArray[Any] | None:
    """Sorted distinct patterns, or None for more than a codebook holds. Most unshared tensors fail on the sample."""
    if len(stored) > 1 << 16 and len(np.unique(stored[: 1 << 12])) > MAX_CODEBOOK:
        return None
    patterns = np.unique(stored)
    return patterns if len(patterns) <= MAX_CODEBOOK else None


def _shared(bits: NDArray[Any], patterns: NDArray[Any], dtype: np.dtype[Any]) -> bytes:
    symbols = np.searchsorted(patterns, bits).astype(np.uint8)
    form, codebook = write_codebook(patterns.view(dtype))
    lengths = huffman.code_lengths(np.bincount(symbols, minlength=len(patterns)))
    out = bytearray([form << FORM_SHIFT])
    write_varint(out, len(patterns))
    out += codebook
    out += _tables(lengths)
    streams = _streams(symbols, lengths, np.arange(CHUNK_ENTRIES, len(symbols), CHUNK_ENTRIES))
    for stream in streams:
        write_varint(out, len(stream))
    return bytes(out) + b"".join(streams)


@dataclass(frozen=True)
class _Index:
    """The stored weights of a tensor in one axis order, with the gap width that takes the fewest bits."""

    swapped: bool
    positions: NDArray[np.int64]
    gaps: NDArray[np.int64]
    starts: NDArray[np.int64]
    gap_bits: int
    gap_lengths: huffman.Lengths
    cost: int


def _index(array: Array, swapped: bool) -> _Index:
    bits = bit_patterns(array.swapaxes(0, 1) if swapped else array)
    positions = np.flatnonzero(bits)
    gaps, starts = gaps_of(positions, CHUNK_ENTRIES)
    best: _Index | None = None
    for width, counts in gap_counts(gaps).items():
        lengths = huffman.code_lengths(counts)
        cost = huffman.coded_bits(counts, lengths) + 8 * len(_tables(lengths))
        if best is None or cost < best.cost:
            best = _Index(swapped, positions, gaps, starts, width, lengths, cost)
    assert best is not None
    return best


def _best_index(array: Array) -> _Index:
    plain = _index(array, swapped=False)
    if array.ndim < 2 or min(array.shape[:2]) == 1:
        return plain
    swapped = _index(array, swapped=True)
    least = 1 if len(plain.positions) <= FREELY_SWAPPED else SWAPPED_COST
    return swapped if swapped.cost < plain.cost * least else plain


def _sparse(array: Array, patterns: NDArray[Any] | None) -> bytes:
    """Payload of a sparse tensor: shared where `patterns` are its distinct values, else raw."""
    index = _best_index(array)
    stored = bit_patterns(array.swapaxes(0, 1) if index.swapped else array)[index.positions]
    form, codebook = (CodebookForm.F32, b"")
    if patterns is not None and len(patterns):
        form, codebook = write_codebook(patterns.view(array.dtype))
    out = bytearray([index.gap_bits | SWAPPED * index.swapped | form << FORM_SHIFT])
    write_varint(out, len(stored))
    if not len(stored):
        return bytes(out)

    gaps = gap_symbols(index.gaps, index.gap_bits)
    weights_end = np.cumsum(index.gaps // ((1 << index.gap_bits) - 1) + 1)
    cuts = weights_end[CHUNK_ENTRIES - 1 : -1 : CHUNK_ENTRIES]
    columns = [
        np.diff(index.starts, prepend=0),
        np.diff(cuts, prepend=0, append=len(gaps)) - chunk_sizes(len(stored)),
    ]
    gap_streams = _streams(gaps, index.gap_lengths, cuts)
    columns.append(np.array([len(stream) for stream in gap_streams]))
    if patterns is None:
        tables = _tables(index.gap_lengths)
        tail = stored.tobytes()
    else:
        symbols = np.searchsorted(patterns, stored).astype(np.uint8)
        lengths = huffman.code_lengths(np.bincount(symbols, minlength=len(patterns)))
        streams = _streams(symbols, lengths, np.arange(CHUNK_ENTRIES, len(symbols), CHUNK_ENTRIES))
        columns.append(np.array([len(stream) for stream in streams]))
        write_varint(out, len(patterns))
        out += codebook
        tables = _tables(index.gap_lengths, lengths)
        tail = b"".join(streams)
    out += tables
    for row in np.stack(columns, axis=1).tolist():
        for value in row:
            write_varint(out, value)
    return bytes(out) + b"".join(gap_streams) + tail


def chunk_sizes(count: int) -> NDArray[np.int64]:
    """How many of so many stored weights lie in each chunk."""
    return np.diff(np.arange(0, count, CHUNK_ENTRIES), append=count)


def _tables(*lengths: huffman.Lengths) -> bytes:
    out = bitarray()
    for table in lengths:
        huffman.write_lengths(out, table)
    return out.tobytes()


def _streams(symbols: NDArray[np.uint8], lengths: huffman.Lengths, cuts: NDArray[np.int64]) -> list[bytes]:
    codes = huffman.canonical_codes(lengths)
    return [huffman.encode(part, codes) for part in np.split(symbols, cuts)]
