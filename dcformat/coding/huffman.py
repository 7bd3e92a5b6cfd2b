"""Canonical Huffman codes of limited length: lengths from counts, codes from lengths, tables for the decoder.

Only code lengths are stored; the codes follow from them. `huffman_decode` reads the streams.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...core.errors import FormatError
from ..constants import MAX_CODE_LENGTH
from ..jit import kernel, lean_kernel
from .bits import BitReader, BitWriter, bits_by_order, zigzag_steps

if TYPE_CHECKING:
    from bitarray import bitarray

Lengths = NDArray[np.uint8]

LENGTH_SHIFT, FIRST_SHIFT, COUNT_SHIFT = 16, 22, 28
"""Fields of an entry of the decoding table."""
_LENGTH_MASK = (1 << COUNT_SHIFT - FIRST_SHIFT) - 1


def code_lengths(counts: Sequence[int] | NDArray[np.int64], limit: int = MAX_CODE_LENGTH) -> Lengths:
    """Best code lengths for some symbol counts, none above `limit`.

    Package-merge (Larmore and Hirschberg, "A fast algorithm for optimal length-limited Huffman codes", 1990). Ties
    go by symbol, so that equal counts give equal lengths everywhere. A symbol that does not occur has length 0; if
    only one occurs it has length 1.

    Parameters
    ----------
    counts : sequence of int, shape (n,)
    limit : int
        2**limit must be at least the number of symbols that occur.

    Returns
    -------
    ndarray of uint8, shape (n,)
    """
    lengths = np.zeros(len(counts), dtype=np.uint8)
    leaves = sorted((int(count), symbol) for symbol, count in enumerate(counts) if count)
    if len(leaves) < 2:
        for _, symbol in leaves:
            lengths[symbol] = 1
        return lengths
    if len(leaves) > 1 << limit:
        raise ValueError(f"{len(leaves)} symbols do not fit codes of {limit} bits")
    # Level by level, pair the cheapest items of the level below into packages and merge them with the leaves. An item
    # is twice its weight, and one more if it is a package: so leaves come first among equals.
    singles = [2 * count for count, _ in leaves]
    levels = [singles]
    for _ in range(limit - 1):
        below = levels[-1]
        packages = [(first & -2) + second | 1 for first, second in zip(below[::2], below[1::2], strict=False)]
        levels.append(sorted(singles + packages))
    # From the top level down, the 2n - 2 cheapest items are taken; each package takes two of the level below.
    take = 2 * len(leaves) - 2
    for level in reversed(levels):
        chosen = sum(not item & 1 for item in level[:take])
        for _, symbol in leaves[:chosen]:
            lengths[symbol] += 1
        take = 2 * (take - chosen)
    return lengths


def coded_bits(counts: NDArray[np.int64], lengths: Lengths) -> int:
    """Bits that symbols with these counts take. A code of one symbol takes none."""
    return int((counts * lengths).sum()) if np.count_nonzero(lengths) > 1 else 0


def canonical_codes(lengths: Lengths) -> dict[int, bitarray]:
    """Codes in order of (length, symbol), each the one before plus one; the code of a single symbol is empty."""
    from bitarray import bitarray
    from bitarray.util import int2ba

    used = sorted((int(length), symbol) for symbol, length in enumerate(lengths) if length)
    if len(used) == 1:
        return {used[0][1]: bitarray()}
    codes, code, previous = {}, 0, 0
    for length, symbol in used:
        code <<= length - previous
        codes[symbol] = int2ba(code, length)
        code, previous = code + 1, length
    return codes


def encode(symbols: NDArray[np.uint8], codes: dict[int, bitarray]) -> bytes:
    """Code symbols into whole bytes, the last one filled up with zero bits."""
    if len(codes) < 2:
        return b""
    from bitarray.util import ba2int

    table = np.zeros((1 << 8, 2), np.int64)  # a row for whatever a byte may be
    for symbol, code in codes.items():
        table[symbol] = ba2int(code), len(code)
    out = np.empty(len(symbols) * MAX_CODE_LENGTH // 8 + 1, np.uint8)
    return out[: _pack(symbols, table, out)].tobytes()


@kernel
def _pack(symbols: NDArray[np.uint8], table: NDArray[np.int64], out: NDArray[np.uint8]) -> int:
    """Write codes end to end, and return the number of bytes; `table` has the code and the length of each symbol."""
    held, bits, at = 0, 0, 0
    for i in range(len(symbols)):
        length = table[symbols[i], 1]
        held, bits = (held << length | table[symbols[i], 0]) & 0xFFFFFF, bits + length
        while bits >= 8:
            bits -= 8
            out[at] = held >> bits & 0xFF
            at += 1
    if bits > 0:
        out[at] = held << 8 - bits & 0xFF
        at += 1
    return at


def write_lengths(out: BitWriter, lengths: Lengths) -> None:
    """Append code lengths: a list of numbers, each the zigzag difference to the length before (the first: to 0)."""
    out.numbers(zigzag_steps(lengths))


def bits_of_lengths(lengths: Lengths) -> int:
    """Bits that `write_lengths` appends."""
    return int(bits_by_order(zigzag_steps(lengths)).min())


def read_lengths(reader: BitReader, count: int) -> Lengths:
    """Read what `write_lengths` wrote.

    Raises
    ------
    FormatError
        A length is out of range, or they are not those of a complete prefix code.
    """
    lengths = np.empty(count, dtype=np.uint8)
    spare = _lengths(reader.numbers(count, 2 * MAX_CODE_LENGTH), lengths)
    if spare < 0:
        raise FormatError("code length is out of range", expected=f"0 to {MAX_CODE_LENGTH}")
    if spare > 0:
        raise FormatError("code lengths do not make a complete prefix code", found=lengths.tolist())
    return lengths


@kernel
def _lengths(steps: NDArray[np.int64], lengths: NDArray[np.uint8]) -> int:
    """Work lengths out from their zigzag differences: 0 for a complete code, -1 for a length out of range, else 1."""
    length, used, taken = 0, 0, 0
    for i in range(len(steps)):
        length += -((steps[i] + 1) >> 1) if steps[i] & 1 else steps[i] >> 1
        if length < 0 or length > MAX_CODE_LENGTH:
            return -1
        lengths[i] = length
        if length > 0:
            used += 1
            taken += 1 << (MAX_CODE_LENGTH - length)
    single = used == 1 and taken == 1 << (MAX_CODE_LENGTH - 1)
    return 0 if single or taken == 1 << MAX_CODE_LENGTH else 1


def decoding_table(lengths: Lengths) -> NDArray[np.uint32]:
    """Table from the next `MAX_CODE_LENGTH` bits to the one or two symbols whose codes they begin with.

    Returns
    -------
    ndarray of uint32, shape (2**MAX_CODE_LENGTH,)
        ``first symbol | second symbol << 8 | length of both codes << LENGTH_SHIFT | length of the first code <<
        FIRST_SHIFT | number of symbols << COUNT_SHIFT``. For a single symbol all entries hold it twice, with length 0.
    """
    table = np.empty(1 << MAX_CODE_LENGTH, dtype=np.uint32)
    fill_table(lengths, table)
    return table


@lean_kernel
def fill_table(lengths: Lengths, table: NDArray[np.uint32]) -> None:
    """Fill the table that `decoding_table` makes."""
    size, end, only = len(table), 0, 0
    for length in range(1, MAX_CODE_LENGTH + 1):
        for symbol in range(len(lengths)):
            if lengths[symbol] == length:
                begin, end, only = end, end + (size >> length), symbol
                table[begin:end] = symbol | length << FIRST_SHIFT
    if end < size:  # half of it: a code of a single symbol
        table[:] = only | only << 8 | 2 << COUNT_SHIFT
        return
    for i in range(size):
        entry = np.int64(table[i])
        first = entry >> FIRST_SHIFT & _LENGTH_MASK
        follower = np.int64(table[i << first & (size - 1)])  # begins with what follows the first code
        both = first + (follower >> FIRST_SHIFT & _LENGTH_MASK)
        if both <= MAX_CODE_LENGTH:
            entry |= (follower & 255) << 8 | both << LENGTH_SHIFT | 2 << COUNT_SHIFT
        else:
            entry |= first << LENGTH_SHIFT | 1 << COUNT_SHIFT
        table[i] = entry
