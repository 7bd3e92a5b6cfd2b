"""The encoding `context`, by section 5 of docs/format.md, in plain Python."""

from __future__ import annotations

from itertools import accumulate, pairwise
from math import prod

import numpy as np
from second_payloads import PARSERS, SIZES, Decode, Reader, codebook, layout, need

POWERS = (65536, 71468, 77936, 84990, 92682, 101070, 110218, 120194)


class Lists:
    """Adaptive lists of numbers, from a binary range coder."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.range, self.code = (1 << 40) - 1, self.taken(5)

    def taken(self, count: int) -> int:
        part = self.data[self.at : self.at + count]
        self.at += count
        return int.from_bytes(part + bytes(count - len(part)), "big")

    def bit(self, zero: int) -> int:
        unit = self.range // 4096
        bit = self.code >= unit * zero
        if bit:
            self.code -= unit * zero
        self.range = unit * (4096 - zero if bit else zero)
        if self.range < 1 << 24:
            self.range, self.code = self.range << 16, self.code << 16 | self.taken(2)
        return int(bit)

    def numbers(self, count: int) -> list[int]:
        counts: dict[tuple[str, int], list[int]] = {}

        def counted(place: tuple[str, int]) -> int:
            seen = counts.setdefault(place, [0, 0])
            bit = self.bit(min(4095, max(1, (2 * seen[0] + 1) * 4096 // (2 * (seen[0] + seen[1] + 1)))))
            seen[bit] += 1
            if seen[bit] == 255:
                seen[:] = seen[0] // 2, seen[1] // 2
            return bit

        found = []
        for _ in range(count):
            digits = 0
            while counted(("unary", digits)):
                digits += 1
                need(digits <= 40, "a number is too long")
            m = 1
            for i in range(digits):
                m = 2 * m + (self.bit(2048) if i else counted(("first", digits)))
            found.append(m - 1)
        return found

    def signed(self, count: int, least: int, most: int) -> list[int]:
        return bounded([-(n + 1 >> 1) if n & 1 else n >> 1 for n in self.numbers(count)], least, most)

    def steps(self, count: int, least: int, most: int, scale: int = 1, first: int = 0) -> list[int]:
        differences = self.signed(count, -(1 << 20), 1 << 20)
        return bounded([(first + n) * scale for n in accumulate(differences)], least, most)

    def bounded(self, count: int, most: int) -> list[int]:
        return bounded(self.numbers(count), 0, most)

    def end(self) -> None:
        need(len(self.data) <= self.at <= len(self.data) + 5, "tables end elsewhere")


def bounded(found: list[int], least: int, most: int) -> list[int]:
    need(all(least <= n <= most for n in found), "number out of range")
    return found


def power(exponent: int) -> int:
    return POWERS[exponent % 8] << exponent // 8


def frequencies(weights: list[int]) -> list[int]:
    total = sum(weights)
    found = [max(1, 4096 * weight // total) for weight in weights]
    greatest = found.index(max(found))
    found[greatest] += max(0, 4096 - sum(found))
    while (excess := sum(found) - 4096) > 0:
        if max(found) > found[greatest]:
            greatest = found.index(max(found))
        found[greatest] -= min(excess, max(1, found[greatest] // 16))
    return found


def gap_frequencies(odds: int, corrections: list[int]) -> list[int]:
    q = (1 << 32) // (65536 + power(abs(odds)))
    q = q if odds >= 0 else 65536 - q
    v, weights = 1 << 30, []
    for i, correction in enumerate(corrections):
        plain = v if i == len(corrections) - 1 else v * q // 65536
        weights.append(plain * power(correction) // 65536 + 1)
        v = v * (65536 - q) // 65536
    return frequencies(weights)


class Stream:
    """Numbers in asymmetric numeral systems."""

    def __init__(self, data: bytes) -> None:
        need(len(data) >= 4, "stream is cut")
        self.state, self.rest = int.from_bytes(data[:4], "big"), data[4:]

    def symbol(self, table: list[int]) -> int:
        low, begin = self.state % 4096, 0
        for symbol, size in enumerate(table):  # noqa: B007 (the first whose interval has it)
            if low < begin + size:
                break
            begin += size
        self.state = size * (self.state // 4096) + low - begin
        if self.state < 1 << 16 and self.rest:
            self.state = self.state << 16 | int.from_bytes(self.rest[:2], "big")
            self.rest = self.rest[2:]
        return symbol

    def end(self) -> None:
        need(not self.state and not self.rest, "a stream ends elsewhere")


def context(reader: Reader, shape: tuple[int, ...], dtype: str) -> Decode:
    width, swapped, form = layout(reader)
    need(width != 1 and width <= 8 and not swapped, "layout")
    size = prod(shape)
    stored = reader.varint(size) if width else size
    need(stored, "nothing is stored")
    centroids = codebook(reader, form, dtype)
    need(not width or centroids.all(), "a centroid is zero")
    lists = Lists(reader.take(reader.varint()))
    rows = shape[0] if shape else 1
    columns = size // rows
    kernel = prod(shape[2:][-2:]) if len(shape) > 2 else 1
    line = shape[-1] if len(shape) > 2 else 1

    negative = (centroids >> np.array(8 * SIZES[dtype] - 1, centroids.dtype)).astype(bool).tolist()
    value_tables = symbol_tables(lists, negative, kernel)
    model = GapModel(lists, width, rows, columns, kernel) if width else None
    chunks = lists.bounded(1, rows - 1)[0] + 1
    ends = [0, *accumulate(n + 1 for n in lists.bounded(chunks - 1, rows)), rows]
    need(ends[-2] < rows, "chunks have more rows than the tensor")
    counts, escapes = [0] * chunks, [0] * chunks
    if width:
        counts = [n + 1 for n in lists.bounded(chunks - 1, stored)]
        counts.append(stored - sum(counts))
        need(counts[-1] > 0, "chunks have more weights than are stored")
        escapes = lists.bounded(chunks, size)
    streams = reader.streams([2 * n + 4 for n in lists.bounded(chunks, len(reader.data))])
    lists.end()

    def decode() -> np.ndarray:
        out, signs = np.zeros(size, f"<u{SIZES[dtype]}"), [0] * size
        for i, (begin, end) in enumerate(pairwise(ends)):
            stream = Stream(streams[i])
            places = list(range(begin * columns, end * columns))
            if model:
                places = model.places(stream, begin, end, counts[i] + escapes[i])
                need(len(places) == counts[i], "weights of a chunk")
            for place in places:
                y, x = divmod(place % columns % kernel, line)
                n = 2 * signs[place - 1] if x else 0
                if y:
                    n += 2 * signs[place - line] + (signs[place - line - 1] if x else 0)
                    n += signs[place - line + 1] if x + 1 < line else 0
                symbol = stream.symbol(value_tables[n])
                signs[place] = -1 if negative[symbol] else 1
                out[place] = centroids[symbol]
            stream.end()
        return out

    return decode


def symbol_tables(lists: Lists, negative: list[bool], kernel: int) -> dict[int, list[int]]:
    """Frequencies of the symbols by the sum of their neighbours' signs."""
    shift, tilted = lists.bounded(2, 3)
    need(tilted == 0 or (tilted == 1 and kernel > 1), "tilts")
    exponents = lists.steps(len(negative), 0, 96, 1 << shift)
    tilts = [32, *lists.steps(6, 1, 63, first=32)] if tilted else [32] * 7
    tables = {}
    for n in range(-6, 7):
        tilt = tilts[abs(n)]
        weights = [tilt if sign == (n < 0) else 64 - tilt for sign in negative]
        tables[n] = frequencies([power(exponent) * w for exponent, w in zip(exponents, weights, strict=True)])
    return tables


