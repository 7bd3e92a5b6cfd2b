import heapq
from itertools import pairwise, product

import numpy as np
import pytest
from bitarray import bitarray
from bitarray.util import canonical_decode, canonical_huffman
from codec_cases import bits, decode_symbols
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.dcformat import FormatError
from dcz.dcformat.coding import huffman as hf
from dcz.dcformat.coding.bits import BitReader, BitWriter, zigzag
from dcz.dcformat.constants import MAX_CODE_LENGTH

histograms = st.lists(st.integers(0, 5) | st.integers(0, 10**6), min_size=1, max_size=256)


def unlimited(counts: list[int]) -> tuple[int, int]:
    """Bits and depth of a Huffman code by the textbook: a heap, the shallower tree first among equals."""
    heap = [(count, 0) for count in counts if count]
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        (a, depth_a), (b, depth_b) = heapq.heappop(heap), heapq.heappop(heap)
        total += a + b
        heapq.heappush(heap, (a + b, max(depth_a, depth_b) + 1))
    return total, heap[0][1] if heap else 0


def kraft(lengths: np.ndarray) -> float:
    return float(sum(2.0 ** -int(length) for length in lengths if length))


def cost(counts: list[int], lengths: np.ndarray) -> int:
    return sum(count * int(length) for count, length in zip(counts, lengths, strict=True))


@given(histograms)
def test_lengths_make_a_complete_code_and_are_optimal_where_the_limit_allows(counts: list[int]) -> None:
    lengths = hf.code_lengths(counts)
    assert lengths.dtype == np.uint8
    assert [bool(length) for length in lengths] == [bool(count) for count in counts]
    assert lengths.max() <= MAX_CODE_LENGTH
    used = sum(map(bool, counts))
    if used < 2:
        assert lengths.sum() == used
        assert hf.coded_bits(np.array(counts), lengths) == 0
        return
    assert kraft(lengths) == 1
    best, depth = unlimited(counts)
    if depth <= MAX_CODE_LENGTH:
        assert cost(counts, lengths) == best
    else:
        assert best < cost(counts, lengths) <= sum(counts) * max(1, (used - 1).bit_length())
    assert hf.coded_bits(np.array(counts), lengths) == cost(counts, lengths)


@given(st.lists(st.integers(1, 60) | st.sampled_from([1, 10, 100, 1000]), min_size=2, max_size=6), st.integers(0, 2))
@settings(max_examples=60)
def test_no_code_under_the_limit_is_shorter(counts: list[int], slack: int) -> None:
    limit = (len(counts) - 1).bit_length() + slack
    lengths = hf.code_lengths(counts, limit)
    assert lengths.max() <= limit
    brute = min(
        cost(counts, np.array(choice))
        for choice in product(range(1, limit + 1), repeat=len(counts))
        if kraft(np.array(choice)) <= 1
    )
    assert cost(counts, lengths) == brute


@given(histograms)
def test_a_greater_count_never_has_a_longer_code_and_ties_go_by_symbol(counts: list[int]) -> None:
    lengths = hf.code_lengths(counts)
    ranked = sorted((symbol for symbol, count in enumerate(counts) if count), key=lambda s: (counts[s], s))
    # From the rarest to the most frequent, and among equals from the lowest symbol up, codes get no longer.
    assert all(lengths[a] >= lengths[b] for a, b in pairwise(ranked))
    assert hf.code_lengths(np.array(counts)).tolist() == lengths.tolist()


@pytest.mark.parametrize("limit", [8, 12, 40])
def test_pathological_counts(limit: int) -> None:
    fibonacci = [1, 1]
    while len(fibonacci) < 40:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    for counts in ([2**i for i in range(40)], fibonacci, [1] * 256, [1] * 255 + [10**15]):
        if len(counts) > 1 << limit:
            continue
        lengths = hf.code_lengths(counts, limit)
        assert kraft(lengths) == 1
        assert lengths.max() <= limit
        if limit == 40:
            assert cost(counts, lengths) == unlimited(counts)[0]
    with pytest.raises(ValueError, match="257 symbols do not fit codes of 8 bits"):
        hf.code_lengths([1] * 257, 8)


def test_worked_example() -> None:
    # The example of docs/format.md: lengths 2 2 0 0 0 0 0 1 give 7 = 0, 0 = 10, 1 = 11.
    codes = hf.canonical_codes(np.array([2, 2, 0, 0, 0, 0, 0, 1], np.uint8))
    assert codes == {7: bitarray("0"), 0: bitarray("10"), 1: bitarray("11")}
    assert hf.encode(np.array([0, 1, 0, 1, *[7] * 9, 1], np.uint8), codes) == bytes.fromhex("bb0060")


