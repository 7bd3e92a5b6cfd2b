"""Positions of a sparse tensor's stored weights, in both directions: gaps in the better axis order, and CSR.

A tensor is read piece by piece, once to count and once to write: nothing is made that is as large as the tensor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError
from ...core.memory import room
from ..coding.entropy import EntropyCode, Streams
from ..coding.histograms import entropy_bits, occurrences_of
from ..coding.relative_index import check_gaps, gap_counts, gap_symbols, gaps_of, indices_of, transpose
from ..constants import CHUNK_ENTRIES
from ..graph.graph import Shape
from ..tensors import Array, bit_patterns, index_dtype
from .base import Counted
from .header import tables_bytes

FREELY_SWAPPED = 1 << 16
"""Stored weights. A tensor of at most this number is swapped even for a single bit. To swap axes back triples the time
of decoding, which is felt in larger ones: see `SWAPPED_COST`."""
SWAPPED_COST = 1 - 1 / 200
"""Larger tensors are swapped where positions take less than this share of their bits."""


def stored_chunks(tensor: Counted, swapped: bool) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """Positions and bit patterns of the stored weights in one axis order, a chunk at a time."""
    positions, stored = np.empty(0, dtype=np.int64), bit_patterns(tensor.array.reshape(-1)[:0])
    passed = 0
    for bits in tensor.pieces(swapped):
        found = np.flatnonzero(bits != 0)  # NumPy finds what is true in half the time of what is not zero
        positions, stored = np.concatenate([positions, passed + found]), np.concatenate([stored, bits[found]])
        passed += len(bits)
        while len(positions) >= CHUNK_ENTRIES:
            yield positions[:CHUNK_ENTRIES], stored[:CHUNK_ENTRIES]
            positions, stored = positions[CHUNK_ENTRIES:], stored[CHUNK_ENTRIES:]
    if len(positions):
        yield positions, stored


@dataclass(frozen=True)
class Gaps:
    """How the positions of a tensor's stored weights take the fewest bits.

    Attributes
    ----------
    swapped : bool
        Whether the first two axes are swapped.
    stored : int
        Stored weights.
    bits : int
        Gap width.
    code : EntropyCode
    cost : int
        Bits of the gaps and of the code's table.
    """

    swapped: bool
    stored: int
    bits: int
    code: EntropyCode
    cost: int

    @staticmethod
    def best(tensor: Counted, coder: type[EntropyCode]) -> Gaps:
        """Count both axis orders and all gap widths; once for a tensor."""
        if (key := (Gaps, coder)) not in tensor.found:
            tensor.found[key] = _best_order(tensor, coder)
        best: Gaps = tensor.found[key]
        return best

    def encode(self, positions: NDArray[np.int64]) -> tuple[bytes, int]:
        """The stream of a chunk's positions, and how many escapes are in it."""
        symbols = gap_symbols(gaps_of(positions), self.bits)
        return self.code.encode(symbols), len(symbols) - len(positions)


def _best_order(tensor: Counted, coder: type[EntropyCode]) -> Gaps:
    plain = _best_width(tensor, False, coder)
    if tensor.array.ndim < 2 or min(tensor.array.shape[:2]) == 1:
        return plain
    swapped = _best_width(tensor, True, coder)
    least = 1 if plain.stored <= FREELY_SWAPPED else SWAPPED_COST
    return swapped if swapped.cost < plain.cost * least else plain


def _best_width(tensor: Counted, swapped: bool, coder: type[EntropyCode]) -> Gaps:
    counted = [occurrences_of(gaps_of(positions)) for positions, _ in stored_chunks(tensor, swapped)]
    gaps = np.concatenate([np.empty(0, dtype=np.int64), *(gaps for gaps, _ in counted)])
    occurrences = np.concatenate([np.empty(0, dtype=np.int64), *(counts for _, counts in counted)])
    stored = int(occurrences.sum())
    histograms = gap_counts(gaps, occurrences)
    least = {bits: entropy_bits(counts) for bits, counts in histograms.items()}
    best: Gaps | None = None
    for bits in sorted(histograms, key=least.__getitem__):
        if best is not None and least[bits] > best.cost + 1:  # and so of all that follow; 1 is for rounding
            break
        code = coder.fit(histograms[bits], tensor.tables_count)
        cost = code.cost(histograms[bits]) + 8 * tables_bytes(code)
        if best is None or (cost, bits) < (best.cost, best.bits):
            best = Gaps(swapped, stored, bits, code, cost)
    assert best is not None
    return best


@dataclass(frozen=True, eq=False)
class Positions:
    """Coded positions of stored weights.

    Attributes
    ----------
    shape : tuple of int
    nnz : int
        Stored weights, one or more.
    gap_bits : int
    swapped : bool
        Whether the first two axes are stored swapped.
    chunk_starts : ndarray of int64, shape (chunks,)
        Position of each chunk's first weight.
    gaps : Streams
    """

    shape: Shape
    nnz: int
    gap_bits: int
    swapped: bool
    chunk_starts: NDArray[np.int64]
    gaps: Streams

    def csr(self, symbols: NDArray[np.uint8], stored: Array) -> tuple[NDArray[np.int64], Array, Array]:
        """Decoded gaps to CSR.

        Parameters
        ----------
        symbols : ndarray of uint8
            The decoded gaps.
        stored : ndarray, shape (nnz,)
            What is stored at the positions, in stored order.

        Returns
        -------
        indptr : ndarray of int64, shape (rows + 1,)
        indices : ndarray of uint16 or int32, shape (nnz,)
        stored : ndarray, shape (nnz,)
            In the order of the indices.

        Raises
        ------
        FormatError
            The gaps lead outside the tensor.
        """
        gaps = symbols, self.gaps.counts, self.chunk_starts, (1 << self.gap_bits) - 1
        bad = check_gaps(*gaps, CHUNK_ENTRIES, self.nnz, prod(self.shape))
        if bad >= 0:
            raise FormatError("gaps lead outside the tensor", where=f"chunk {bad}")
        rows = self.shape[0] if self.shape else 1
        indptr = np.zeros(rows + 1, dtype=np.int64)
        columns = room(self.nnz, index_dtype(prod(self.shape[1:])))
        if not self.swapped:
            indices_of(*gaps, prod(self.shape) // rows, indptr, columns)
            return indptr, columns, stored
        inner, bits = prod(self.shape[2:]), f"u{stored.itemsize}"
        out = room(self.nnz, stored.dtype)
        swapped = *gaps, rows * inner, inner, stored.view(bits)
        transpose(*swapped, indptr[1:], columns[:0], out.view(bits))
        np.cumsum(indptr, out=indptr)
        transpose(*swapped, indptr[:-1].copy(), columns, out.view(bits))
        return indptr, columns, out