class GapModel:
    """The order in which the columns are coded, and the frequencies of the gap symbols by place."""

    def __init__(self, lists: Lists, width: int, rows: int, columns: int, kernel: int) -> None:
        by_row, by_column, corrected, shift = lists.bounded(4, 3)
        need(by_row < 3 and by_column < 3 and corrected < 2, "forms of classes")
        self.kernel = kernel if by_row == 2 else 1
        corrections = lists.steps(1 << width, 0, 96, 1 << shift) if corrected else [0] * (1 << width)
        self.rows = lists.signed((0, rows, rows * kernel)[by_row], -6, 6) or [0] * rows
        held = lists.signed((0, columns // kernel, columns)[by_column], -6, 6) or [0] * columns
        self.columns = [held[i // kernel] for i in range(columns)] if by_column == 1 else held
        self.least = min(self.rows) + min(self.columns)
        tables = max(self.rows) + max(self.columns) - self.least + 1
        self.tables = [gap_frequencies(odds, corrections) for odds in lists.steps(tables, -96, 96)]
        self.order = sorted(range(columns), key=lambda i: (i % self.kernel, -self.columns[i]))

    def table(self, row: int, column: int) -> list[int]:
        row_class = self.rows[row * self.kernel + column % self.kernel]
        return self.tables[row_class + self.columns[column] - self.least]

    def places(self, stream: Stream, begin: int, end: int, symbols: int) -> list[int]:
        """Flat positions of the weights of a chunk of rows, in ascending order."""
        columns, found, symbol = len(self.order), [], 0
        at, escape = begin * columns, len(self.tables[0]) - 1
        for _ in range(symbols):
            need(at < end * columns, "gaps lead outside the chunk")
            row, column = divmod(at, columns)
            symbol = stream.symbol(self.table(row, self.order[column]))
            at += symbol
            if symbol < escape:
                need(at < end * columns, "gaps lead outside the chunk")
                found.append(at // columns * columns + self.order[at % columns])
                at += 1
        need(symbol < escape, "an escape is the last symbol")
        return sorted(found)


PARSERS["context"] = (context, {"F32", "F16"})
