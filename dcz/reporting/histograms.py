"""Histograms of a layer: the distribution of its weights, and the code lengths of its streams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..dcformat import Dense, Shared, SparseRaw, SparseShared
from ..dcformat.tensors import Tensor, numbers

BINS = 60


@dataclass(frozen=True)
class Spread:
    """A histogram of the weights that are not zero.

    Attributes
    ----------
    low, high : float
        Limits of the bins, which are equally wide.
    counts : list of int
        Weights in each.
    distinct : int
        Number of distinct values.
    before : list of int or None
        Weights of the checkpoint that fall in the same bins, where one was given.
    """

    low: float
    high: float
    counts: list[int]
    distinct: int
    before: list[int] | None = None


@dataclass(frozen=True)
class CodeLengths:
    """Lengths of the Huffman codes of a stream.

    Attributes
    ----------
    codes : list of int
        Number of codes of length 0, 1, 2, ... bits.
    used : list of int
        Number of the stream's symbols with a code of that length.
    fixed_bits : int
        Width that symbols without a Huffman code would need.
    """

    codes: list[int]
    used: list[int]
    fixed_bits: int

    @property
    def mean(self) -> float:
        """Bits of a symbol, on average; 0 for an empty stream."""
        total = sum(self.used)
        return sum(bits * count for bits, count in enumerate(self.used)) / total if total else 0.0


def spread(tensor: Tensor, before: Dense | None = None) -> Spread | None:
    """Histogram of a tensor's weights.

    Parameters
    ----------
    tensor : Tensor
        Decoded, of floats.
    before : Dense, optional
        The same tensor in the checkpoint.

    Returns
    -------
    Spread or None
        None if there is no finite non-zero weight.
    """
    values, counts = _values(tensor)
    if not len(values):
        return None
    old = floats(before) if before is not None else None
    old = old[(old != 0) & np.isfinite(old)] if old is not None else None
    limits = values if old is None or not len(old) else np.concatenate([values, old])
    low, high = float(limits.min()), float(limits.max())
    if low == high:
        low, high = low - abs(low) / 2, high + abs(high) / 2
    return Spread(
        low,
        high,
        _binned(values, low, high, counts),
        len(np.unique(values)),
        _binned(old, low, high) if old is not None else None,
    )


def code_lengths(lengths: NDArray[np.uint8], symbols: NDArray[np.uint8], fixed_bits: int) -> CodeLengths:
    """Histograms of a Huffman code over its codes and over a stream.

    Parameters
    ----------
    lengths : ndarray of uint8, shape (k,)
        Bits of each symbol's code, 0 for those without.
    symbols : ndarray of uint8, shape (n,)
        The stream.
    fixed_bits : int
        Width of an uncoded symbol.
    """
    codes = np.bincount(lengths[lengths > 0], minlength=1)
    occurrences = np.bincount(symbols, minlength=len(lengths))
    used = np.bincount(lengths, weights=occurrences, minlength=len(codes))
    return CodeLengths(codes.tolist(), used.astype(np.int64).tolist(), fixed_bits)


def floats(tensor: Dense) -> NDArray[np.float64]:
    """All elements as float64, flat."""
    return tensor.numbers().reshape(-1).astype(np.float64)


def _values(tensor: Tensor) -> tuple[NDArray[np.float64], NDArray[np.int64] | None]:
    """Finite non-zero values, and the count of each; None: each occurs once."""
    counts = None
    match tensor:
        case Dense():
            values = floats(tensor)
        case SparseRaw():
            values = numbers(tensor.weights, tensor.dtype).astype(np.float64)
        case Shared() | SparseShared():
            values = numbers(tensor.codebook, tensor.dtype).astype(np.float64)
            counts = np.bincount(tensor.symbols, minlength=len(values))
    keep = (values != 0) & np.isfinite(values)
    if counts is None:
        return values[keep], None
    keep &= counts > 0
    return values[keep], counts[keep]


def _binned(values: NDArray[np.float64], low: float, high: float, counts: NDArray[np.int64] | None = None) -> list[int]:
    binned, _ = np.histogram(values, BINS, (low, high), weights=counts)
    out: list[int] = binned.astype(np.int64).tolist()
    return out
