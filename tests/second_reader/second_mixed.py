"""The encoding `mixed`, by section 5 of docs/format.md, in plain Python."""

from __future__ import annotations

from math import prod

import numpy as np
from second_payloads import PARSERS, SIZES, Decode, Reader, codebook, layout, need

POINTS = (
    *(1, 2, 4, 6, 10, 17, 27, 45, 74, 120, 194, 311, 488, 747, 1102, 1546, 2048, 2550, 2994, 3349, 3608, 3785, 3902),
    *(3976, 4022, 4051, 4069, 4079, 4086, 4090, 4092, 4094, 4095),
)


def probability(logit: int) -> int:
    point, part = divmod(min(2047, max(-2047, logit)) + 2048, 128)
    return (POINTS[point] * (128 - part) + POINTS[point + 1] * part + 64) // 128


LEAST = {probability(logit): logit for logit in range(2047, -2048, -1)}
LOGITS = [next((LEAST[q] for q in range(p, 4096) if q in LEAST), 2047) for p in range(4096)]

Context = tuple[object, ...]


class Decisions:
    """Bits from a range coder, with probabilities that are mixed."""

    def __init__(self, data: bytes, ones: int, size: int) -> None:
        self.data, self.at = data, 0
        self.range, self.code = (1 << 40) - 1, self.taken(5)
        self.counters: dict[Context, tuple[int, int]] = {("flag",): ((2 * ones + 1 << 22) // (2 * size + 2), 0)}
        self.weights: dict[object, list[int]] = {}

    def taken(self, count: int) -> int:
        part = self.data[self.at : self.at + count]
        self.at += count
        return int.from_bytes(part + bytes(count - len(part)), "big")

    def logit(self, context: Context) -> int:
        return LOGITS[self.counters[context][0] >> 10]

    def start(self, contexts: list[Context]) -> None:
        first = self.counters.setdefault(contexts[0], (1 << 21, 0))
        for context in contexts:
            self.counters.setdefault(context, (first[0], 0))

    def decide(self, kind: object, rate: int, contexts: list[Context]) -> int:
        self.start(contexts)
        weights = self.weights.setdefault(kind, [65536] + [10240] * (len(contexts) - 1))
        base = self.logit(contexts[0])
        inputs = [base, *(self.logit(context) - base for context in contexts[1:])]
        one = probability(sum(w * x for w, x in zip(weights, inputs, strict=True)) >> 16)
        unit = self.range // 4096
        bit = int(self.code >= unit * (4096 - one))
        self.code -= unit * (4096 - one) * bit
        self.range = unit * (one if bit else 4096 - one)
        if self.range < 1 << 24:
            self.range, self.code = self.range << 16, self.code << 16 | self.taken(2)
        miss = 4096 * bit - one
        for i, (context, x) in enumerate(zip(contexts, inputs, strict=True)):
            weights[i] = min(1 << 20, max(-(1 << 20), weights[i] + (x * miss * rate + 8192 >> 14)))
            p, seen = self.counters[context]
            self.counters[context] = p + (((1 << 22) - 1) * bit - p) // (seen + 3), min(seen + 1, 1023)
        return bit


def sign(rank: int) -> int:
    return (rank > 0) - (rank < 0)


class Weights:
    """Ranks of weights, by what stands around them."""

    def __init__(self, data: bytes, form: tuple[int, int, int, int], stored: int, centroids: tuple[int, int]) -> None:
        self.rows, self.channels, self.kernel, self.line = form
        self.size, self.stored, self.centroids = self.rows * self.channels * self.kernel, stored, centroids
        self.digits = (max(centroids) - 1).bit_length()
        self.bits, self.ranks = Decisions(data, stored, self.size), [0] * self.size

    def decode(self) -> list[int]:
        for row in range(self.rows):
            for channel in range(self.channels):
                known = [0, 0, 0]
                for k in range(self.kernel):
                    self.weight(row, channel, k, known)
        end, found = len(self.bits.data), self.size - self.ranks.count(0)
        need(found == self.stored and end <= self.bits.at <= end + 5, "a stream ends elsewhere")
        return self.ranks

    def rank(self, row: int, channel: int, k: int) -> int:
        outside = min(row, channel, k) < 0
        return 0 if outside else self.ranks[(row * self.channels + channel) * self.kernel + k]

    def weight(self, row: int, channel: int, k: int, known: list[int]) -> None:
        x, line, decide = k % self.line, self.line, self.bits.decide
        left, up = self.rank(row, channel, k - 1) if x else 0, self.rank(row, channel, k - line)
        up_left = self.rank(row, channel, k - line - 1) if x else 0
        up_right = self.rank(row, channel, k - line + 1) if x + 1 < line else 0
        before, second = sign(self.rank(row, channel - 1, k)), sign(self.rank(row, channel - 2, k))
        row_before, row_second = sign(self.rank(row - 1, channel, k)), sign(self.rank(row - 2, channel, k))
        near = (left, up, up_left, up_right)
        sizes, nodes = 2 * (abs(left) + abs(up)) + abs(up_left) + abs(up_right), 1 << self.digits
        column, of_row, levels = (channel, k), ("row", row, k), (10, 10)
        if self.stored < self.size:
            levels = self.levels(of_row, ("column", column))
            flags: list[Context] = [("flag",), ("whole row", row), of_row, ("channel", channel), ("column", column)]
            flags += [("pattern", k, *(rank != 0 for rank in near)), ("count", k, min(known[0], 15))]
            flags += [("others", k, row_before != 0, before != 0, second != 0), ("levels", levels)]
            flags += [("sizes", min(sizes * 8 // nodes, 31), min(known[1] * 4 // nodes, 15))]
            if not decide("flag", 6, flags):
                return
        minus = int(self.centroids[0] == 0)
        if min(self.centroids):
            n = 2 * (sign(left) + sign(up)) + sign(up_left) + sign(up_right)
            others = min(6, max(-6, 2 * (row_before + before) + row_second + second))
            signs: list[Context] = [("sign",), ("sign row", row, k), ("sign channel", channel), ("sign column", column)]
            signs += [("sum", n), ("kernel", min(9, max(-9, known[2]))), ("signs", *map(sign, near)), (n, others)]
            minus = decide("sign", 10, signs)
        count = sum(2 * (rank != 0) for rank in near[:2]) + sum(rank != 0 for rank in near[2:])
        mean = 1 + sizes * 14 // (count * nodes) if count else 0
        size, node = 0, 1
        for digit in range(self.digits):
            half, bit = 1 << self.digits - 1 - digit, 0
            if size + half < self.centroids[minus]:
                digits: list[Context] = [("digit", node), ("of sign", node, minus), ("of place", node, k)]
                digits += [("of mean", node, mean), ("of level", node, sum(levels) // 2)]
                digits += [("of row", min(node, 8), row), ("of channel", min(node, 8), channel)]
                bit = decide(digit, 10, digits)
            size, node = size + half * bit, 2 * node + bit
        self.ranks[(row * self.channels + channel) * self.kernel + k] = -size - 1 if minus else size + 1
        known[:] = known[0] + 1, known[1] + size + 1, known[2] + (-1 if minus else 1)

    def levels(self, *contexts: Context) -> tuple[int, ...]:
        self.bits.start([("flag",), *contexts])
        base = self.bits.logit(("flag",))
        return tuple(min(20, max(0, (self.bits.logit(context) - base) // 64 + 10)) for context in contexts)


def counters(rows: int, channels: int, kernel: int, nodes: int) -> int:
    flags = 1 + rows + rows * kernel + channels + channels * kernel + 40 * kernel + 441 + 512
    signs = 1 + rows * kernel + channels + channels * kernel + 13 + 19 + 81 + 169
    return flags + signs + nodes * (3 + kernel + 16 + 21) + 9 * rows + 9 * channels


def mixed(reader: Reader, shape: tuple[int, ...], dtype: str) -> Decode:
    width, swapped, form = layout(reader)
    need(not width, "gap width")
    centroids = codebook(reader, form, dtype)
    need(centroids.all(), "a centroid is zero")
    size, rows = prod(shape), shape[0] if shape else 1
    kernel = prod(shape[2:][-2:]) if len(shape) > 2 else 1
    axes = [rows, size // rows // kernel]
    rows, channels = axes[::-1] if swapped else axes
    stored = reader.varint(size)
    need(stored, "nothing is stored")
    data = reader.take(reader.varint())
    positive = int((centroids >> np.array(8 * SIZES[dtype] - 1, centroids.dtype) == 0).sum())
    split = positive, len(centroids) - positive
    slots = counters(rows, channels, kernel, 1 << (max(split) - 1).bit_length())
    need(size <= 256 * len(data) and slots <= 2 * size + 65536, "more weights than so few bytes may stand for")

    def decode() -> np.ndarray:
        line = shape[-1] if len(shape) > 2 else 1
        ranks = np.array(Weights(data, (rows, channels, kernel, line), stored, split).decode())
        if swapped:
            ranks = ranks.reshape(rows, channels, kernel).swapaxes(0, 1).reshape(-1)
        symbols = np.where(ranks > 0, ranks - 1, positive - 1 - ranks)
        return np.where(ranks != 0, centroids[np.where(ranks != 0, symbols, 0)], centroids.dtype.type(0))

    return decode


PARSERS["mixed"] = (mixed, {"F32", "F16"})
