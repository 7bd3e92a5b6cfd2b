"""Huffman coding as an entropy coder: what `huffman` and `huffman_decode` do, under the names of `entropy`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError
from ...core.memory import room
from . import huffman
from .bits import BitReader, BitWriter
from .entropy import Streams
from .huffman_decode import SLOTS, decode_streams

if TYPE_CHECKING:
    from bitarray import bitarray


class HuffmanCode:
    """A canonical Huffman code; fulfils `EntropyCode`.

    Parameters
    ----------
    lengths : ndarray of uint8, shape (alphabet,)
    """

    def __init__(self, lengths: huffman.Lengths) -> None:
        self.lengths = lengths

    @classmethod
    def fit(cls, counts: Sequence[int] | NDArray[np.int64], with_table: bool = False) -> Self:
        """The best code of limited length for a histogram."""
        best = cls(huffman.code_lengths(counts))
        if not with_table:
            return best
        from .short_tables import lengths_of_short_table  # only writing needs it

        occurrences = np.asarray(counts, np.int64)
        lengths = lengths_of_short_table(occurrences)
        others = [] if lengths is None else [cls(lengths)]
        return min([best, *others], key=lambda code: code.cost(occurrences) + code.table_bits())

    @classmethod
    def read_table(cls, reader: BitReader, size: int) -> Self:
        """Read the code lengths.

        Raises
        ------
        FormatError
            They are not those of a complete prefix code.
        """
        return cls(huffman.read_lengths(reader, size))

    @classmethod
    def decode(cls, parts: Sequence[Streams]) -> list[NDArray[np.uint8]]:
        """Decode the streams of a tensor together; parts of many streams each into its own memory.

        Raises
        ------
        FormatError
            A stream that does not end where it should; names its part and chunk.
        """
        if len(parts) > 1 and all(len(part.counts) >= SLOTS for part in parts):
            return [part.decode() for part in parts]
        begin, end = int(parts[0].starts[0]), int(parts[-1].starts[-1])
        starts = np.concatenate([*(part.starts[:-1] for part in parts), parts[-1].starts[-1:]]) - begin
        counts = np.concatenate([part.counts for part in parts])
        tables = np.concatenate([huffman.decoding_table(part.code.lengths) for part in parts])
        chunks = [len(part.counts) for part in parts]
        out = room(int(counts.sum()), np.uint8)
        coded = np.frombuffer(parts[0].data, np.uint8, end - begin, begin)
        codes = np.repeat(np.arange(len(parts)), chunks)
        bad = decode_streams(coded, starts, counts, tables, codes, out)
        if bad >= 0:
            name, chunk = [(part.name, i) for part in parts for i in range(len(part.counts))][bad]
            raise FormatError(f"{name} do not decode to their length", where=f"chunk {chunk}")
        ends = np.cumsum(counts)[np.cumsum(chunks) - 1].tolist()
        return [out[: ends[0]], *(out[first:last].copy() for first, last in pairwise(ends))]

    @cached_property
    def _codes(self) -> dict[int, bitarray]:
        return huffman.canonical_codes(self.lengths)

    def cost(self, counts: NDArray[np.int64]) -> int:
        """Bits that symbols of this histogram take."""
        return huffman.coded_bits(counts, self.lengths)

    def table_bits(self) -> int:
        """Bits that `write_table` appends."""
        return huffman.bits_of_lengths(self.lengths)

    def write_table(self, out: BitWriter) -> None:
        """Append the code lengths."""
        huffman.write_lengths(out, self.lengths)

    def encode(self, symbols: NDArray[np.uint8]) -> bytes:
        """Code symbols into whole bytes, the last one filled up with zero bits."""
        return huffman.encode(symbols, self._codes)
