"""Payloads by encoding, sections 4 and 5 of docs/format.md, in plain Python."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1}
SIZES |= {"U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1}
FLOATS = {"F64", "F32", "F16", "BF16"}
CHUNK = 16_384
F32, F16, GRID, PATTERN = range(4)

Decode = Callable[[], np.ndarray]
"""Decodes a payload that has been parsed: the elements' bits as unsigned integers, flat."""


class RefusedError(Exception):
    """A file that is not valid, or that this reader does not know."""


def need(holds: Any, what: str) -> None:
    if not holds:
        raise RefusedError(what)


class Reader:
    """Reads a payload from its front."""

    def __init__(self, data: bytes, offset: int) -> None:
        self.data, self.at = data, offset

    def take(self, count: int) -> bytes:
        part = self.data[self.at : self.at + count]
        need(len(part) == count, "payload is cut")
        self.at += count
        return part

    def varint(self, limit: int = 1 << 62) -> int:
        value = shift = 0
        while True:
            need(shift < 63, "varint too long")
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                need((byte or shift == 7) and value <= limit, "varint out of range, or not in its shortest form")
                return value

    def streams(self, sizes: list[int]) -> list[bytes]:
        return [self.take(size) for size in sizes]


class Bits:
    """Reads a bit stream that ends in a whole byte."""

    def __init__(self, reader: Reader) -> None:
        self.reader, self.byte, self.left = reader, 0, 0

    def number(self, width: int) -> int:
        value = 0
        for _ in range(width):
            if not self.left:
                self.byte, self.left = self.reader.take(1)[0], 8
            self.left -= 1
            value = value << 1 | self.byte >> self.left & 1
        return value

    def numbers(self, count: int) -> list[int]:
        order, values = self.number(5), []
        for _ in range(count):
            zeros = 0
            while not self.number(1):
                zeros += 1
                need(zeros + order <= 32, "number of more than 32 bits")
            need(zeros + order <= 32, "number of more than 32 bits")
            m = 1 << zeros | self.number(zeros)
            values.append((m - 1 << order) + self.number(order))
        return values

    def end(self) -> None:
        need(not self.byte & (1 << self.left) - 1, "padding is not zero")

    def lengths(self, count: int) -> list[int]:
        """Code lengths of an alphabet."""
        found, length = [], 0
        for n in self.numbers(count):
            length += -(n + 1 >> 1) if n & 1 else n >> 1
            need(0 <= length <= 12, "code length")
            found.append(length)
        used = [length for length in found if length]
        need(used == [1] or sum(1 << 12 - length for length in used) == 1 << 12, "code is not complete")
        return found


def chunk_sizes(count: int) -> list[int]:
    return [min(CHUNK, count - begin) for begin in range(0, count, CHUNK)]


