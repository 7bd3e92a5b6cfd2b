"""Payloads by encoding, section 5 of docs/format.md, in plain Python."""

from functools import partial
from math import prod

import numpy as np
from second_models import context, mixed
from second_parts import SIZES, Decode, RangeCoder, Reader, Shape, codebook, on_grid, positions

CONSTANT, INTEGERS, ON_GRID, FLOATING = range(4)
EXPONENT_BITS = {"F32": 8, "F16": 5, "BF16": 8}
ALL, OLD, FLOATS = set(SIZES), {"F32", "F16"}, {"F64", "F32", "F16", "BF16"}
WIDE = {dtype for dtype, size in SIZES.items() if size > 1}


def payload(reader: Reader, shape: Shape, dtype: str, encoding: str) -> Decode:
    """Parse a payload, which leaves the reader at its end."""
    return PARSERS[encoding, dtype](reader, shape, dtype)


def raw(reader: Reader, shape: Shape, dtype: str) -> Decode:
    return reader.take(prod(shape), f"<u{SIZES[dtype]}").copy


def shared(reader: Reader, shape: Shape, dtype: str, wide: bool) -> Decode:
    """Symbols of a codebook, by a Huffman code or in planes."""
    centroids = codebook(reader, int(reader.take(1)[0]) >> 5, dtype)
    decode = (
        payload(reader, shape, "U16", "planes")
        if wide
        else reader.symbols(reader.code(len(centroids)), *reader.chunks(prod(shape), 1))
    )
    return lambda: centroids[decode()]


def sparse(reader: Reader, shape: Shape, dtype: str, values: str) -> Decode:
    """Positions, and what is there: symbols of a codebook (`shared`), or a payload of another encoding."""
    layout, stored, with_codebook = int(reader.take(1)[0]), reader.varint(), values == "shared"
    width, out = layout & 15, np.zeros(prod(shape), f"<u{SIZES[dtype]}")
    assert 1 <= width <= 8, "gap width"
    if not stored:
        return lambda: out
    centroids = codebook(reader, layout >> 5, dtype) if with_codebook else np.empty(0)
    gap_code, code = reader.code(1 << width), reader.code(len(centroids)) if with_codebook else np.empty(0)
    counts, starts, escapes, *sizes = reader.chunks(stored, 3 + with_codebook)
    lengths = np.add(counts, escapes)
    gaps = reader.symbols(gap_code, lengths, sizes[0])
    of = reader.symbols(code, counts, sizes[1]) if with_codebook else payload(reader, (stored,), dtype, values)

    def decode() -> np.ndarray:
        parts = zip(np.cumsum(starts), np.split(gaps(), np.cumsum(lengths)[:-1]), strict=True)
        at = np.concatenate([start + positions(part, (1 << width) - 1) for start, part in parts])
        out[at] = centroids[of()] if with_codebook else of()
        return out.reshape(shape[1], shape[0], -1).swapaxes(0, 1).reshape(-1) if layout & 16 else out

    return decode


def scaled(reader: Reader, shape: Shape, dtype: str, levels: str) -> Decode:
    scales = reader.take(shape[0], "<f4").repeat(prod(shape[1:]))
    decode = payload(reader, shape, "U16", levels)
    return lambda: on_grid(decode(), scales).view("<u4")


def planes(reader: Reader, shape: Shape, dtype: str) -> Decode:
    mask, width, size = int(reader.take(1)[0]), SIZES[dtype], prod(shape)
    assert 0 < mask < 1 << width, "planes"
    coded = [p for p in reversed(range(width)) if mask >> p & 1]
    heads = [reader.take(2).tolist() for _ in coded]
    assert all(least + last < 256 for least, last in heads), "code for more than bytes"
    codes = [reader.code(last + 1) for _, last in heads]
    counts, *sizes = reader.chunks(size, len(coded))
    parts = [reader.symbols(code, counts, part) for code, part in zip(codes, sizes, strict=True)]
    plain = {p: reader.take(size) for p in reversed(range(width)) if not mask >> p & 1}

    def decode() -> np.ndarray:
        held = plain | {p: part() + least for p, (least, _), part in zip(coded, heads, parts, strict=True)}
        words = np.stack([held[p] for p in range(width)], 1).astype(np.uint8).view(f"<u{width}").reshape(-1)
        return words >> 1 | words << 8 * width - 1 if dtype in FLOATS else words

    return decode


def adaptive(reader: Reader, shape: Shape, dtype: str) -> Decode:
    head, count, size = int(reader.take(1)[0]), prod(shape), SIZES[dtype]
    kind, signed, width = head & 3, head >> 2 & 1, head >> 3
    if kind == CONSTANT:
        kept = reader.take(width).tobytes().ljust(size, b"\0")
        return lambda: np.full(count, int.from_bytes(kept, "big" if dtype in FLOATS else "little"), f"<u{size}")
    scale, mantissa = reader.take(kind == ON_GRID, "<f4"), 8 * size - 1 - EXPONENT_BITS.get(dtype, 0)
    largest, upper = reader.varint() if kind == FLOATING else 0, reader.take(reader.varint())
    lower = Reader(reader.take(-(-count * (width + signed) // 8)).tobytes())

    def decode() -> np.ndarray:
        lists = RangeCoder(upper)
        parts = [(lower.bits(signed), high, lower.bits(width)) for high in lists.numbers(count)]
        lists.end()
        if kind == FLOATING:
            return np.array(
                [
                    sign << 8 * size - 1 | largest - high << mantissa | low << mantissa - width
                    for sign, high, low in parts
                ],
                f"<u{size}",
            )
        if kind == ON_GRID:
            return on_grid(np.array([sign << 15 | high << width | low for sign, high, low in parts]), scale).view("<u4")
        numbers = [(1 - 2 * sign) * (high << width | low) for sign, high, low in parts]
        return np.array(numbers, f"<{dtype[0].lower()}{size}").view(f"<u{size}")

    return decode


ENCODINGS = {
    "raw": (raw, ALL),
    "shared": (partial(shared, wide=False), OLD),
    "shared_any": (partial(shared, wide=False), ALL - OLD),
    "shared_wide": (partial(shared, wide=True), WIDE),
    "shared_scaled": (partial(scaled, levels="shared_any"), {"F32"}),
    "sparse_shared": (partial(sparse, values="shared"), OLD),
    "sparse_shared_any": (partial(sparse, values="shared"), ALL - OLD),
    "sparse_shared_scaled": (partial(scaled, levels="sparse_shared_any"), {"F32"}),
    "sparse_raw": (partial(sparse, values="raw"), OLD),
    "sparse_raw_any": (partial(sparse, values="raw"), ALL - OLD),
    "sparse_planes": (partial(sparse, values="planes"), WIDE),
    "planes": (planes, WIDE),
    "adaptive": (adaptive, ALL - {"BOOL"}),
    "context": (context, OLD),
    "mixed": (mixed, OLD),
}
PARSERS = {(name, dtype): parse for name, (parse, dtypes) in ENCODINGS.items() for dtype in dtypes}
