"""The encoding `context`, by section 5 of docs/format.md, in plain Python."""

from __future__ import annotations

from itertools import accumulate
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

    def numbers(self, count: int, chain: bool = False) -> list[int]:
        counts: dict[tuple[object, int], list[int]] = {}

        def counted(place: tuple[object, int]) -> int:
            seen = counts.setdefault(place, [0, 0])
            bit = self.bit(min(4095, max(1, (2 * seen[0] + 1) * 4096 // (2 * (seen[0] + seen[1] + 1)))))
            seen[bit] += 1
            if seen[bit] == 255:
                seen[:] = seen[0] // 2, seen[1] // 2
            return bit

        found = []
        for _ in range(count):
            digits, before = 0, min(found[-1], 4) if found else 0
            while counted((before, min(digits, 15)) if chain else ("unary", digits)):
                digits += 1
                need(digits <= 40, "a number is too long")
            if chain:
                found.append(digits)
                continue
            m = 1
            for i in range(digits):
                m = 2 * m + (self.bit(2048) if i else counted(("first", digits)))
            found.append(m - 1)
        return found

    def signed(self, count: int, least: int, most: int, chain: bool = False) -> list[int]:
        return bounded([-(n + 1 >> 1) if n & 1 else n >> 1 for n in self.numbers(count, chain)], least, most)

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


def gap_frequencies(odds: int, width: int, corrections: list[int]) -> list[int]:
    q = (1 << 32) // (65536 + power(abs(odds)))
    q = q if odds >= 0 else 65536 - q
    v, weights = 1 << 30, []
    for i in range(1 << width):
        weight = v if i == (1 << width) - 1 else v * q // 65536
        if i < min(len(corrections), (1 << width) - 1):
            factor = power(abs(corrections[i]))
            weight = weight * factor // 65536 if corrections[i] >= 0 else weight * 65536 // factor
        weights.append(weight + 1)
        v = v * (65536 - q) // 65536
    return frequencies(weights)


class Stream:
    """Numbers in asymmetric numeral systems."""

    def __init__(self, data: bytes, lanes: int) -> None:
        self.states = np.frombuffer(data, "<u8", lanes).tolist()
        self.words = np.frombuffer(data, "<u4", offset=8 * lanes).tolist()[::-1]

    def symbol(self, lane: int, table: list[int]) -> int:
        state = self.states[lane]
        low, begin = state % 4096, 0
        for symbol, size in enumerate(table):  # noqa: B007 (the first whose interval has it)
            if low < begin + size:
                break
            begin += size
        self.states[lane] = size * (state // 4096) + low - begin
        return symbol

    def refill(self) -> None:
        for lane, state in enumerate(self.states):
            if state < 1 << 32:
                need(self.words, "a stream is too short")
                self.states[lane] = state << 32 | self.words.pop()

    def run(self, count: int, table: list[int]) -> list[int]:
        lanes, found = len(self.states), []
        for i in range(count):
            found.append(self.symbol(i % lanes, table))
            if i + 1 == count or (i + 1) % (2 * lanes) == 0:
                self.refill()
        return found

    def end(self) -> None:
        need(not self.words and set(self.states) == {1 << 32}, "a stream ends elsewhere")


def context(reader: Reader, shape: tuple[int, ...], dtype: str) -> Decode:
    width, swapped, form = layout(reader)
    need(width <= 8 and not swapped, "layout")
    size = prod(shape)
    centroids = codebook(reader, form, dtype)
    need(not width or centroids.all(), "a centroid is zero")
    lists = Lists(reader.take(reader.varint()))
    rows = shape[0] if shape else 1
    kernel = prod(shape[2:][-2:]) if len(shape) > 2 else 1
    negative = (centroids >> np.array(8 * SIZES[dtype] - 1, centroids.dtype)).astype(bool).tolist()
    lanes, shift, with_signs, with_slopes, *forms = lists.bounded(8 if width else 4, 16)
    need(lanes < 8, "lanes")
    model = GapModel(lists, forms, width, rows, size // rows, kernel) if width else None
    counts = model.stored if model else [size]
    values = ValueModel(lists, (shift, with_signs, with_slopes), negative, len(counts))
    need(not with_signs or (kernel > 1 and 2 <= sum(negative) <= len(negative) - 2), "signs")
    lists.end()
    words = reader.varint()
    data = reader.take(8 * (lanes + 1) + 4 * words)

    def decode() -> np.ndarray:
        stream = Stream(data, lanes + 1)
        runs = model.places(stream) if model else [list(range(size))]
        out, signs = np.zeros(size, f"<u{SIZES[dtype]}"), [0] * size
        for places, slope in zip(runs, values.slopes, strict=True):
            symbols = values.run(stream, places, slope, signs, kernel, shape[-1] if len(shape) > 2 else 1)
            out[places] = centroids[symbols]
        stream.end()
        return out

    return decode


class ValueModel:
    """The frequencies of the weights' symbols by run and by the signs of their neighbours."""

    def __init__(self, lists: Lists, form: tuple[int, int, int], negative: list[bool], tables: int) -> None:
        shift, with_signs, with_slopes = form
        need(shift < 4 and with_signs < 2 and with_slopes < 2, "forms of symbols")
        self.negative, self.positive = negative, len(negative) - sum(negative)
        self.exponents = lists.steps(len(negative), 0, 96, 1 << shift)
        self.tilts = [32, *lists.steps(6, 1, 63, first=32)] if with_signs else []
        self.slopes = lists.steps(tables, -96, 96) if with_slopes else [0] * tables
        ranks = [i * 64 // self.positive for i in range(self.positive)]
        self.ranks = ranks + [i * 64 // sum(negative) for i in range(sum(negative))]

    def run(self, stream: Stream, places: list[int], slope: int, signs: list[int], kernel: int, line: int) -> list[int]:
        """Symbols of a run."""
        weights = [
            power(min(96, max(0, exponent + slope * rank // 64)))
            for exponent, rank in zip(self.exponents, self.ranks, strict=True)
        ]
        if len(weights) == 1 or not places:
            return [0] * len(places)
        if not self.tilts:
            return stream.run(len(places), frequencies(weights))
        plus, minus = weights[: self.positive], weights[self.positive :]
        sizes = frequencies(plus), frequencies(minus)
        lanes, symbols = len(stream.states), [0] * len(places)
        part = -(-len(places) // lanes)
        for i in range(part):
            for lane in range(lanes):
                k = lane * part + i
                if k < len(places):
                    n = neighbours(signs, places[k], kernel, line)
                    tilt = self.tilts[n] if n >= 0 else 64 - self.tilts[-n]
                    a, b = sum(plus) // 64 * tilt, sum(minus) // 64 * (64 - tilt)
                    of_plus = min(4095, max(1, 4096 * a // (a + b)))
                    sign = stream.symbol(lane, [of_plus, 4096 - of_plus])
                    signs[places[k]] = 1 - 2 * sign
                    symbols[k] = sign * self.positive + stream.symbol(lane, sizes[sign])
            stream.refill()
        return symbols


def neighbours(signs: list[int], place: int, kernel: int, line: int) -> int:
    """The sum of the signs of a weight's neighbours, 0 for those that are not there yet."""
    y, x = divmod(place % kernel, line)
    n = 2 * signs[place - 1] if x else 0
    if y:
        n += 2 * signs[place - line] + (signs[place - line - 1] if x else 0)
        n += signs[place - line + 1] if x + 1 < line else 0
    return n


class GapModel:
    """The runs of positions, and the frequencies of their gap symbols."""

    def __init__(self, lists: Lists, form: list[int], width: int, rows: int, columns: int, kernel: int) -> None:
        by_row, by_column, corrected, shift = form
        need(by_row < 3 and by_column < 3 and shift < 4, "forms of classes")
        parts = kernel if by_row == 2 else 1
        row_classes = lists.signed((0, rows, rows * kernel)[by_row], -6, 6, chain=True) or [0] * rows
        held = lists.signed((0, columns // kernel, columns)[by_column], -6, 6, chain=True) or [0] * columns
        classes = [held[i // kernel] for i in range(columns)] if by_column == 1 else held
        corrections = lists.steps(corrected, -96, 96, 1 << shift)
        least = min(row_classes) + min(classes)
        self.cells: list[list[int]] = [[] for _ in range(max(row_classes) + max(classes) - least + 1)]
        order = sorted(range(columns), key=lambda i: (i % parts, classes[i]))
        for row in range(rows):
            for column in order:
                table = row_classes[row * parts + column % parts] + classes[column] - least
                self.cells[table].append(row * columns + column)
        self.stored = lists.bounded(len(self.cells), rows * columns)
        need(any(self.stored), "nothing is stored")
        escapes = lists.bounded(len(self.cells), rows * columns)
        self.tables, self.symbols = [], []
        for cells, stored, escaped in zip(self.cells, self.stored, escapes, strict=True):
            need(stored <= len(cells), "more weights than places")
            zeros = 2 * (len(cells) - stored) + 1
            fits = (e for e in range(96, -97, -1) if zeros * power(max(-e, 0)) >= (2 * stored + 1) * power(max(e, 0)))
            odds = next(fits, -96)
            self.tables.append(gap_frequencies(odds, min(8, max(2, width + odds // 8)), corrections))
            self.symbols.append(stored + escaped)

    def places(self, stream: Stream) -> list[list[int]]:
        """Flat positions of the weights of each run."""
        runs = []
        for cells, stored, count, table in zip(self.cells, self.stored, self.symbols, self.tables, strict=True):
            found, at, escape = [], 0, len(table) - 1
            symbols = stream.run(count, table)
            need(not symbols or symbols[-1] < escape, "an escape is the last symbol")
            for symbol in symbols:
                at += symbol
                if symbol < escape:
                    need(at < len(cells), "gaps lead outside the tensor")
                    found.append(cells[at])
                    at += 1
            need(len(found) == stored, "weights of a run")
            runs.append(found)
        return runs


PARSERS["context"] = (context, {"F32", "F16"})
