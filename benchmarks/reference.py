"""Reference sizes: exact bits of textbook coders for the same weights, to compare a container with.

Nothing is written: a Huffman code's total length follows from the histogram alone.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CENTROID_BYTES = 4
GAP_WIDTHS = range(1, 9)


@dataclass(frozen=True)
class Streams:
    """A pruned and shared tensor as a coder sees it.

    Attributes
    ----------
    size : int
        Number of weights, zeros counted.
    gap_counts : ndarray of int64
        How often each number of zeros stands before a stored weight, in the flat order of the tensor.
    symbol_counts : ndarray of int64
        How often each centroid is used.
    """

    size: int
    gap_counts: NDArray[np.int64]
    symbol_counts: NDArray[np.int64]

    @staticmethod
    def of(weights: NDArray[np.float32]) -> Streams:
        """Split a tensor into its streams."""
        flat = weights.ravel()
        positions = np.flatnonzero(flat)
        gaps = np.diff(positions, prepend=-1) - 1
        symbol_counts = np.unique(flat[positions], return_counts=True)[1]
        return Streams(flat.size, np.bincount(gaps), symbol_counts)


def huffman_bits(counts: NDArray[np.int64]) -> int:
    """Total length of a Huffman code for a histogram: the sum of all inner nodes of the tree.

    A single symbol takes no bits.
    """
    heap = [int(count) for count in counts if count]
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total


def entropy_bits(counts: NDArray[np.int64]) -> float:
    """Zero-order entropy of a histogram times its total."""
    used = counts[counts > 0].astype(np.float64)
    return float((used * np.log2(used.sum() / used)).sum())


def gap_coded_bytes(streams: Streams, width: int) -> int:
    """Bytes with relative indices of a fixed width as in the paper, gaps and symbols Huffman-coded apart.

    A run of 2^width zeros costs a filler: the longest gap and a stored zero (Han et al., arXiv 1510.00149, section 2,
    figure 2). It counts bits and fp32 centroids, and leaves out the code tables, in favour of the reference.
    """
    coded = paper_streams(streams, width)
    return -(-(coded.gap_bits + coded.symbol_bits) // 8) + CENTROID_BYTES * len(streams.symbol_counts)


@dataclass(frozen=True)
class PaperStreams:
    """The paper's two streams: how many entries they have, fillers counted, and bits of each after Huffman coding."""

    entries: int
    gap_bits: int
    symbol_bits: int


def paper_streams(streams: Streams, width: int) -> PaperStreams:
    """Histograms of gaps and symbols with relative indices of a fixed width; see `gap_coded_bytes`."""
    span = 1 << width
    zeros = np.arange(len(streams.gap_counts))
    fillers = int((streams.gap_counts * (zeros // span)).sum())
    gaps = np.bincount(zeros % span, weights=streams.gap_counts, minlength=span).astype(np.int64)
    gaps[span - 1] += fillers
    symbols = np.append(streams.symbol_counts, fillers)
    return PaperStreams(int(symbols.sum()), huffman_bits(gaps), huffman_bits(symbols))


def best_gap_coded_bytes(streams: Streams) -> tuple[int, int]:
    """Fewest bytes over all gap widths, and the width that gives them."""
    return min((gap_coded_bytes(streams, width), width) for width in GAP_WIDTHS)


def zero_order_bytes(streams: Streams) -> float:
    """Bytes of a coder without a model of positions: N H(density) + nnz H(symbols), and the centroids."""
    stored = int(streams.symbol_counts.sum())
    positions = entropy_bits(np.array([stored, streams.size - stored]))
    return (positions + entropy_bits(streams.symbol_counts)) / 8 + CENTROID_BYTES * len(streams.symbol_counts)
