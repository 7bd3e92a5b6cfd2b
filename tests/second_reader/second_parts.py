"""What payloads are made of, by sections 4 and 5 of docs/format.md: bytes, bits, codes, codebooks, a range coder."""

from collections.abc import Callable
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np

SIZES = {
    **{"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1},
    **{"U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1},
}
F32, F16, GRID, PATTERN = range(4)

Shape = tuple[int, ...]
Decode = Callable[[], np.ndarray]
"""Decodes a payload that has been parsed, once: the elements' bits as unsigned integers, flat."""


def zigzag(n: int) -> int:
    return n >> 1 ^ -(n & 1)


class Reader:
    """Reads bytes from their front, and streams of bits, which end where bytes are taken again."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.held, self.left = data, 0, 0, 0

    def take(self, count: int, dtype: str = "<u1") -> np.ndarray:
        found = np.frombuffer(self.data, dtype, count, self.at)
        self.at, self.held, self.left = self.at + found.nbytes, 0, 0
        return found

    def varint(self) -> int:
        byte = int(self.take(1)[0])
        return byte if byte < 128 else byte - 128 | self.varint() << 7

    def bits(self, width: int) -> int:
        while self.left < width:
            self.held, self.left, self.at = self.held << 8 | self.data[self.at], self.left + 8, self.at + 1
        self.left -= width
        value, self.held = divmod(self.held, 1 << self.left)
        return value

    def numbers(self, count: int) -> list[int]:
        order, found = self.bits(5), []
        for _ in range(count):
            width = order + len(list(iter(lambda: self.bits(1), 1)))  # the zeros before a one
            found.append((1 << width) - (1 << order) + self.bits(width))
        return found

    def code(self, count: int) -> np.ndarray:
        """Huffman code: the length and the symbol of the code word with which each window of 12 bits begins."""
        lengths = accumulate(map(zigzag, self.numbers(count)))
        used = sorted((length, symbol) for symbol, length in enumerate(lengths) if length)
        words = used if len(used) > 1 else [(0, symbol) for _, symbol in used]
        return np.array([word for word in words for _ in range(4096 >> word[0])])

    def chunks(self, size: int, columns: int) -> tuple[Any, ...]:
        """Weights of each chunk, and the columns of the chunk table."""
        counts = [min(16_384, size - begin) for begin in range(0, size, 16_384)]
        return counts, *zip(*([self.varint() for _ in range(columns)] for _ in counts), strict=True)

    def symbols(self, code: np.ndarray, counts: list[int], sizes: list[int]) -> Decode:
        """Take the streams of a Huffman code, one for each chunk: `counts` are their symbols, `sizes` their bytes."""
        streams = [self.take(size) for size in sizes]

        def decode() -> np.ndarray:
            found = list[int]()
            for stream, count in zip(streams, counts, strict=True):
                bits = np.unpackbits(np.append(stream, np.zeros(2 + 3 * count // 2, np.uint8)))
                windows = np.lib.stride_tricks.sliding_window_view(bits, 12) @ (2048 >> np.arange(12))
                lengths, words = code[windows].T.tolist()
                *places, end = accumulate(range(count), lambda at, _: at + lengths[at], initial=0)  # noqa: B023
                found += [words[at] for at in places]
                assert -(-end // 8) == len(stream), "a stream ends elsewhere"
            return np.array(found)

        return decode


def codebook(reader: Reader, form: int, dtype: str) -> np.ndarray:
    """Bits of the centroids."""
    count, size = reader.varint(), SIZES[dtype]
    assert count, "codebook is empty"
    if form == PATTERN and size == 8:
        patterns = reader.take(count, "<u8")
        assert (patterns[1:] > patterns[:-1]).all(), "patterns do not ascend"
        return patterns
    scale, width = reader.take(form == GRID, "<f4"), {F32: 4, F16: 2, GRID: 2, PATTERN: size}[form]
    steps = [reader.bits(8 * width), *(step + 1 for step in reader.numbers(count - 1))]
    patterns = np.array(list(accumulate(steps)), f"<u{width}")
    assert dtype != "BOOL" or patterns[-1] < 2, "neither 0 nor 1"
    reader.take(0)  # ends the bit stream
    floats = on_grid(patterns, scale) if form == GRID else patterns.view(f"<f{width}") if form != PATTERN else patterns
    return patterns if form == PATTERN else floats.astype(f"<f{size}").view(f"<u{size}")


def split(centroids: np.ndarray) -> list[int]:
    """How many centroids have sign bit 0, which are the first, and how many 1."""
    return np.bincount(centroids >> 8 * centroids.itemsize - 1, minlength=2).tolist()  # type: ignore[no-any-return]


def axes(shape: Shape) -> Shape:
    """Rows, channels, and the lines and the places in a line of a kernel."""
    rows, lines, line = shape[0] if shape else 1, shape[-2] if len(shape) > 3 else 1, shape[-1] if len(shape) > 2 else 1
    return rows, prod(shape) // (rows * lines * line), lines, line


def on_grid(levels: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Levels, of a sign (bit 15) and a magnitude, times a scale."""
    assert (scale > 0).all(), "scale"
    return np.array(np.where(levels >> 15, -1.0, 1.0) * (levels & 0x7FFF) * scale, np.float32)


def positions(gaps: np.ndarray, escape: int) -> np.ndarray:
    """Places of the weights that are stored, by the gaps before them."""
    ends = gaps < escape
    return (np.cumsum(gaps + ends) - 1)[ends]


class RangeCoder:
    """Bits, and adaptive lists of numbers, from a binary range coder."""

    def __init__(self, data: np.ndarray) -> None:
        self.data, self.at, self.size = data.tobytes() + bytes(7), 5, len(data)
        self.range, self.code = (1 << 40) - 1, int.from_bytes(self.data[:5])

    def bit(self, zero: int) -> int:
        """A bit that is 0 with a frequency, of 4096."""
        unit = self.range // 4096
        bit = int(self.code >= unit * zero)
        self.code, self.range = self.code - unit * zero * bit, unit * (4096 - zero if bit else zero)
        if self.range < 1 << 24:
            self.range, self.code = self.range << 16, self.code << 16 | int.from_bytes(self.data[self.at : self.at + 2])
            self.at += 2
        return bit

    def counted(self, counts: list[int]) -> int:
        """A bit whose frequency follows from the zeros and ones before it."""
        bit = self.bit(min(4095, max(1, (2 * counts[0] + 1) * 4096 // (2 * (sum(counts) + 1)))))
        counts[bit] += 1
        counts[:] = [count // 2 for count in counts] if 255 in counts else counts
        return bit

    def numbers(self, count: int, chain: bool = False) -> list[int]:
        counts, found = dict[Any, list[int]](), list[int]()
        for _ in range(count):
            digits, m, before = 0, 1, min(found[-1], 4) if found else 0
            while self.counted(counts.setdefault((before, min(digits, 15)) if chain else digits, [0, 0])):
                digits += 1
            for i in range(0 if chain else digits):
                m = 2 * m + (self.bit(2048) if i else self.counted(counts.setdefault(("first", digits), [0, 0])))
            found.append(digits if chain else m - 1)
        return found

    def signed(self, count: int, chain: bool = False) -> list[int]:
        return [zigzag(n) for n in self.numbers(count, chain)]

    def steps(self, count: int, scale: int = 1) -> list[int]:
        return [n * scale for n in accumulate(self.signed(count))]

    def end(self) -> None:
        assert self.size <= self.at <= self.size + 5, "a stream ends elsewhere"
