"""What an entropy coder offers: all that the encodings ask of one, so that another coder is another class.

A coder's class makes codes: `fit` from a histogram, `read_table` from a payload. A code is made for the symbols of one
part of a tensor (gaps, symbols). Its streams, one for each chunk, lie one behind the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from .bits import BitReader, BitWriter, Bytes


class EntropyCode(Protocol):
    """A code for symbols of one byte."""

    @classmethod
    def fit(cls, counts: Sequence[int] | NDArray[np.int64], with_table: bool = False) -> Self:
        """The best code for a histogram: the occurrences of each symbol of the alphabet.

        With `with_table`, that which takes the fewest bits together with its table, where that makes a difference.
        """

    @classmethod
    def read_table(cls, reader: BitReader, size: int) -> Self:
        """Read what `write_table` wrote, for an alphabet of `size` symbols.

        Raises
        ------
        FormatError
        """

    @classmethod
    def decode(cls, parts: Sequence[Streams]) -> list[NDArray[np.uint8]]:
        """Decode the streams of a tensor, which are coded with codes of this class.

        Parameters
        ----------
        parts : sequence of Streams
            Each part begins where the one before ends.

        Returns
        -------
        list of ndarray of uint8
            The symbols of each part.

        Raises
        ------
        FormatError
            A stream that does not give as many symbols as it should, or does not end where it should.
        """

    @property
    def lengths(self) -> NDArray[np.uint8]:
        """Bits of each symbol's code, of shape (alphabet,); 0 for a symbol that has none."""

    def cost(self, counts: NDArray[np.int64]) -> int:
        """Bits that symbols of this histogram take in one stream."""

    def table_bits(self) -> int:
        """Bits that `write_table` appends."""

    def write_table(self, out: BitWriter) -> None:
        """Append what a reader needs to make the code again."""

    def encode(self, symbols: NDArray[np.uint8]) -> bytes:
        """Code symbols into a stream of whole bytes."""


@dataclass(frozen=True, eq=False)
class Streams:
    """Coded streams that lie one behind the other: one for each chunk.

    Attributes
    ----------
    name : str
        What the symbols are, for messages.
    data : bytes-like
        The section that holds them.
    starts : ndarray of int64, shape (n + 1,)
        Offset of each stream in `data`, and of the end of the last.
    counts : ndarray of int64, shape (n,)
        Symbols in each stream.
    code : EntropyCode
    """

    name: str
    data: Bytes
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]
    code: EntropyCode

    @property
    def nbytes(self) -> int:
        """Bytes of all streams."""
        return int(self.starts[-1] - self.starts[0])

    @property
    def size(self) -> int:
        """Symbols in all streams."""
        return int(self.counts.sum())

    def part(self, chunks: slice) -> Streams:
        """The streams of some chunks that follow one another."""
        starts = self.starts[chunks.start : chunks.stop + 1]
        return Streams(self.name, self.data, starts, self.counts[chunks], self.code)

    def decode(self) -> NDArray[np.uint8]:
        """Decode the symbols of all streams.

        Raises
        ------
        FormatError
            A stream that is not well formed.
        """
        return self.code.decode([self])[0]
