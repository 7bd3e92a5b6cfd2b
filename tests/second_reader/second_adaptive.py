"""The encoding `adaptive`, by section 5 of docs/format.md, in plain Python."""

from __future__ import annotations

from math import prod

import numpy as np
from second_context import Lists
from second_payloads import FLOATS, PARSERS, SIZES, Bits, Decode, Reader, need

CONSTANT, INTEGERS, GRID, _ = range(4)
EXPONENT_BITS = {"F32": 8, "F16": 5, "BF16": 8}


def adaptive(reader: Reader, shape: tuple[int, ...], dtype: str) -> Decode:
    head, count, size = reader.take(1)[0], prod(shape), SIZES[dtype]
    kind, signed, width = head & 3, head >> 2 & 1, head >> 3
    need(len(shape) < 2, "more than one axis")
    if kind == CONSTANT:
        need(not signed and width <= size, "bytes of a constant")
        kept = reader.take(width).ljust(size, b"\0")
        pattern = int.from_bytes(kept, "big" if dtype in FLOATS else "little")
        return lambda: np.full(count, pattern, f"<u{size}")
    need(
        dtype not in FLOATS if kind == INTEGERS else dtype == "F32" if kind == GRID else dtype in EXPONENT_BITS, "kind"
    )
    need(count <= 4096, "too many elements")
    scale = np.float64(np.frombuffer(reader.take(4), "<f4")[0]) if kind == GRID else np.float64(1)
    need(np.isfinite(scale) and scale > 0, "scale")
    floats = kind not in (INTEGERS, GRID)
    exponents = EXPONENT_BITS[dtype] if floats else 0
    mantissa = 8 * size - 1 - exponents
    largest = reader.varint((1 << exponents) - 1) if floats else 0
    need(not floats or width <= mantissa, "mantissa")
    coded = reader.take(reader.varint())
    need(count <= 64 * len(coded), "more elements than so few bytes may stand for")
    plain = Reader(reader.take(-(-count * (width + signed) // 8)), 0)

    def decode() -> np.ndarray:
        lists, bits = Lists(coded), Bits(plain)
        upper = lists.bounded(count, largest if floats else (1 << 15) - 1 >> width if kind == GRID else (1 << 32) - 1)
        lists.end()
        pairs = [(bits.number(1) if signed else 0, bits.number(width)) for _ in upper]
        bits.end()
        parts = list(zip(upper, pairs, strict=True))
        if floats:
            found = [
                sign << exponents + mantissa | largest - high << mantissa | low << mantissa - width
                for high, (sign, low) in parts
            ]
            return np.array(found, np.uint64).astype(f"<u{size}")
        numbers = [(-1) ** sign * (high << width | low) for high, (sign, low) in parts]
        if kind == GRID:
            with np.errstate(over="ignore"):
                signs = [-1.0 if sign else 1.0 for _, (sign, _) in parts]
                values = (np.copysign(np.array(numbers, np.float64), signs) * scale).astype(np.float32)
            need(np.isfinite(values).all(), "weight is not finite")
            return values.view("<u4")
        limits = np.iinfo(f"{'u' if dtype[0] == 'U' else 'i'}{size}")
        need(all(limits.min <= number <= limits.max for number in numbers), "integer out of range")
        return np.array([number % (1 << 8 * size) for number in numbers], np.uint64).astype(f"<u{size}")

    return decode


PARSERS["adaptive"] = (adaptive, set(SIZES) - {"BOOL"})
