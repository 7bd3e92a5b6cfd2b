"""`planes`: each byte of the elements is a plane of its own, coded where that is shorter, else as it is.

Of trained floats the exponent is coded, and sign and mantissa are plain. Planes that are constant take no bytes: those
of counters, and of float32 numbers that were once float16 or bfloat16.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError
from ...core.memory import room
from ..coding.bits import Bytes, write_varint
from ..coding.entropy import EntropyCode, Streams
from ..coding.histograms import entropy_bits
from ..coding.planes import Plane, join, split
from ..constants import CHUNK_ENTRIES
from ..tensors import DTYPES, FLOATS, Array, Dense, bit_patterns, flat_pieces
from .base import Counted, Description, ElementScheme, Payload
from .header import Header, chunk_sizes, tables_bytes, write_tables

WIDE = frozenset(name for name, dtype in DTYPES.items() if dtype.itemsize > 1)
"""Element types of two bytes and more."""
_BYTES = 256
_PLANE_HEAD = 3
"""Bytes of a coded plane beside its code: least byte, alphabet, length of a stream."""
_STEP = 32 * CHUNK_ENTRIES
"""Elements that are decoded together: their planes stay in the cache until they are joined."""


@dataclass(frozen=True)
class _Coding:
    """How a coded plane is written.

    Attributes
    ----------
    least : int
        The byte of the symbol 0.
    code : EntropyCode
    """

    least: int
    code: EntropyCode

    @staticmethod
    def of(counts: NDArray[np.int64], coder: type[EntropyCode]) -> _Coding | None:
        """Code a plane with these occurrences of bytes, shape (256,); None where plain is shorter."""
        found = np.flatnonzero(counts)
        least, beyond = int(found[0]), int(found[-1]) + 1
        size = int(counts.sum())
        if entropy_bits(counts) + beyond - least >= 8 * (size - _PLANE_HEAD):  # a symbol takes a bit in the table too
            return None
        code = coder.fit(counts[least:beyond])
        bits = code.cost(counts[least:beyond]) + 8 * (_PLANE_HEAD + tables_bytes(code))
        return _Coding(least, code) if bits < 8 * size else None

    def encode(self, plane: Plane) -> bytes:
        """The stream of a chunk of the plane."""
        return self.code.encode(plane - np.uint8(self.least))


@dataclass(frozen=True)
class CodedPlane:
    """A coded plane.

    Attributes
    ----------
    symbols : Streams
    least : int
        The byte of the symbol 0.
    """

    symbols: Streams
    least: int

    def decode(self, chunks: slice) -> Plane:
        """Decode some chunks: ndarray of uint8.

        Raises
        ------
        FormatError
            A stream that does not decode to its length.
        """
        bytes_ = self.symbols.part(chunks).decode()
        bytes_ += np.uint8(self.least)
        return bytes_


@dataclass(frozen=True, eq=False, kw_only=True)
class PlanesPayload(Payload):
    """Planes.

    Attributes
    ----------
    planes : sequence of ndarray of uint8, shape (size,), or CodedPlane
        The highest first.
    """

    planes: Sequence[Plane | CodedPlane]

    def decode(self) -> Dense:
        """Decode and join the planes.

        Raises
        ------
        FormatError
            A stream that does not decode to its length.
        """
        out = room(prod(self.shape), DTYPES[self.dtype])
        for begin in range(0, len(out), _STEP):
            self._join(begin, out[begin : begin + _STEP])
        return Dense(out.reshape(self.shape), self.dtype)

    def pieces(self) -> Iterator[Array]:
        """Decode some chunks at a time."""
        size = prod(self.shape)
        for begin in range(0, size, _STEP):
            out = np.empty(min(_STEP, size - begin), DTYPES[self.dtype])
            self._join(begin, out)
            yield from (piece for (piece,) in flat_pieces(out))

    def describe(self) -> Description:
        """Nothing but the bytes of `parts`."""
        return Description()

    def _join(self, begin: int, out: Array) -> None:
        """Decode the elements from the first of a chunk on."""
        end = begin + len(out)
        chunks = slice(begin // CHUNK_ENTRIES, -(-end // CHUNK_ENTRIES))
        planes = [plane.decode(chunks) if isinstance(plane, CodedPlane) else plane[begin:end] for plane in self.planes]
        join(planes, self.dtype in FLOATS, out.view(f"u{out.itemsize}"))


class PlanesScheme(ElementScheme):
    """Planes of elements of two bytes and more.

    Parameters
    ----------
    coder : class of EntropyCode
        What codes the planes that are not plain.
    """

    def __init__(self, coder: type[EntropyCode]) -> None:
        super().__init__(WIDE)
        self.coder = coder

    def write(self, tensor: Counted) -> Bytes | None:
        """Write a tensor of which a plane is worth a code, unless most of it is zero or it has many equal elements."""
        size = tensor.array.size
        # A codebook, or positions, take fewer bytes then, and all this would be for nothing.
        if 2 * tensor.zeros > size or (size > CHUNK_ENTRIES and tensor.counts is not None):
            return None
        codings = [_Coding.of(counts, self.coder) for counts in _occurrences(tensor)]
        coded = [coding for coding in codings if coding is not None]
        if not coded:
            return None
        out = bytearray([sum(1 << k for k, coding in enumerate(reversed(codings)) if coding is not None)])
        for coding in coded:
            out += bytes([coding.least, len(coding.code.lengths) - 1])
        out += write_tables(*(coding.code for coding in coded))
        streams: list[list[bytes]] = [[] for _ in coded]
        for planes in _chunks(tensor):
            in_planes = (plane for plane, how in zip(planes, codings, strict=True) if how is not None)
            for plane, how, parts in zip(in_planes, coded, streams, strict=True):
                parts.append(how.encode(plane))
                write_varint(out, len(parts[-1]))
        for parts in streams:
            out += b"".join(parts)
        return _with_plain(out, tensor, [k for k, how in enumerate(codings) if how is None])

    def parse(self, header: Header) -> PlanesPayload:
        """Read what stands before the streams, and check that all planes are there."""
        mask, width = header.byte("planes"), DTYPES[header.dtype].itemsize
        if not 0 < mask < 1 << width:
            raise FormatError("planes: none is coded, or one that there is not", found=f"{mask:#04x}")
        coded = [k for k in reversed(range(width)) if mask >> k & 1]
        alphabets = [(header.byte("planes"), header.byte("planes") + 1) for _ in coded]
        if any(least + size > _BYTES for least, size in alphabets):
            raise FormatError("planes: a code is for more than bytes", found=alphabets)
        codes = header.codes(self.coder, *(size for _, size in alphabets))
        table = header.chunk_table(header.size, {f"bytes of plane {k}": len(header.data) for k in coded})
        tables = header.offset - header.start
        planes: dict[int, Plane | CodedPlane] = {}
        for k, code, (least, _), sizes in zip(coded, codes, alphabets, table.values(), strict=True):
            planes[k] = CodedPlane(header.streams("planes", sizes, chunk_sizes(header.size), code), least)
        for k in reversed(range(width)):
            if k not in planes:
                planes[k] = np.frombuffer(header.take(header.size, "planes"), np.uint8)
        return PlanesPayload(
            shape=header.shape,
            dtype=header.dtype,
            data=header.data,
            end=header.offset,
            parts={"tables": tables, "values": header.offset - header.start - tables},
            planes=[planes[k] for k in reversed(range(width))],
        )


def _chunks(tensor: Counted) -> Iterator[list[Plane]]:
    """The planes of a tensor, a chunk at a time."""
    bits = bit_patterns(tensor.array)
    for begin in range(0, len(bits), CHUNK_ENTRIES):
        yield split(bits[begin : begin + CHUNK_ENTRIES], tensor.dtype in FLOATS)


def _with_plain(coded: bytearray, tensor: Counted, plain: list[int]) -> memoryview:
    """A payload's coded part, and the plain planes behind it: written into their place, as they are most of it."""
    size = tensor.array.size
    out = np.empty(len(coded) + len(plain) * size, np.uint8)
    out[: len(coded)] = np.frombuffer(coded, np.uint8)
    places = out[len(coded) :].reshape(len(plain), size)
    begin = 0
    for planes in _chunks(tensor):
        end = begin + len(planes[0])
        for k, place in zip(plain, places, strict=True):
            place[begin:end] = planes[k]
        begin = end
    return out.data.toreadonly()


def _occurrences(tensor: Counted) -> NDArray[np.int64]:
    """How often each byte occurs in each plane: ndarray of int64, shape (planes, 256)."""
    counts = np.zeros((tensor.array.itemsize, _BYTES), dtype=np.int64)
    for planes in _chunks(tensor):
        for row, plane in zip(counts, planes, strict=True):
            row += np.bincount(plane, minlength=_BYTES)
    return counts