@given(histograms.filter(lambda c: sum(map(bool, c)) >= 2))
def test_codes_are_canonical(counts: list[int]) -> None:
    lengths = hf.code_lengths(counts)
    codes = hf.canonical_codes(lengths)
    assert list(codes) == sorted(codes, key=lambda s: (lengths[s], s))
    words = [code.to01() for code in codes.values()]
    assert [len(word) for word in words] == [int(lengths[s]) for s in codes]
    assert words == sorted(words)
    assert set(words[0]) == {"0"}
    assert set(words[-1]) == {"1"}
    assert not any(b.startswith(a) for a, b in pairwise(words))


def test_codes_equal_those_of_bitarray_where_there_are_no_ties() -> None:
    counts = {symbol: 3**symbol + symbol for symbol in range(12)}
    theirs, per_length, order = canonical_huffman(counts)
    lengths = hf.code_lengths([counts[s] for s in range(12)])
    assert hf.canonical_codes(lengths) == theirs
    assert np.bincount(lengths).tolist() == per_length
    assert list(hf.canonical_codes(lengths)) == order


@given(histograms, st.integers(0, 2**32))
@settings(max_examples=50)
def test_encoded_streams_decode_with_bitarray_and_by_hand(counts: list[int], seed: int) -> None:
    used = np.flatnonzero(counts)
    lengths = hf.code_lengths(counts)
    if not len(used):
        assert hf.encode(np.empty(0, np.uint8), hf.canonical_codes(lengths)) == b""
        return
    symbols = np.random.default_rng(seed).choice(used, 60).astype(np.uint8)
    data = hf.encode(symbols, hf.canonical_codes(lengths))
    assert decode_symbols(data, lengths, len(symbols)) == symbols.tolist()
    coded = hf.coded_bits(np.bincount(symbols, minlength=len(counts)), lengths)
    assert len(data) == -(-coded // 8)
    if len(used) > 1:
        stream = bitarray()
        stream.frombytes(data)
        order = sorted(used.tolist(), key=lambda s: (lengths[s], s))
        per_length = np.bincount(lengths[used]).tolist()
        assert list(canonical_decode(stream[:coded], per_length, order)) == symbols.tolist()
        assert list(stream[:coded].decode(hf.canonical_codes(lengths))) == symbols.tolist()
        assert not stream[coded:].any(), "padding"


@given(histograms)
def test_lengths_round_trip(counts: list[int]) -> None:
    lengths = hf.code_lengths(counts)
    out = BitWriter()
    hf.write_lengths(out, lengths)
    reader = BitReader(out.tobytes(), 0, "lengths")
    if not any(counts):
        with pytest.raises(FormatError, match="complete"):
            hf.read_lengths(reader, len(counts))
        return
    assert hf.read_lengths(reader, len(counts)).tolist() == lengths.tolist()
    assert reader.align() == len(out.tobytes())


@pytest.mark.parametrize(
    "lengths",
    [[0, 0], [2, 0], [12, 0], [1, 2], [2, 2, 2], [1, 1, 1], [1, 2, 2, 12], [13, 13], [1, -1], [1, 2, 13]],
)
def test_lengths_that_are_no_code_are_refused(lengths: list[int]) -> None:
    out = BitWriter()
    out.numbers(zigzag(np.diff(lengths, prepend=0).tolist()))
    with pytest.raises(FormatError):
        hf.read_lengths(BitReader(out.tobytes(), 0, "lengths"), len(lengths))


def test_a_step_that_no_length_can_take_is_refused() -> None:
    with pytest.raises(FormatError, match="out of range"):
        hf.read_lengths(BitReader(bits("00000 0000 11010"), 0, "lengths"), 1)  # 25 codes a step of -13


@settings(max_examples=20)
@given(histograms.filter(any))
def test_decoding_table_answers_every_word(counts: list[int]) -> None:
    lengths = hf.code_lengths(counts)
    table = hf.decoding_table(lengths)
    assert table.shape == (1 << MAX_CODE_LENGTH,)
    codes = {code.to01(): symbol for symbol, code in hf.canonical_codes(lengths).items()}
    for word, entry in enumerate(table.tolist()):
        text, decoded, sizes = f"{word:0{MAX_CODE_LENGTH}b}", [], []
        while (
            len(decoded) < 2
            and (size := next((n for n in range(len(text) + 1) if text[:n] in codes), None)) is not None
        ):
            decoded.append(codes[text[:size]])
            sizes.append(size)
            text = text[size:]
        assert entry >> hf.COUNT_SHIFT == len(decoded)
        assert [entry & 255, entry >> 8 & 255][: len(decoded)] == decoded
        assert entry >> hf.LENGTH_SHIFT & 63 == sum(sizes)
        assert entry >> hf.FIRST_SHIFT & 15 == sizes[0]
