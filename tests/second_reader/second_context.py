"""Payloads of the encoding `context`, section 5 of docs/format.md, in plain Python."""

from __future__ import annotations

from itertools import pairwise
from math import prod

import numpy as np
from second_payloads import SIZES, Decode, Reader, codebook, layout, need

POWERS = [round(65536 * 2 ** (i / 8)) for i in range(8)]


class Numbers:
    """Number lists of adaptive probabilities."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.range = data, 5, (1 << 40) - 1
        self.code = int.from_bytes(data[:5].ljust(5, b"\0"), "big")

    def bit(self, zero: int) -> int:
        unit = self.range >> 12
        bit = int(self.code >= unit * zero)
        self.code -= unit * zero * bit
        self.range = unit * (4096 - zero) if bit else unit * zero
        if self.range < 1 << 24:
            word = self.data[self.at : self.at + 2].ljust(2, b"\0")
            self.range, self.code, self.at = (
                self.range << 16,
                self.code << 16 | int.from_bytes(word, "big"),
                self.at + 2,
            )
        return bit

    def list(self, count: int) -> list[int]:
        counts: dict[object, list[int]] = {}

        def adaptive(context: object) -> int:
            seen = counts.setdefault(context, [0, 0])
            bit = self.bit(min(max((2 * seen[0] + 1) * 4096 // (2 * sum(seen) + 2), 1), 4095))
            seen[bit] += 1
            if seen[bit] == 255:
                seen[:] = [seen[0] >> 1, seen[1] >> 1]
            return bit

        out = []
        for _ in range(count):
            digits = 0
            while adaptive(digits):
                digits += 1
            number = 1
            for k in range(digits):
                number = 2 * number + (self.bit(2048) if k else adaptive(("first", digits)))
            out.append(number - 1)
        return out

    def signed(self, count: int) -> list[int]:
        return [-(n + 1 >> 1) if n & 1 else n >> 1 for n in self.list(count)]


def scaled(weights: list[int]) -> list[int]:
    total = sum(weights)
    out = [max(1, weight * 4096 // total) for weight in weights]
    largest = out.index(max(out))
    rest = 4096 - sum(out)
    out[largest] += max(rest, 0)
    while rest < 0:
        if max(out) > out[largest]:
            largest = out.index(max(out))
        taken = min(-rest, max(1, out[largest] >> 4))
        out[largest] -= taken
        rest += taken
    return out


def power(exponent: int) -> int:
    return POWERS[exponent % 8] << exponent // 8


def gap_table(odds: int, corrections: list[int]) -> list[int]:
    p = 2**32 // (65536 + power(abs(odds)))
    p = p if odds >= 0 else 65536 - p
    value, weights = 1 << 30, []
    for symbol, correction in enumerate(corrections):
        last = symbol == len(corrections) - 1
        weights.append(((value if last else value * p >> 16) * power(correction) >> 16) + 1)
        value = value * (65536 - p) >> 16
    return scaled(weights)


class Stream:
    def __init__(self, data: bytes) -> None:
        self.words = [int.from_bytes(data[i : i + 2], "big") for i in range(4, len(data), 2)]
        self.state = int.from_bytes(data[:4], "big")

    def symbol(self, table: list[int]) -> int:
        slot, start, symbol = self.state & 4095, 0, 0
        while slot >= start + table[symbol]:
            start += table[symbol]
            symbol += 1
        frequency = table[symbol]
        self.state = frequency * (self.state >> 12) + slot - start
        if self.state < 1 << 16 and self.words:
            self.state = self.state << 16 | self.words.pop(0)
        return symbol


def context(reader: Reader, shape: tuple[int, ...], dtype: str) -> Decode:
    gap_bits, swapped, form = layout(reader)
    need(not swapped and gap_bits != 1 and gap_bits <= 8, "gap width")
    rows = shape[0] if shape else 1
    width = prod(shape) // rows
    height, inner = (1, *shape[2:])[-2:] if len(shape) > 2 else (1, 1)
    inner *= height
    nnz = prod(shape)
    if gap_bits:
        nnz = reader.varint(nnz)
        need(nnz, "no weight")
    centroids = codebook(reader, form, dtype).tolist()
    need(not gap_bits or centroids[0], "a zero in the codebook")
    size = len(centroids)
    numbers = Numbers(reader.take(reader.varint(len(reader.data))))
    shift, tilted = numbers.list(2)
    exponents = [int(e) << shift for e in np.cumsum(numbers.signed(size))]
    positive = sum(not bits >> 8 * SIZES[dtype] - 1 for bits in centroids)
    tilts = [32, *(32 + np.cumsum(numbers.signed(6))).tolist()] if tilted else [32]
    values = {}
    for total in range(1 - len(tilts), len(tilts)):
        tilt = tilts[abs(total)]
        weights = [power(e) * (tilt if (i < positive) == (total >= 0) else 64 - tilt) for i, e in enumerate(exponents)]
        values[total] = scaled(weights)

    row_class, column_class, order, parts = [0] * rows, [0] * width, list(range(width)), 1
    if gap_bits:
        by_row, by_column, corrected, shift = numbers.list(4)
        corrections = [0] * (1 << gap_bits)
        if corrected:
            corrections = [int(c) << shift for c in np.cumsum(numbers.signed(1 << gap_bits))]
        parts = inner if by_row == 2 else 1
        row_class = numbers.signed([0, rows, rows * inner][by_row]) or [0] * rows
        column_class = numbers.signed([0, width // inner, width][by_column]) or [0] * width
        if by_column == 1:
            column_class = [c for c in column_class for _ in range(inner)]
        order.sort(key=lambda j: (j % inner if by_row == 2 else 0, -column_class[j]))
        least = min(row_class) + min(column_class)
        tables = max(row_class) + max(column_class) - least + 1
        gaps = [gap_table(int(odds), corrections) for odds in np.cumsum(numbers.signed(tables))]

    chunks = numbers.list(1)[0] + 1
    ends = [*np.cumsum([n + 1 for n in numbers.list(chunks - 1)]).tolist(), rows]
    need(ends[-1] > (ends[-2] if len(ends) > 1 else 0), "rows of chunks")
    symbols = [0] * chunks
    if gap_bits:
        stored = [n + 1 for n in numbers.list(chunks - 1)]
        stored.append(nnz - sum(stored))
        symbols = [n + m for n, m in zip(stored, numbers.list(chunks), strict=True)]
    streams = [reader.take(4 + 2 * n) for n in numbers.list(chunks)]
    need(numbers.at - 5 <= len(numbers.data) <= numbers.at, "end of the tables")
    line = inner // height

    def decode() -> np.ndarray:
        out = [0] * (rows * width)
        sign = [0] * (rows * width)
        for (begin, end), count, stream in zip(pairwise([0, *ends]), symbols, map(Stream, streams), strict=True):
            places = list(range(begin * width, end * width))
            if gap_bits:
                places, place = [], begin * width
                for _ in range(count):
                    need(place < end * width, "gaps lead outside")
                    row, column = divmod(place, width)
                    table = row_class[row * parts + column * parts // width] + column_class[order[column]] - least
                    gap = stream.symbol(gaps[table])
                    place += gap
                    if gap < len(gaps[0]) - 1:
                        need(place < end * width, "gaps lead outside")
                        places.append(place // width * width + order[place % width])
                        place += 1
            for place in sorted(places):
                y, x = divmod(place % width % inner, line)
                total = 0
                if tilted:
                    total += 2 * sign[place - 1] if x else 0
                    if y:
                        total += 2 * sign[place - line]
                        total += sign[place - line - 1] if x else 0
                        total += sign[place - line + 1] if x + 1 < line else 0
                symbol = stream.symbol(values[total])
                sign[place] = 1 if symbol < positive else -1
                out[place] = centroids[symbol]
            need(stream.state == 0 and not stream.words, "end of a stream")
        return np.array(out, f"<u{SIZES[dtype]}")

    return decode
