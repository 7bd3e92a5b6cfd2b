"""Parts that payloads have in common, in both directions: layout byte, codebook, tables of codes, chunks, streams.

Byte layouts are in `docs/format.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError, TruncatedError, UnsupportedVersionError
from ..coding.bits import BitReader, BitWriter, Bytes, read_varint, read_varints, write_varint
from ..coding.codebook import CodebookForm, forms_of, read_codebook, write_codebook
from ..coding.entropy import EntropyCode, Streams
from ..constants import CHUNK_ENTRIES, MAX_CODEBOOK
from ..graph.graph import Shape
from ..tensors import DTYPES, Array

SWAPPED = 1 << 4
FORM_SHIFT = 5


def layout_byte(form: CodebookForm, gap_bits: int = 0, swapped: bool = False) -> int:
    """First byte of a payload that is not raw: gap width, whether axes are swapped, form of the codebook."""
    return gap_bits | SWAPPED * swapped | form << FORM_SHIFT


def chunk_sizes(count: int) -> NDArray[np.int64]:
    """Weights in each chunk, of `count` stored ones: ndarray of int64, shape (chunks,)."""
    return np.diff(np.arange(0, count, CHUNK_ENTRIES), append=count)


def write_tables(*codes: EntropyCode) -> bytes:
    """The tables of codes, in one bit stream."""
    out = BitWriter()
    for code in codes:
        code.write_table(out)
    return out.tobytes()


def tables_bytes(*codes: EntropyCode) -> int:
    """Bytes that `write_tables` gives."""
    return -(-sum(code.table_bits() for code in codes) // 8)


@dataclass(frozen=True)
class Symbols:
    """How a tensor's weights become symbols: its distinct bit patterns, rising, as a codebook, and a code.

    Attributes
    ----------
    bits : ndarray of unsigned integers, shape (k,)
    code : EntropyCode
    form : CodebookForm
    codebook : bytes
        Empty for no patterns.
    cost : int
        Bits of the codebook and of all symbols.
    """

    bits: NDArray[Any]
    code: EntropyCode
    form: CodebookForm
    codebook: bytes
    cost: int

    @staticmethod
    def of(
        counts: Mapping[int, int], dtype: np.dtype[Any], coder: type[EntropyCode], with_table: bool = False
    ) -> Symbols:
        """Make them from the occurrences of each bit pattern of a tensor of this type."""
        bits = np.array(sorted(counts), dtype=f"<u{dtype.itemsize}")
        occurrences = np.array([counts[pattern] for pattern in bits.tolist()], dtype=np.int64)
        code = coder.fit(occurrences, with_table)
        form, codebook = write_codebook(bits.view(dtype)) if len(bits) else (CodebookForm.F32, b"")
        return Symbols(bits, code, form, codebook, code.cost(occurrences) + 8 * len(codebook))

    def write_codebook(self, out: bytearray) -> None:
        """Append the number of centroids, and these."""
        write_varint(out, len(self.bits))
        out += self.codebook

    def encode(self, bits: NDArray[Any]) -> bytes:
        """The stream of a chunk's bit patterns."""
        return self.code.encode(np.searchsorted(self.bits, bits).astype(np.uint8))


class Header:
    """Reads a payload from its front.

    Parameters
    ----------
    data : bytes-like
        A section.
    offset : int
        Where the payload, or the rest of it, begins.
    shape : tuple of int
    dtype : str
        Element type of what is coded.
    """

    def __init__(self, data: Bytes, offset: int, shape: Shape, dtype: str) -> None:
        self.data = data
        self.start = self.offset = offset
        self.shape = shape
        self.dtype = dtype
        self.size = prod(shape)

    def varint(self, limit: int, what: str) -> int:
        """Read an unsigned integer."""
        value, self.offset = read_varint(self.data, self.offset, limit, what)
        return value

    def byte(self, what: str) -> int:
        """Read a byte."""
        return self.take(1, what)[0]

    def layout(self) -> tuple[int, bool, CodebookForm]:
        """Gap width, whether axes are swapped, form of the codebook."""
        byte = self.byte("payload")
        if byte >> FORM_SHIFT not in set(CodebookForm):
            raise UnsupportedVersionError(
                "payload: unknown form of codebook", found=byte >> FORM_SHIFT, hint="a newer dcz may know it"
            )
        return byte & (SWAPPED - 1), bool(byte & SWAPPED), CodebookForm(byte >> FORM_SHIFT)

    def dense_layout(self) -> CodebookForm:
        """Form of the codebook, of a payload without gaps."""
        gap_bits, swapped, form = self.layout()
        if gap_bits or swapped:
            raise FormatError("payload: a dense tensor has no gaps")
        return form

    def codebook(self, form: CodebookForm, most: int = MAX_CODEBOOK) -> tuple[Array, int]:
        """Read the codebook, and the bytes that it took; it may have up to the given number of centroids."""
        if form not in (known := forms_of(self.dtype)):
            expected = " or ".join(item.name for item in sorted(known))
            raise FormatError(f"a codebook of {self.dtype} cannot have this form", expected=expected, found=form.name)
        begin = self.offset
        count = self.varint(most, "codebook size")
        if count == 0:
            raise FormatError("codebook is empty")
        codebook, self.offset = read_codebook(self.data, self.offset, count, form, DTYPES[self.dtype])
        if self.dtype == "BOOL" and codebook.view(np.uint8).max() > 1:
            raise FormatError("codebook: a boolean is neither 0 nor 1")
        return codebook, self.offset - begin

    def codes(self, coder: type[EntropyCode], *sizes: int) -> list[EntropyCode]:
        """The codes whose tables follow, for alphabets of these sizes."""
        reader = BitReader(self.data, self.offset, "code lengths")
        codes: list[EntropyCode] = [coder.read_table(reader, size) for size in sizes]
        self.offset = reader.align()
        return codes

    def chunk_table(self, entries: int, limits: dict[str, int]) -> dict[str, NDArray[np.int64]]:
        """Columns of varints, one row a chunk."""
        chunks = -(-entries // CHUNK_ENTRIES)
        # Each number takes a byte or more: more rows than that cannot be there.
        if chunks * len(limits) > len(self.data) - self.offset:
            raise TruncatedError("chunk table: data ends too early", where=f"byte {self.offset}")
        rows, self.offset = read_varints(self.data, self.offset, chunks, limits, "chunk table")
        return dict(zip(limits, rows.T, strict=True))

    def streams(self, name: str, sizes: NDArray[np.int64], counts: NDArray[np.int64], code: EntropyCode) -> Streams:
        """The streams that follow, of these bytes and symbols each."""
        starts = self.offset + np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
        self.skip(int(sizes.sum()), name)
        return Streams(name, self.data, starts, counts, code)

    def skip(self, count: int, what: str) -> None:
        """Pass over some bytes, which must be there."""
        self.take(count, what)

    def take(self, count: int, what: str) -> memoryview:
        """The next bytes, which must be there: a view."""
        if count > len(self.data) - self.offset:
            raise TruncatedError(
                f"{what}: data ends too early", expected=f"{count} bytes", found=len(self.data) - self.offset
            )
        self.offset += count
        return memoryview(self.data)[self.offset - count : self.offset]