def decoded(lengths: list[int], stream: bytes, count: int) -> list[int]:
    """Symbols of a stream of a canonical Huffman code."""
    used = sorted((length, symbol) for symbol, length in enumerate(lengths) if length)
    if len(used) == 1:
        need(not stream, "a code without bits takes some")
        return [used[0][1]] * count
    table = [entry for entry in used for _ in range(1 << 12 - entry[0])]
    out, window, held, at = [], 0, 0, 0
    for _ in range(count):
        while held < 12:
            window = window << 8 | (stream[at] if at < len(stream) else 0)
            at, held = at + 1, held + 8
        length, symbol = table[window >> held - 12]
        held -= length
        window &= (1 << held) - 1
        out.append(symbol)
    need((8 * at - held + 7) // 8 == len(stream), "a stream ends elsewhere")
    return out


def layout(reader: Reader) -> tuple[int, bool, int]:
    byte = reader.take(1)[0]
    need(byte >> 5 <= PATTERN, "unknown form of codebook")
    return byte & 15, bool(byte & 16), byte >> 5


def codebook(reader: Reader, form: int, dtype: str, most: int = 256) -> np.ndarray:
    """Bits of the centroids."""
    forms = {"F32": (F32, F16, GRID), "F16": (F16,), "F64": (F32, F16, GRID, PATTERN)}.get(dtype, (PATTERN,))
    need(form in forms, "form of the codebook")
    count, size = reader.varint(most), SIZES[dtype]
    need(count, "codebook is empty")
    scale = np.float32(0)
    if form == GRID:
        scale = np.frombuffer(reader.take(4), "<f4")[0]
        need(np.isfinite(scale) and scale > 0, "scale")
    if form == PATTERN and size == 8:
        patterns = np.frombuffer(reader.take(8 * count), "<u8")
        need((patterns[1:] > patterns[:-1]).all(), "patterns do not ascend")
        return patterns
    width = {F32: 32, F16: 16, GRID: 16, PATTERN: 8 * size}[form]
    bits = Bits(reader)
    found = [bits.number(width)]
    for step in bits.numbers(count - 1):
        found.append(found[-1] + step + 1)
    bits.end()
    need(found[-1] < 1 << width, "pattern out of range")
    need(dtype != "BOOL" or found[-1] < 2, "boolean")
    patterns = np.array(found, np.uint64)
    if form == PATTERN:
        return patterns.astype(f"<u{size}")
    if form == GRID:
        need(0x8000 not in found, "minus zero")
        exact = [(-1.0 if n >> 15 else 1.0) * (n & 0x7FFF) * float(scale) for n in found]
        need(max(map(abs, exact)) <= float(np.finfo(np.float32).max), "centroid is not finite")
        values: np.ndarray = np.array(exact).astype(np.float32)
    else:
        values = patterns.astype(f"<u{width // 8}").view(f"<f{width // 8}")
    return values.astype(f"<f{size}").view(f"<u{size}")


def payload(data: bytes, offset: int, shape: tuple[int, ...], dtype: str, encoding: str) -> tuple[Decode, int]:
    """Parse the payload at an offset: how to decode it, and where it ends."""
    reader, size = Reader(data, offset), prod(shape)
    need(encoding in PARSERS, f"unknown encoding {encoding!r}")
    parse, allowed = PARSERS[encoding]
    need(dtype in allowed and (size or encoding == "raw"), f"{dtype} cannot be {encoding}")
    return parse(reader, shape, dtype), reader.at


def raw(reader: Reader, shape: tuple[int, ...], dtype: str) -> Decode:
    elements = np.frombuffer(reader.take(prod(shape) * SIZES[dtype]), f"<u{SIZES[dtype]}")
    need(dtype != "BOOL" or not (elements > 1).any(), "boolean")
    return lambda: elements


def shared(reader: Reader, shape: tuple[int, ...], dtype: str) -> Decode:
    width, swapped, form = layout(reader)
    need(not width and not swapped, "a dense tensor has no gaps")
    centroids = codebook(reader, form, dtype)
    bits = Bits(reader)
    lengths = bits.lengths(len(centroids))
    bits.end()
    counts = chunk_sizes(prod(shape))
    streams = reader.streams([reader.varint() for _ in counts])
    return lambda: centroids[symbols_of(lengths, streams, counts)]


def symbols_of(lengths: list[int], streams: list[bytes], counts: list[int]) -> np.ndarray:
    parts = zip(streams, counts, strict=True)
    return np.array([symbol for stream, count in parts for symbol in decoded(lengths, stream, count)], np.int64)


def sparse(reader: Reader, shape: tuple[int, ...], dtype: str, values: str) -> Decode:
    """Positions, and what is there: symbols of a codebook (`shared`), or a payload of another encoding."""
    width, swapped, form = layout(reader)
    need(1 <= width <= 8, "gap width")
    need(not swapped or len(shape) > 1, "axes of a vector are swapped")
    size = prod(shape)
    stored = reader.varint(size)
    if not stored:
        return lambda: np.zeros(size, f"<u{SIZES[dtype]}")
    if values == "shared":
        centroids = codebook(reader, form, dtype)
        need(centroids.all(), "a centroid is zero")
    else:
        need(form == F32, "form without a codebook")
    bits = Bits(reader)
    gap_lengths = bits.lengths(1 << width)
    lengths = bits.lengths(len(centroids)) if values == "shared" else []
    bits.end()
    counts, columns = chunk_sizes(stored), 4 if values == "shared" else 3
    rows = [[reader.varint() for _ in range(columns)] for _ in counts]
    need(sum(row[1] for row in rows) <= size, "more escapes than weights")
    gap_streams = reader.streams([row[2] for row in rows])
    if values == "shared":
        streams = reader.streams([row[3] for row in rows])
    else:
        plain, reader.at = payload(reader.data, reader.at, (stored,), dtype, values)

    def decode() -> np.ndarray:
        places, start = [], 0
        for row, stream, count in zip(rows, gap_streams, counts, strict=True):
            start += row[0]
            found = positions(decoded(gap_lengths, stream, count + row[1]), start, width)
            need(len(found) == count and (not places or places[-1] < start), "gaps")
            places += found
        need(places[-1] < size, "gaps lead outside the tensor")
        out = np.zeros(size, f"<u{SIZES[dtype]}")
        out[places] = centroids[symbols_of(lengths, streams, counts)] if values == "shared" else plain()
        if swapped:
            out = out.reshape(shape[1], shape[0], -1).swapaxes(0, 1).reshape(-1)
        return out

    return decode


def positions(symbols: list[int], start: int, width: int) -> list[int]:
    """Flat positions of a chunk's weights."""
    escape, at, found = (1 << width) - 1, start, []
    need(symbols[0] == 0 and symbols[-1] != escape, "first or last gap of a chunk")
    for symbol in symbols:
        at += symbol
        if symbol != escape:
            found.append(at)
            at += 1
    return found


def scaled(reader: Reader, shape: tuple[int, ...], dtype: str, levels: str) -> Decode:
    need(len(shape) > 1, "a vector has no rows")
    scales = np.frombuffer(reader.take(4 * shape[0]), "<f4").astype(np.float64)
    need(np.isfinite(scales).all() and (scales > 0).all(), "scales")
    begin = reader.at
    decode, reader.at = payload(reader.data, begin, shape, "U16", levels)

    def weights() -> np.ndarray:
        patterns = decode()
        with np.errstate(over="ignore"):
            exact = np.where(patterns >> 15, -1.0, 1.0) * (patterns & 0x7FFF)
            found = (exact.reshape(shape[0], -1) * scales[:, None]).astype(np.float32)
        need(np.isfinite(found).all(), "weight is not finite")
        return found.reshape(-1).view("<u4")

    return weights


def planes(reader: Reader, shape: tuple[int, ...], dtype: str) -> Decode:
    mask, width, size = reader.take(1)[0], SIZES[dtype], prod(shape)
    need(0 < mask < 1 << width, "planes")
    coded = [p for p in reversed(range(width)) if mask >> p & 1]
    heads = [reader.take(2) for _ in coded]
    need(all(least + last < 256 for least, last in heads), "code for more than bytes")
    bits = Bits(reader)
    lengths = [bits.lengths(last + 1) for _, last in heads]
    bits.end()
    counts = chunk_sizes(size)
    rows = [[reader.varint() for _ in coded] for _ in counts]
    streams = [reader.streams([row[i] for row in rows]) for i in range(len(coded))]
    plain = {p: np.frombuffer(reader.take(size), np.uint8) for p in reversed(range(width)) if p not in coded}

    def decode() -> np.ndarray:
        held = dict(plain)
        for p, (least, _), code, parts in zip(coded, heads, lengths, streams, strict=True):
            held[p] = (symbols_of(code, parts, counts) + least).astype(np.uint8)
        words = np.zeros(size, np.uint64)
        for p in range(width):
            words |= held[p].astype(np.uint64) << np.uint64(8 * p)
        if dtype in FLOATS:
            words = words >> np.uint64(1) | (words & np.uint64(1)) << np.uint64(8 * width - 1)
        return words.astype(f"<u{width}")

    return decode


def wide(reader: Reader, shape: tuple[int, ...], dtype: str) -> Decode:
    width, swapped, form = layout(reader)
    need(not width and not swapped, "a dense tensor has no gaps")
    centroids = codebook(reader, form, dtype, 4096)
    decode, reader.at = payload(reader.data, reader.at, shape, "U16", "planes")

    def weights() -> np.ndarray:
        symbols = decode()
        need(symbols.max() < len(centroids), "symbol beyond the codebook")
        return centroids[symbols]

    return weights


OLD = {"F32", "F16"}
ANY = set(SIZES) - OLD
WIDE = {dtype for dtype, size in SIZES.items() if size > 1}
PARSERS: dict[str, tuple[Callable[[Reader, tuple[int, ...], str], Decode], set[str]]] = {
    "raw": (raw, set(SIZES)),
    "shared": (shared, OLD),
    "sparse_shared": (lambda reader, shape, dtype: sparse(reader, shape, dtype, "shared"), OLD),
    "sparse_raw": (lambda reader, shape, dtype: sparse(reader, shape, dtype, "raw"), OLD),
    "shared_any": (shared, ANY),
    "sparse_shared_any": (lambda reader, shape, dtype: sparse(reader, shape, dtype, "shared"), ANY),
    "sparse_raw_any": (lambda reader, shape, dtype: sparse(reader, shape, dtype, "raw"), ANY),
    "shared_scaled": (lambda reader, shape, dtype: scaled(reader, shape, dtype, "shared_any"), {"F32"}),
    "sparse_shared_scaled": (lambda reader, shape, dtype: scaled(reader, shape, dtype, "sparse_shared_any"), {"F32"}),
    "planes": (planes, WIDE),
    "shared_wide": (wide, WIDE),
    "sparse_planes": (lambda reader, shape, dtype: sparse(reader, shape, dtype, "planes"), WIDE),
}
