"""What an encoding offers: a `Scheme` that writes and reads payloads, and the `Payload` that it reads.

`table` lists the schemes by the names that stand in the manifest.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..coding.bits import Bytes
from ..coding.entropy import Streams
from ..constants import CHUNK_ENTRIES, MAX_CODEBOOK, MAX_WIDE_CODEBOOK
from ..graph.graph import Shape
from ..tensors import DTYPES, PIECE, Array, Dense, Tensor, bit_patterns, flat_pieces
from .header import Header
from .row_scales import split_rows

SHAREABLE = frozenset({"F32", "F16"})
"""Element types of the encodings of format 1.0 other than `raw`."""
LEVELS = "U16"
"""Element type of levels: their patterns have 16 bits."""
OTHERS = frozenset(DTYPES) - SHAREABLE
"""Element types of the ``_any`` encodings of format 1.1."""


class Counted:
    """A tensor to be encoded, and what is counted of it: once, whichever schemes ask.

    Attributes
    ----------
    array : ndarray
        Contiguous, little-endian, not empty.
    dtype : str
        Its element type, a key of `DTYPES`.
    tables_count : bool
        Whether codes of small tensors are those that take the fewest bits with their tables.
    most : float
        Bytes that a payload may take, as another scheme takes no more. A scheme that would take more need not write it.
    found : dict
        What one function found out about the tensor, for its later calls: by the function's own key.
    """

    def __init__(self, array: Array, dtype: str, tables_count: bool = False) -> None:
        self.array = array
        self.dtype = dtype
        self.tables_count = tables_count
        self.most = math.inf
        self.found: dict[Any, Any] = {}

    @staticmethod
    def of(tensor: Dense, tables_count: bool = False) -> Counted:
        """Lay a tensor's elements out as a container stores them."""
        array = np.ascontiguousarray(tensor.array, dtype=DTYPES[tensor.dtype])
        return Counted(array.reshape(tensor.shape), tensor.dtype, tables_count)

    @cached_property
    def counts(self) -> dict[int, int] | None:
        """How often each bit pattern but zero occurs, or None for more than a codebook holds."""
        found: Counter[int] = Counter()
        for bits in self.pieces():
            patterns, counts = np.unique(bits[bits != 0], return_counts=True)
            if len(patterns) <= MAX_CODEBOOK:
                found.update(dict(zip(patterns.tolist(), counts.tolist(), strict=True)))
            if max(len(patterns), len(found)) > MAX_CODEBOOK:
                return None
        return found

    @cached_property
    def patterns(self) -> NDArray[Any] | None:
        """The distinct bit patterns, ascending; None for more than a wide codebook holds."""
        bits = bit_patterns(self.array)
        found = np.unique(bits[:CHUNK_ENTRIES])  # of most tensors these are too many already
        for begin in range(CHUNK_ENTRIES, len(bits), PIECE):
            if len(found) > MAX_WIDE_CODEBOOK:
                break
            found = np.union1d(found, bits[begin : begin + PIECE])
        return found if len(found) <= MAX_WIDE_CODEBOOK else None

    @cached_property
    def zeros(self) -> int:
        """How many bit patterns are zero."""
        stored = int(np.count_nonzero(bit_patterns(self.array))) if self.counts is None else sum(self.counts.values())
        return self.array.size - stored

    @cached_property
    def levels(self) -> tuple[NDArray[np.float32], Counted] | None:
        """Scales and levels, where each row of a float32 tensor is on a grid of its own."""
        split = split_rows(self.array)
        return (split[0], Counted(split[1], LEVELS, self.tables_count)) if split is not None else None

    def pieces(self, swapped: bool = False) -> Iterator[NDArray[Any]]:
        """Bit patterns, flat, piece by piece: in the array's own order, or with its first two axes swapped."""
        if not swapped:
            yield from (bits for (bits,) in flat_pieces(bit_patterns(self.array)))
            return
        rows, columns, inner = *self.array.shape[:2], prod(self.array.shape[2:])
        together = max(1, PIECE // (rows * inner))
        height = rows if together > 1 else max(1, PIECE // inner)
        for column in range(0, columns, together):
            for row in range(0, rows, height):
                yield bit_patterns(self.array[row : row + height, column : column + together].swapaxes(0, 1))


@dataclass(frozen=True)
class Description:
    """What a payload's header tells of it, for ``dcz info`` and ``dcz report``.

    Attributes
    ----------
    nnz : int or None
        Stored weights; None where only decoding tells.
    gap_bits : int or None
        Gap width; None where positions are not stored.
    codebook_size : int
        Centroids, or levels; 0 without a codebook.
    centroids : int
        Numbers that the shared weights are made of: centroids, or levels and scales.
    streams : mapping of str to Streams
        Entropy-coded parts that are not empty, by name: gaps, symbols.
    """

    nnz: int | None = None
    gap_bits: int | None = None
    codebook_size: int = 0
    centroids: int = 0
    streams: Mapping[str, Streams] = field(default_factory=dict)


@dataclass(frozen=True, eq=False, kw_only=True)
class Payload(ABC):
    """A tensor's payload whose header has been read and checked.

    Attributes
    ----------
    shape : tuple of int
    dtype : str
        A key of `DTYPES`.
    data : bytes-like
        The section that holds it.
    end : int
        Where it ends in `data`.
    parts : mapping of str to int
        Bytes of each part: codebook, tables, gaps, symbols, values.
    """

    shape: Shape
    dtype: str
    data: Bytes
    end: int
    parts: Mapping[str, int]

    @abstractmethod
    def decode(self) -> Tensor:
        """Decode.

        Raises
        ------
        FormatError
            A stream that does not decode to what the header announces.
        """

    def pieces(self) -> Iterator[Array]:
        """Decode to dense elements in order, flat, some at a time.

        Raises
        ------
        FormatError
            As for `decode`.
        """
        return self.decode().pieces()

    @abstractmethod
    def describe(self) -> Description:
        """What the header tells, without decoding."""


class Scheme(ABC):
    """An encoding: how payloads are laid out, in both directions."""

    @abstractmethod
    def fits(self, dtype: str, shape: Shape) -> bool:
        """Whether a tensor of this element type and shape may have it."""

    @abstractmethod
    def write(self, tensor: Counted) -> Bytes | None:
        """The payload of a tensor that fits; None where its values do not allow it, or another scheme is shorter.

        `Counted.most` tells how many bytes another one takes.
        """

    @abstractmethod
    def parse(self, header: Header) -> Payload:
        """Read the header of a payload and check all counts and lengths, before taking memory for them.

        Raises
        ------
        FormatError
            Any length or count that does not fit.
        """


class ElementScheme(Scheme):
    """A scheme for non-empty tensors of some element types.

    Parameters
    ----------
    dtypes : set of str
        Keys of `DTYPES`.
    """

    def __init__(self, dtypes: frozenset[str]) -> None:
        self.dtypes = dtypes

    def fits(self, dtype: str, shape: Shape) -> bool:
        """Whether a tensor has one of the element types, and an element."""
        return dtype in self.dtypes and prod(shape) > 0
