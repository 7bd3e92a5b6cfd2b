"""Records: arrays of small numbers, as packed weights are, Huffman-coded so that they are decoded in place.

A record is a little-endian number of 1 to 8 bytes, such as a word of an offset and a symbol. Byte i of all records is a
*plane*: it has a Huffman code of its own and lies in four streams, which are decoded at once, straight to the places of
its bytes. What is coded takes one of three forms:

- the records as they are;
- *differences*: a field of each record is replaced by its difference from the field of the record before;
- *values*: where few different records occur, each is replaced by the number of its value.

Codes are in memory only, in compiled programs: containers have encodings of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..constants import MAX_CODE_LENGTH
from ..jit import called, lean_kernel
from .huffman import fill_table
from .huffman_code import HuffmanCode
from .huffman_decode import SLOTS, decode_slots

U8 = NDArray[np.uint8]
I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]

LEAST_BYTES = 1024
"""Shorter arrays are not coded."""
WORTH = 7 / 8
"""An array is coded where that takes at most this part of its bytes."""
_SIZE, _PLANES, _LOW, _WIDTH, _FIRST_PLANE = range(5)
"""Places in a header: bytes of a record; coded planes; lowest bit, and bits, of the field of differences; planes."""
_PLANE_FIELDS = 1 + SLOTS + 1
"""Of each plane: length of its alphabet, or ``-1 - byte`` where all bytes are equal; starts of its streams, and end."""
VALUE_BYTES = 4
"""Bytes of a record that is coded as the number of its value: those of a float32."""
_MOST_VALUES = 1 << 16


class Form(NamedTuple):
    """How the records of an array are coded.

    Attributes
    ----------
    size : int
        Bytes of a record.
    low, width : int
        Lowest bit, and bits, of the field that is coded as differences; no bits: none.
    values : bool
        Whether records are coded as the numbers of their values.
    """

    size: int
    low: int = 0
    width: int = 0
    values: bool = False


FORMS = {
    1: (Form(1), Form(1, width=8), Form(3, width=16)),
    2: (Form(2), Form(2, width=16), Form(2, low=5, width=11)),
    4: (Form(4), Form(4, width=32), Form(VALUE_BYTES, values=True)),
    8: (Form(8), Form(8, width=32)),
}
"""By bytes of an element. Kernels read offsets with symbols beside them: of 11 and 5 bits, or of 16 and 8."""


@dataclass(frozen=True, eq=False)
class Coded:
    """A coded array.

    Attributes
    ----------
    header : ndarray of int64
    lengths : ndarray of uint8
        Code lengths of all planes.
    streams : ndarray of uint8
    values : ndarray of uint8
        Bytes of the values that records number; else empty.
    nbytes : int
        Of the array, in whole records: at least its own.
    """

    header: I64
    lengths: U8
    streams: U8
    values: U8
    nbytes: int

    @property
    def coded_bytes(self) -> int:
        """Bytes that it takes."""
        return self.header.nbytes + self.lengths.nbytes + self.streams.nbytes + self.values.nbytes


class Workspace(NamedTuple):
    """Memory that decoding needs besides its output; its content does not matter before or after."""

    table: NDArray[np.uint32]
    places: I64
    slots: I64

    @classmethod
    def within(cls, memory: NDArray[np.float32]) -> Workspace:
        """Lay it out in the first `WORK_BYTES` bytes of some memory."""
        table, rest = memory[:_TABLE].view(np.uint32), memory[_TABLE : WORK_BYTES // 4].view(np.int64)
        return cls(table, rest[:_PLACES], rest[_PLACES:].reshape(4, SLOTS))


_TABLE, _PLACES = 1 << MAX_CODE_LENGTH, 4 * SLOTS
WORK_BYTES = 4 * _TABLE + 8 * (_PLACES + 4 * SLOTS)


def encode(array: NDArray[Any]) -> Coded | None:
    """Code an array in the form that takes the fewest bytes; None where that is not worth it.

    Parameters
    ----------
    array : ndarray
        C-contiguous, of elements of 1, 2, 4 or 8 bytes.
    """
    if array.nbytes < LEAST_BYTES:
        return None
    data = array.reshape(-1).view(np.uint8)
    planned = [made for form in FORMS[array.itemsize] if (made := _planes(data, form)) is not None]
    form, planes, values = min(planned, key=lambda made: _estimate(*made[1:]))
    coded = _code(form, planes, values)
    return coded if coded.coded_bytes <= WORTH * array.nbytes else None


def _planes(data: U8, form: Form) -> tuple[Form, list[U8], U8] | None:
    """The planes of an array in some form, and its values; None where they are too many."""
    words, values = _words(data, form.size), np.empty(0, np.uint64)
    count = form.size
    if form.values:
        values, words = (each.astype(np.uint64) for each in np.unique(words, return_inverse=True))
        if len(values) > _MOST_VALUES:
            return None
        count = 1 if len(values) <= 1 << 8 else 2
    elif form.width:
        words = _differences(words, form)
    return form, _bytes_of(words, count), np.stack(_bytes_of(values, form.size), axis=1).reshape(-1)


def _words(data: U8, size: int) -> U64:
    """Records as numbers; zeros fill the last one up."""
    columns = np.pad(data, (0, -len(data) % size)).reshape(-1, size).astype(np.uint64)
    words: U64 = np.bitwise_or.reduce(columns << np.uint64(8) * np.arange(size, dtype=np.uint64), axis=1)
    return words


def _differences(words: U64, form: Form) -> U64:
    """Records with the differences in their lowest bits, and what is below and above the field beyond these."""
    low, width, mask = np.uint64(form.low), np.uint64(form.width), np.uint64((1 << form.width) - 1)
    field = words >> low & mask
    steps = np.diff(field, prepend=np.uint64(0)) & mask
    rest = words & ((np.uint64(1) << low) - np.uint64(1)) | words >> low + width << low
    coded: U64 = steps | rest << width
    return coded


def _bytes_of(words: U64, count: int) -> list[U8]:
    return [(words >> np.uint64(8 * i)).astype(np.uint8) for i in range(count)]


def _estimate(planes: list[U8], values: U8) -> float:
    """About how many bytes a form takes: by the entropies of its planes."""
    counts = [np.bincount(plane) for plane in planes]
    shares = [count[count > 0] / count.sum() for count in counts]
    bits = sum(float(-(share * np.log2(share)).sum()) for share in shares) * len(planes[0])
    return len(values) + sum(map(len, counts)) + bits / 8


def _code(form: Form, planes: list[U8], values: U8) -> Coded:
    header, lengths, streams = [form.size, len(planes), form.low, form.width], list[U8](), list[bytes]()
    place, records = 0, len(planes[0])
    for plane in planes:
        if (plane == plane[0]).all():
            header += [-1 - int(plane[0]), *[place] * (SLOTS + 1)]
            continue
        code = HuffmanCode.fit(np.bincount(plane))
        parts = [code.encode(plane[first:last]) for first, last in _chunks(records)]
        starts = place + np.cumsum([0, *map(len, parts)])
        header += [len(code.lengths), *starts.tolist()]
        place, lengths, streams = int(starts[-1]), [*lengths, code.lengths], [*streams, *parts]
    coded = np.frombuffer(b"".join(streams), np.uint8).copy()
    return Coded(
        np.array(header), np.concatenate([np.empty(0, np.uint8), *lengths]), coded, values, form.size * records
    )


def _chunks(records: int) -> Iterator[tuple[int, int]]:
    """First and last record of each stream."""
    return ((records * k // SLOTS, records * (k + 1) // SLOTS) for k in range(SLOTS))


@lean_kernel
def decode_records(
    header: I64, lengths: U8, streams: U8, values: U8, table: NDArray[np.uint32], places: I64, slots: I64, out: U8
) -> None:
    """Decode an array in place.

    Parameters
    ----------
    header, lengths, streams, values : ndarray
        Of a `Coded` array. They are trusted: nothing is checked.
    table, places, slots : ndarray
        A `Workspace`.
    out : ndarray of uint8, shape (Coded.nbytes,)
    """
    size = header[_SIZE]
    records, first = len(out) // size, 0
    starts, limits = places[: SLOTS + 1], places[SLOTS + 1 : 2 * SLOTS + 2]
    codes = places[2 * SLOTS + 2 : 3 * SLOTS + 2]
    for k in range(SLOTS + 1):
        limits[k] = records * k // SLOTS
    codes[:] = 0
    for plane in range(header[_PLANES]):
        at = _FIRST_PLANE + plane * _PLANE_FIELDS
        symbols, begin = header[at], header[at + 1]
        if symbols < 0:
            for k in range(records):
                out[k * size + plane] = -1 - symbols
            continue
        fill_table(lengths[first : first + symbols], table)
        first += symbols
        for k in range(SLOTS + 1):
            starts[k] = header[at + 1 + k] - begin
        decode_slots(streams[begin : begin + starts[SLOTS]], starts, limits, table, codes, out[plane::size], slots)
    if header[_WIDTH] > 0 and size == 2:
        _add_up(2, header, records, out)  # LLVM then joins the bytes of a record
    elif header[_WIDTH] > 0:
        _add_up(size, header, records, out)
    elif len(values) > 0:
        _look_up(header, records, values, out)


@called
def _add_up(size: int, header: I64, records: int, out: U8) -> None:
    """Turn differences into the fields they are of, and put all bits in their places."""
    low, width = np.uint64(header[_LOW]), np.uint64(header[_WIDTH])
    mask, below = (np.uint64(1) << width) - np.uint64(1), (np.uint64(1) << low) - np.uint64(1)
    field = np.uint64(0)
    for k in range(records):
        word = np.uint64(0)
        for i in range(size):
            word |= np.uint64(out[k * size + i]) << np.uint64(8 * i)
        field = field + word & mask
        rest = word >> width
        word = rest & below | field << low | rest >> low << low + width
        for i in range(size):
            out[k * size + i] = word >> np.uint64(8 * i) & np.uint64(255)


@called
def _look_up(header: I64, records: int, values: U8, out: U8) -> None:
    """Turn numbers of values into the values."""
    for k in range(records):
        number = np.int64(out[k * VALUE_BYTES])
        if header[_PLANES] > 1:
            number += np.int64(out[k * VALUE_BYTES + 1]) << 8
        for i in range(VALUE_BYTES):
            out[k * VALUE_BYTES + i] = values[number * VALUE_BYTES + i]
