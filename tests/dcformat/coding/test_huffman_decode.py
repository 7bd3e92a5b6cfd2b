import numpy as np
import pytest
from codec_cases import decode_symbols

from dcz.dcformat.coding import huffman as hf
from dcz.dcformat.coding.huffman_decode import decode_streams


def streams_of(chunks: list[np.ndarray], lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Data, starts and counts."""
    codes = hf.canonical_codes(lengths)
    parts = [hf.encode(chunk, codes) for chunk in chunks]
    data = np.frombuffer(bytearray(b"".join(parts)), np.uint8)
    starts = np.cumsum([0, *map(len, parts)])
    return data, starts, np.array([len(chunk) for chunk in chunks], dtype=np.int64)


def random_chunks(sizes: list[int], probabilities: np.ndarray, rng: np.random.Generator) -> list[np.ndarray]:
    return [rng.choice(len(probabilities), size, p=probabilities).astype(np.uint8) for size in sizes]


def decode(data: np.ndarray, starts: np.ndarray, counts: np.ndarray, lengths: np.ndarray) -> tuple[int, np.ndarray]:
    out = np.full(int(counts.sum()) + 4, 99, dtype=np.uint8)
    codes = np.zeros(len(counts), np.int64)
    bad = decode_streams(data, starts, counts, hf.decoding_table(lengths), codes, out[: int(counts.sum())])
    assert out[-4:].tolist() == [99] * 4, "wrote past the end"
    return bad, out[:-4]


@pytest.mark.parametrize("alphabet", [2, 3, 17, 256])
@pytest.mark.parametrize("chunks", range(1, 10))
def test_kernel_decodes_uneven_chunks(chunks: int, alphabet: int) -> None:
    rng = np.random.default_rng(chunks * 1000 + alphabet)
    weights = 0.7 ** np.arange(alphabet) + 1e-4
    sizes = rng.integers(0, 40, chunks).tolist()
    parts = random_chunks(sizes, weights / weights.sum(), rng)
    lengths = hf.code_lengths(np.bincount(np.concatenate(parts), minlength=alphabet) + 1)
    data, starts, counts = streams_of(parts, lengths)
    bad, out = decode(data, starts, counts, lengths)
    assert bad == -1
    assert out.tolist() == np.concatenate(parts).tolist()
    for i, part in enumerate(parts):
        assert decode_symbols(data[starts[i] : starts[i + 1]].tobytes(), lengths, len(part)) == part.tolist()


@pytest.mark.parametrize("size", [*range(9), 31, 32, 33])
def test_kernel_decodes_every_remainder_of_equal_chunks(size: int) -> None:
    rng = np.random.default_rng(size)
    parts = random_chunks([size] * 5, np.array([0.5, 0.3, 0.1, 0.1]), rng)
    lengths = np.array([1, 2, 3, 3], np.uint8)
    bad, out = decode(*streams_of(parts, lengths), lengths)
    assert bad == -1
    assert out.tolist() == np.concatenate(parts).tolist()


@pytest.mark.parametrize("chunks", [1, 2, 3, 5])
def test_kernel_decodes_streams_of_several_codes_together(chunks: int) -> None:
    rng = np.random.default_rng(chunks)
    data, starts, counts, tables, expected = [], [0], [], [], []
    for alphabet in (3, 40):
        sizes = rng.integers(1, 300, chunks).tolist()
        parts = random_chunks(sizes, np.full(alphabet, 1 / alphabet), rng)
        lengths = hf.code_lengths(np.bincount(np.concatenate(parts), minlength=alphabet) + 1)
        buffer, ends, _ = streams_of(parts, lengths)
        data.append(buffer)
        starts += (starts[-1] + ends[1:]).tolist()
        counts += sizes
        tables.append(hf.decoding_table(lengths))
        expected += parts
    out = np.empty(sum(counts), np.uint8)
    codes = np.repeat([0, 1], chunks)
    buffer = np.concatenate(data)
    arguments = (buffer, np.array(starts), np.array(counts), np.concatenate(tables))
    assert decode_streams(*arguments, codes, out) == -1
    assert out.tolist() == np.concatenate(expected).tolist()
    assert decode_streams(*arguments, 1 - codes, out) >= 0


def test_kernel_decodes_the_longest_codes() -> None:
    # Four look-ups of 12 bits fit a window from any bit of a byte on.
    lengths = hf.code_lengths([2**i for i in range(12)] + [1])
    assert lengths.max() == 12
    rare = np.flatnonzero(lengths == 12)
    parts = [np.resize(np.append(np.resize(rare, k), [11]), 50 + k).astype(np.uint8) for k in range(9)]
    bad, out = decode(*streams_of(parts, lengths), lengths)
    assert bad == -1
    assert out.tolist() == np.concatenate(parts).tolist()


def test_a_buffer_that_cannot_be_written_to_is_read() -> None:
    parts = [np.array([0, 1, 2, 0, 1], np.uint8)] * 5
    lengths = np.array([1, 2, 2], np.uint8)
    data, starts, counts = streams_of(parts, lengths)
    data.flags.writeable = False
    assert decode(data, starts, counts, lengths)[1].tolist() == [0, 1, 2, 0, 1] * 5


@pytest.mark.parametrize("chunks", [1, 4, 5])
def test_kernel_takes_no_bits_for_a_single_symbol(chunks: int) -> None:
    lengths = np.array([0, 0, 1], np.uint8)
    counts = np.arange(chunks) + 3
    bad, out = decode(np.zeros(0, np.uint8), np.zeros(chunks + 1, np.int64), counts, lengths)
    assert bad == -1
    assert set(out.tolist()) == {2}


@pytest.mark.parametrize("chunks", [1, 4, 6])
def test_kernel_tells_the_chunk_that_does_not_end_where_it_should(chunks: int) -> None:
    rng = np.random.default_rng(chunks)
    lengths = np.array([1, 2, 2], np.uint8)
    parts = random_chunks([37] * chunks, np.array([0.4, 0.3, 0.3]), rng)
    data, starts, counts = streams_of(parts, lengths)
    for chunk in range(chunks):
        for change in (-9, 9):
            wrong = counts.copy()
            wrong[chunk] += change
            assert decode(data, starts, wrong, lengths)[0] == chunk


def test_kernel_stays_inside_its_buffer_whatever_the_bytes() -> None:
    rng = np.random.default_rng(0)
    for lengths in (np.array([1, 2, 2], np.uint8), hf.code_lengths([2**i for i in range(13)])):
        for chunks in (1, 4, 7):
            data = rng.integers(0, 256, 20).astype(np.uint8)
            starts = np.sort(rng.integers(0, 21, chunks + 1))
            counts = rng.integers(0, 300, chunks)
            bad, out = decode(data, starts, counts, lengths)
            assert bad < chunks
            assert set(out.tolist()) <= {99, *np.flatnonzero(lengths).tolist()}  # 99: given up before it got there
