"""The encodings `context` and `mixed`, by section 5 of docs/format.md, in plain Python."""

from bisect import bisect_left, bisect_right
from itertools import accumulate, product
from math import prod
from operator import mul

import numpy as np
from second_parts import SIZES, Decode, RangeCoder, Reader, Shape, axes, codebook, positions, split

POWERS = (65536, 71468, 77936, 84990, 92682, 101070, 110218, 120194)


class Numerals:
    """Symbols in asymmetric numeral systems. A table has where the interval of each symbol begins, and then 4096."""

    def __init__(self, reader: Reader, words: int, lanes: int) -> None:
        self.states, self.words = reader.take(lanes, "<u8").tolist(), iter(reader.take(words, "<u4").tolist())

    def symbol(self, lane: int, table: list[int]) -> int:
        high, low = divmod(self.states[lane], 4096)
        symbol = bisect_right(table, low) - 1
        self.states[lane] = (table[symbol + 1] - table[symbol]) * high + low - table[symbol]
        return symbol

    def refill(self) -> None:
        self.states = [state if state >> 32 else state << 32 | next(self.words) for state in self.states]

    def run(self, count: int, table: list[int]) -> list[int]:
        lanes, found = len(self.states), list[int]()
        for begin in range(0, count, 2 * lanes):
            found += [self.symbol(i % lanes, table) for i in range(begin, min(begin + 2 * lanes, count))]
            self.refill()
        return found

    def signed_run(
        self, places: list[int], line: int, halves: list[list[int]], tilts: list[int], signs: list[int]
    ) -> list[int]:
        """Symbols of padded places, each behind its sign, which depends on the signs around it."""
        part, found = -(-len(places) // len(self.states)), [0] * len(places)
        tables, (plus, minus) = [table_of(weights) for weights in halves], [sum(weights) // 64 for weights in halves]
        for i in range(part):
            for lane, k in enumerate(range(i, len(places), part)):
                at = places[k]
                n = 2 * (signs[at - 1] + signs[at - line]) + signs[at - line - 1] + signs[at - line + 1]
                tilt = tilts[n] if n >= 0 else 64 - tilts[-n]
                positive = 4096 * plus * tilt // (plus * tilt + minus * (64 - tilt))
                sign = self.symbol(lane, [0, min(4095, max(1, positive)), 4096])
                signs[at], found[k] = 1 - 2 * sign, sign * len(halves[0]) + self.symbol(lane, tables[sign])
            self.refill()
        return found


def power(exponent: int) -> int:
    return POWERS[exponent % 8] << exponent // 8


def times(weight: int, exponent: int) -> int:
    return weight * power(exponent) // 65536 if exponent >= 0 else weight * 65536 // power(-exponent)


def table_of(weights: list[int]) -> list[int]:
    """Where the intervals of the frequencies begin that weights become."""
    found = [max(1, 4096 * weight // sum(weights)) for weight in weights]
    greatest = found.index(max(found))
    found[greatest] += max(0, 4096 - sum(found))
    while (excess := sum(found) - 4096) > 0:
        greatest = greatest if found[greatest] == max(found) else found.index(max(found))
        found[greatest] -= min(excess, max(1, found[greatest] // 16))
    return list(accumulate(found, initial=0))


def gap_table(width: int, cells: int, stored: int, corrections: list[int]) -> list[int]:
    ones, zeros = 2 * stored + 1, 2 * (cells - stored) + 1
    odds = max((e for e in range(-96, 97) if zeros * power(max(-e, 0)) >= ones * power(max(e, 0))), default=-96)
    escape, q = (1 << min(8, max(2, width + odds // 8))) - 1, (1 << 32) // (65536 + power(abs(odds)))
    one = q if odds >= 0 else 65536 - q
    *left, last = accumulate(range(escape), lambda v, _: v * (65536 - one) // 65536, initial=1 << 30)
    weights = [v * one // 65536 for v in left]
    weights[: len(corrections)] = map(times, weights, corrections)
    return table_of([weight + 1 for weight in (*weights, last)])


def context(reader: Reader, shape: Shape, dtype: str) -> Decode:
    layout, size, (*_, height, width) = int(reader.take(1)[0]), prod(shape), axes(shape)
    centroids = codebook(reader, layout >> 5, dtype)
    lists = RangeCoder(reader.take(reader.varint()))
    lanes, shift, with_signs, with_slopes, *form = lists.numbers(8 if layout & 15 else 4)
    runs = gap_runs(lists, form, layout & 15, shape) if form else [(list(range(size)), size, [0, 4096, 4096])]
    exponents = lists.steps(len(centroids), 1 << shift)
    tilts = [32, *(32 + tilt for tilt in lists.steps(6))] if with_signs else []
    slopes = lists.steps(len(runs)) if with_slopes else [0] * len(runs)
    lists.end()
    stream, (plus, minus) = Numerals(reader, reader.varint(), lanes + 1), split(centroids)
    ranks = [i * 64 // half for half in (plus, minus) for i in range(half)]

    def decode() -> np.ndarray:
        out, kernels = np.zeros(size, f"<u{SIZES[dtype]}"), np.ones((size // height // width, height, width), bool)
        padded = np.flatnonzero(np.pad(kernels, ((0, 0), (1, 0), (1, 0))))
        signs, gaps = [0] * (padded[-1] + 1), [stream.run(count, table) for _, count, table in runs]
        for (cells, _, table), symbols, slope in zip(runs, gaps, slopes, strict=True):
            places = np.array(cells, int)[positions(np.array(symbols, int), len(table) - 2)]
            shifted = [e + slope * rank // 64 for e, rank in zip(exponents, ranks, strict=True)]
            weights, at = [power(min(96, max(0, exponent))) for exponent in shifted], padded[places].tolist()
            out[places] = centroids[
                stream.signed_run(at, width + 1, [weights[:plus], weights[plus:]], tilts, signs)
                if tilts
                else stream.run(len(at), table_of(weights))
            ]
        assert (set(stream.states), [*stream.words]) == ({1 << 32}, []), "the stream ends elsewhere"
        return out

    return decode


def gap_runs(lists: RangeCoder, form: list[int], width: int, shape: Shape) -> list[tuple[list[int], int, list[int]]]:
    """Of each run: flat positions of its cells, the number of symbols, and their table."""
    (by_row, by_column, corrected, shift), (rows, channels, *kernel) = form, axes(shape)
    columns, parts = channels * prod(kernel), prod(kernel) if by_row == 2 else 1
    of_rows = lists.signed((0, rows, rows * prod(kernel))[by_row], chain=True) or [0] * rows
    held = lists.signed((0, channels, columns)[by_column], chain=True) or [0] * columns
    of_columns = np.repeat(held, columns // len(held)).tolist()
    corrections, least = lists.steps(corrected, 1 << shift), min(of_rows) + min(of_columns)
    runs: list[list[int]] = [[] for _ in range(max(of_rows) + max(of_columns) - least + 1)]
    order = sorted(range(columns), key=lambda i: (i % parts, of_columns[i]))
    for row, column in product(range(rows), order):
        runs[of_rows[row * parts + column % parts] + of_columns[column] - least].append(row * columns + column)
    numbers = zip(runs, lists.numbers(len(runs)), lists.numbers(len(runs)), strict=True)
    return [(cells, n + escapes, gap_table(width, len(cells), n, corrections)) for cells, n, escapes in numbers]


POINTS = (
    *(1, 2, 4, 6, 10, 17, 27, 45, 74, 120, 194, 311, 488, 747, 1102, 1546, 2048, 2550, 2994, 3349, 3608, 3785, 3902),
    *(3976, 4022, 4051, 4069, 4079, 4086, 4090, 4092, 4094, 4095),
)
NEAR, NEARNESS = ((0, -1), (-1, 0), (-1, -1), (-1, 1)), (2, 2, 1, 1)
"""Steps down and right to the weights left, above, above left and above right; how often each counts."""


def clip(n: int, least: int, most: int) -> int:
    return min(most, max(least, n))


def sign(rank: int) -> int:
    return (rank > 0) - (rank < 0)


def probability(logit: int) -> int:
    point, part = divmod(clip(logit, -2047, 2047) + 2048, 128)
    return (POINTS[point] * (128 - part) + POINTS[point + 1] * part + 64) // 128


LOGITS = [bisect_left(range(-2047, 2047), p, key=probability) - 2047 for p in range(4096)]


class Decisions(RangeCoder):
    """Bits whose probabilities are mixed from those of contexts: lists of a probability and the number of bits seen."""

    def __init__(self, data: np.ndarray, first: int) -> None:
        super().__init__(data)
        self.counters: dict[tuple[object, ...], list[int]] = {("flag",): [first, 0]}
        self.weights: dict[object, list[int]] = {}

    def level(self, context: tuple[object, ...]) -> int:
        found, first = (self.counters.get(key, self.counters["flag",])[0] >> 10 for key in (context, ("flag",)))
        return clip((LOGITS[found] - LOGITS[first]) // 64 + 10, 0, 20)

    def decide(self, kind: object, rate: int, contexts: list[tuple[object, ...]]) -> int:
        first = self.counters.setdefault(contexts[0], [1 << 21, 0])
        counters = [self.counters.setdefault(context, [first[0], 0]) for context in contexts]
        base, *others = [LOGITS[p >> 10] for p, _ in counters]
        inputs = [base, *(logit - base for logit in others)]
        weights = self.weights.setdefault(kind, [65536] + [10240] * len(others))
        one = probability(sum(map(mul, weights, inputs)) >> 16)
        bit = self.bit(4096 - one)
        step = (4096 * bit - one) * rate
        weights[:] = [
            clip(w + (x * step + 8192 >> 14), -(1 << 20), 1 << 20) for w, x in zip(weights, inputs, strict=True)
        ]
        for counter in counters:
            p, seen = counter
            counter[:] = p + (((1 << 22) - 1) * bit - p) // (seen + 3), min(seen + 1, 1023)
        return bit


def ranks_of(bits: Decisions, form: Shape, dense: bool, halves: list[int]) -> dict[Shape, int]:
    """Ranks of the weights that are stored, by row, channel, line and place in it."""
    (rows, channels, lines, line), depth, ranks, known = form, (max(halves) - 1).bit_length(), dict[Shape, int](), []
    for r, c, y, x in product(range(rows), range(channels), range(lines), range(line)):
        k, nodes, known = y * line + x, 1 << depth, known if y + x else []
        near = [ranks.get((r, c, y + down, x + right), 0) for down, right in NEAR]
        r1, r2, c1, c2 = (sign(ranks.get((r - i, c - j, y, x), 0)) for i, j in ((1, 0), (2, 0), (0, 1), (0, 2)))
        size_sum, sign_sum, count = (sum(map(mul, NEARNESS, map(of, near))) for of in (abs, sign, bool))
        a, b = (bits.level(context) for context in (("row", r, k), ("column", c, k)))
        flags = [
            *(("flag",), ("whole row", r), ("row", r, k), ("channel", c), ("column", c, k), ("levels", a, b)),
            *(("stored", k, *map(bool, near)), ("count", k, min(len(known), 15))),
            ("others", k, bool(r1), bool(c1), bool(c2)),
            ("sizes", min(size_sum * 8 // nodes, 31), min(sum(map(abs, known)) * 4 // nodes, 15)),
        ]
        if not dense and not bits.decide("flag", 6, flags):
            continue
        signs = [
            *(("sign",), ("sign row", r, k), ("sign channel", c), ("sign column", c, k), ("sum", sign_sum)),
            *(("kernel", clip(sum(map(sign, known)), -9, 9)), ("signs", *map(sign, near))),
            ("sums", sign_sum, clip(2 * (r1 + c1) + r2 + c2, -6, 6)),
        ]
        minus = bits.decide("sign", 10, signs) if min(halves) else int(halves[0] == 0)
        mean, size, node = 1 + size_sum * 14 // (count * nodes) if count else 0, 0, 1
        for half in (nodes >> digit for digit in range(1, depth + 1)):
            digits = [
                *(("digit", node), ("of sign", node, minus), ("of place", node, k), ("of mean", node, mean)),
                *(("of level", node, (a + b) // 2), ("of row", min(node, 8), r), ("of channel", min(node, 8), c)),
            ]
            bit = bits.decide(half, 10, digits) if size + half < halves[minus] else 0
            size, node = size + half * bit, 2 * node + bit
        ranks[r, c, y, x] = -size - 1 if minus else size + 1
        known.append(ranks[r, c, y, x])
    return ranks


def mixed(reader: Reader, shape: Shape, dtype: str) -> Decode:
    layout, (rows, channels, *kernel), size = int(reader.take(1)[0]), axes(shape), prod(shape)
    centroids, stored = codebook(reader, layout >> 5, dtype), reader.varint()
    data, halves = reader.take(reader.varint()), split(centroids)
    form = (channels, rows, *kernel) if layout & 16 else (rows, channels, *kernel)

    def decode() -> np.ndarray:
        bits, out = Decisions(data, (2 * stored + 1 << 22) // (2 * size + 2)), np.zeros(form, f"<u{SIZES[dtype]}")
        for place, rank in ranks_of(bits, form, stored == size, halves).items():
            out[place] = centroids[rank - 1 if rank > 0 else halves[0] - 1 - rank]
        bits.end()
        return (out.swapaxes(0, 1) if layout & 16 else out).reshape(-1)

    return decode
