"""`adaptive`: biases, norms and counters, with probabilities that adapt in place of tables.

A vector of some dozen elements is too short for a codebook and the table of a code. Here each element is split into an
upper part, which is small and is coded by a probability that adapts, and a lower part, whose bits are as good as
random and are plain: of integers and of levels of a grid the high and the low bits, of floats the exponent and the
mantissa.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError
from ..coding.adaptive_numbers import Numbers, write_number_lists
from ..coding.bits import write_varint
from ..coding.codebook import find_grid
from ..coding.element_parts import join_floats, join_grid, join_integers
from ..coding.number_reader import NumberReader, numbers
from ..constants import MAX_ADAPTIVE, MAX_ADAPTIVE_EXPANSION
from ..graph.graph import Shape
from ..tensors import DTYPES, FLOATS, Array, Dense, bit_patterns
from .base import Counted, Description, ElementScheme, Payload
from .header import Header

Ints = NDArray[np.int64]
_SIGNED, _WIDTH_SHIFT = 1 << 2, 3
_MAX_LEVEL = (1 << 15) - 1
"""Greatest magnitude of a level, as in a codebook of form `GRID`."""
_LOW_BITS = 7
"""The upper parts of integers have up to this number of bits: of more, the lower part is longer."""


class Kind(IntEnum):
    """How elements are split; the value stands in the file."""

    CONSTANT = 0
    """All elements are the same one."""
    INTEGERS = 1
    GRID = 2
    """Integers times one fp32 scale."""
    FLOATS = 3


class _Float(NamedTuple):
    """Widths of a floating-point type."""

    exponent: int
    mantissa: int


_FLOAT = {"F32": _Float(8, 23), "F16": _Float(5, 10), "BF16": _Float(8, 7)}


class _Split(NamedTuple):
    """A vector in parts.

    Attributes
    ----------
    kind : Kind
    extra : bytes
        Scale, or greatest exponent.
    width : int
        Bits of each lower part.
    upper, lower, signs : ndarray of int64, shape (n,)
    """

    kind: Kind
    extra: bytes
    width: int
    upper: Ints
    lower: Ints
    signs: Ints

    def write(self) -> bytes | None:
        """The payload; None where the limit of elements a byte would be passed."""
        signed = bool(self.signs.any())
        out = bytearray([self.kind | _SIGNED * signed | self.width << _WIDTH_SHIFT])
        out += self.extra
        lists = write_number_lists([Numbers(self.upper)])
        if len(self.upper) > MAX_ADAPTIVE_EXPANSION * len(lists):
            return None
        write_varint(out, len(lists))
        plain = self.signs << self.width | self.lower
        return b"".join([out, lists, _pack(plain, self.width + signed)])


@dataclass(frozen=True, eq=False, kw_only=True)
class ConstantPayload(Payload):
    """One element, for all.

    Attributes
    ----------
    element : ndarray, shape (1,)
    """

    element: Array

    def decode(self) -> Dense:
        """Repeat the element."""
        elements = np.empty(self.shape, self.element.dtype)
        elements.fill(self.element[0])  # numpy.full takes several times as long for a few elements
        return Dense(elements, self.dtype)

    def describe(self) -> Description:
        """Nothing but the bytes of `parts`."""
        return Description()


@dataclass(frozen=True, eq=False, kw_only=True)
class AdaptivePayload(Payload):
    """Elements in two parts.

    Attributes
    ----------
    kind : Kind
    signed : bool
        Whether signs are among the plain bits.
    width : int
        Bits of each lower part.
    scale : float32
        Of `Kind.GRID`.
    limit : int
        Greatest upper part; of `Kind.FLOATS`, the greatest exponent.
    begin, middle : int
        Where the upper parts begin in the data, and where they end.
    """

    kind: Kind
    signed: bool
    width: int
    scale: np.float32
    limit: int
    begin: int
    middle: int

    def decode(self) -> Dense:
        """Decode the upper parts, and join them with the others.

        Raises
        ------
        FormatError
            A stream that does not decode to its length, or an element that its type does not hold.
        """
        reader = NumberReader(self.data, self.begin, self.middle - self.begin, "elements")
        (upper,) = reader.read(numbers("upper part", prod(self.shape), self.limit))
        reader.close()
        plain = np.frombuffer(self.data, np.uint8, self.end - self.middle, self.middle)
        return Dense(self._join(upper, plain).reshape(self.shape), self.dtype)

    def describe(self) -> Description:
        """Nothing but the bytes of `parts`."""
        return Description()

    def _join(self, upper: Ints, plain: NDArray[np.uint8]) -> Array:
        """The elements; `upper` is overwritten."""
        dtype, parts = DTYPES[self.dtype], (plain, self.signed, self.width, upper)
        if self.kind == Kind.FLOATS:
            _check_padding(join_floats(*parts, self.limit, *_FLOAT[self.dtype]))
            return upper.astype(f"<u{dtype.itemsize}").view(dtype)
        if self.kind == Kind.GRID:
            weights = np.empty(len(upper), np.float32)
            with np.errstate(over="ignore"):
                _check_padding(join_grid(*parts, float(self.scale), weights))
            if not np.isfinite(weights).all():
                raise FormatError("a level times the scale passes the largest float")
            return weights
        _check_padding(join_integers(*parts))
        range_ = np.iinfo(dtype)
        if (upper < range_.min).any() or (upper > range_.max).any():
            raise FormatError(f"elements: an integer is too large for {self.dtype}")
        return upper.astype(dtype)


class AdaptiveScheme(ElementScheme):
    """Upper parts by adaptive probabilities, for scalars and vectors of all element types but booleans."""

    def __init__(self) -> None:
        super().__init__(frozenset(DTYPES) - {"BOOL"})

    def fits(self, dtype: str, shape: Shape) -> bool:
        """Whether a tensor has one axis at most, an element, and one of the element types."""
        return len(shape) < 2 and super().fits(dtype, shape)

    def write(self, tensor: Counted) -> bytes | None:
        """Write a vector in the way of splitting that takes the fewest bytes; None for one that is too long."""
        bits = bit_patterns(tensor.array)
        if (bits == bits[0]).all():
            return _write_constant(bits[:1], tensor.dtype in FLOATS)
        if len(bits) > MAX_ADAPTIVE:
            return None
        payloads = (split.write() for split in _splits(tensor))
        return min((payload for payload in payloads if payload is not None), key=len, default=None)

    def parse(self, header: Header) -> ConstantPayload | AdaptivePayload:
        """Read what stands before the streams, and check that they are there."""
        head = header.byte("payload")
        kind, signed, width = Kind(head & 3), bool(head & _SIGNED), head >> _WIDTH_SHIFT
        if kind == Kind.CONSTANT:
            return _parse_constant(header, signed, width)
        floats = header.dtype in FLOATS
        if (kind == Kind.INTEGERS) == floats or (kind == Kind.GRID and header.dtype != "F32") or header.dtype == "F64":
            raise FormatError(f"elements of {header.dtype} cannot be split in this way", found=kind.name)
        if header.size > MAX_ADAPTIVE:
            raise FormatError("too many elements for adaptive", expected=f"at most {MAX_ADAPTIVE}", found=header.size)
        scale, limit = np.float32(1), np.iinfo(np.uint32).max
        if kind == Kind.GRID:
            scale, limit = _read_scale(header), _MAX_LEVEL >> width
        elif kind == Kind.FLOATS:
            exponent, mantissa = _FLOAT[header.dtype]
            limit = header.varint((1 << exponent) - 1, "greatest exponent")
            if width > mantissa:
                raise FormatError("a mantissa is too long", expected=f"at most {mantissa} bits", found=width)
        nbytes = header.varint(len(header.data), "bytes of the upper parts")
        if header.size > MAX_ADAPTIVE_EXPANSION * nbytes:
            raise FormatError("more elements than so few bytes may stand for", found=header.size)
        begin = header.offset
        header.skip(nbytes, "upper parts")
        header.skip(-(-header.size * (width + signed) // 8), "lower parts")
        tables = begin - header.start
        return AdaptivePayload(
            shape=header.shape,
            dtype=header.dtype,
            data=header.data,
            end=header.offset,
            parts={"tables": tables, "values": header.offset - begin},
            kind=kind,
            signed=signed,
            width=width,
            scale=scale,
            limit=int(limit),
            begin=begin,
            middle=begin + nbytes,
        )


def _write_constant(element: Array, is_float: bool) -> bytes:
    """The bytes of an element without those that are zero: the last of a float, the first of an integer."""
    order = element.astype(element.dtype.newbyteorder(">" if is_float else "<")).tobytes()
    kept = order.rstrip(b"\0")
    return bytes([Kind.CONSTANT | len(kept) << _WIDTH_SHIFT]) + kept


def _parse_constant(header: Header, signed: bool, count: int) -> ConstantPayload:
    dtype = DTYPES[header.dtype]
    if signed or count > dtype.itemsize:
        raise FormatError(f"a constant of {header.dtype} has other bytes", found=count)
    kept = bytes(header.take(count, "constant")).ljust(dtype.itemsize, b"\0")
    element = kept[::-1] if header.dtype in FLOATS else kept
    return ConstantPayload(
        shape=header.shape,
        dtype=header.dtype,
        data=header.data,
        end=header.offset,
        parts={"values": header.offset - header.start},
        element=np.frombuffer(element, dtype),
    )


def _read_scale(header: Header) -> np.float32:
    scale: np.float32 = np.frombuffer(header.take(4, "scale"), "<f4")[0]
    if not (np.isfinite(scale) and scale > 0):
        raise FormatError("scale is not a positive number", found=float(scale))
    return scale


def _check_padding(sound: bool) -> None:
    if not sound:
        raise FormatError("elements: padding bits are not zero")


def _splits(tensor: Counted) -> Iterator[_Split]:
    """Ways of splitting a vector."""
    if tensor.dtype in _FLOAT:
        yield _split_floats(bit_patterns(tensor.array).astype(np.int64), _FLOAT[tensor.dtype])
    if tensor.dtype == "F32":
        yield from _split_grid(tensor.array.reshape(-1))
    elif tensor.dtype not in FLOATS:
        values = tensor.array.reshape(-1)
        if values.min() > -(1 << 31) and values.max() < 1 << 31:
            yield from _split_integers(values.astype(np.int64), Kind.INTEGERS, b"")


def _split_floats(bits: Ints, widths: _Float) -> _Split:
    exponents = bits >> widths.mantissa & (1 << widths.exponent) - 1
    mantissas = bits & (1 << widths.mantissa) - 1
    used = int(np.bitwise_or.reduce(mantissas))
    width = widths.mantissa - ((used & -used).bit_length() - 1) if used else 0
    extra = bytearray()
    write_varint(extra, largest := int(exponents.max()))
    signs = bits >> widths.exponent + widths.mantissa
    return _Split(Kind.FLOATS, bytes(extra), width, largest - exponents, mantissas >> widths.mantissa - width, signs)


def _split_grid(values: NDArray[np.float32]) -> Iterator[_Split]:
    if np.isfinite(values).all() and (grid := find_grid(np.unique(values))) is not None:
        scale, _ = grid
        levels = np.rint(values / np.float64(scale)).astype(np.int64)
        yield from _split_integers(levels, Kind.GRID, np.float32(scale).astype("<f4").tobytes())


def _split_integers(values: Ints, kind: Kind, extra: bytes) -> Iterator[_Split]:
    magnitudes, signs = np.abs(values), (values < 0).astype(np.int64)
    bits = int(magnitudes.max()).bit_length()
    for width in range(max(0, bits - _LOW_BITS), bits + 1):
        yield _Split(kind, extra, width, magnitudes >> width, magnitudes & (1 << width) - 1, signs)


def _pack(values: Ints, width: int) -> bytes:
    """Numbers of some width as a stream of bits."""
    return np.packbits((values[:, None] >> np.arange(width)[::-1] & 1).astype(np.uint8)).tobytes()
