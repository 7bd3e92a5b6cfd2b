import numpy as np
import pytest
from bitarray.util import huffman_code
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.reference import Streams, best_gap_coded_bytes, entropy_bits, gap_coded_bytes, huffman_bits

counts = st.lists(st.integers(0, 1000), min_size=2, max_size=40).filter(lambda c: sum(map(bool, c)) >= 2)


@given(counts)
def test_huffman_bits_equal_those_of_a_real_code(histogram: list[int]) -> None:
    used = {symbol: count for symbol, count in enumerate(histogram) if count}
    code = huffman_code(used)
    assert huffman_bits(np.array(histogram)) == sum(count * len(code[symbol]) for symbol, count in used.items())


@given(counts)
def test_huffman_is_within_a_bit_a_symbol_of_entropy(histogram: list[int]) -> None:
    array = np.array(histogram)
    assert entropy_bits(array) - 1e-6 <= huffman_bits(array) <= entropy_bits(array) + array.sum()


def paper_streams(weights: np.ndarray, width: int) -> tuple[list[int], list[float]]:
    """Gaps and values as the paper's figure 2 writes them, one weight at a time."""
    gaps, values, zeros = [], [], 0
    for weight in weights.ravel():
        if weight == 0:
            zeros += 1
            continue
        while zeros >= 1 << width:
            gaps.append((1 << width) - 1)
            values.append(0.0)
            zeros -= 1 << width
        gaps.append(zeros)
        values.append(float(weight))
        zeros = 0
    return gaps, values


@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
def test_gap_coding_counts_what_the_paper_writes(width: int) -> None:
    rng = np.random.default_rng(width)
    weights = rng.choice([0, 0.5, -0.25, 1.0], size=(20, 50), p=[0.9, 0.05, 0.03, 0.02]).astype(np.float32)
    gaps, values = paper_streams(weights, width)
    bits = sum(huffman_bits(np.unique(stream, return_counts=True)[1]) for stream in (gaps, values))
    assert gap_coded_bytes(Streams.of(weights), width) == -(-bits // 8) + 4 * 3


def test_the_best_width_is_the_best() -> None:
    weights = np.where(np.arange(4000) % 17 == 0, np.float32(1), np.float32(0)).reshape(40, 100)
    streams = Streams.of(weights)
    size, width = best_gap_coded_bytes(streams)
    assert size == min(gap_coded_bytes(streams, w) for w in range(1, 9)) == gap_coded_bytes(streams, width)
    assert width >= 5  # 16 zeros between weights: narrower gaps need fillers
