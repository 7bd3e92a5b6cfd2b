from itertools import product
from math import log2

import numpy as np
import pytest
from codec_cases import HUFFMAN, check_codec, random_bits, sparse_array
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.dcformat import Dense, SparseRaw, SparseShared
from dcz.dcformat.constants import CHUNK_ENTRIES
from dcz.dcformat.encoding.header import SWAPPED
from dcz.dcformat.encoding.table import Encoding, encode_tensor, parse
from dcz.dcformat.tensors import DTYPES, to_csr

SHAPES = [(), (1,), (7,), (31, 17), (1, 50), (50, 1), (8, 3, 5, 5), (2, 3, 1, 2, 3, 2)]
DENSITIES = [0, 0.01, 0.1, 0.5, 1]


def entropy(symbols: np.ndarray) -> float:
    """Bits of symbols at the entropy of their histogram."""
    counts = np.unique(symbols, return_counts=True)[1]
    return float(sum(c * -log2(c / len(symbols)) for c in counts.tolist()))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_densities_and_codebooks(shape: tuple[int, ...], dtype: type) -> None:
    rng = np.random.default_rng(len(shape))
    for density, values in product(DENSITIES, (1, 2, 16, 0)):
        check_codec(sparse_array(shape, density, values, rng, dtype))


@pytest.mark.parametrize("values", [1, 2, 3, 255, 256, 257])
@pytest.mark.parametrize("density", [0.05, 0.4, 1])
def test_codebook_sizes(values: int, density: float) -> None:
    rng = np.random.default_rng(values)
    codebook = np.unique(rng.normal(size=values).astype(np.float32))
    assert len(codebook) == values
    array = sparse_array((60, 150), density, 1, rng)
    stored = np.flatnonzero(array)
    array.reshape(-1)[stored] = rng.permutation(np.resize(codebook, len(stored)))
    encoding, payload = check_codec(array)
    if values > 256:
        assert encoding == (Encoding.SPARSE_PLANES if density < 1 else Encoding.SHARED_WIDE)
        return
    if density != 0.4:  # there, either may be the shorter
        assert encoding == (Encoding.SPARSE_SHARED if density < 0.4 else Encoding.SHARED)
    held = parse(payload, 0, array.shape, "F32", encoding).codebook
    assert set(held.tolist()) == set(np.unique(array if encoding == Encoding.SHARED else array[array != 0]).tolist())


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (2, 0, 4)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_empty_tensors(shape: tuple[int, ...], dtype: str) -> None:
    assert check_codec(np.zeros(shape, DTYPES[dtype]), dtype) == (Encoding.RAW, b"")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4)])
def test_every_dtype(dtype: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    if dtype == "BOOL":
        array = rng.random(shape) < 0.5
    else:
        nbytes = int(np.prod(shape)) * DTYPES[dtype].itemsize
        array = np.frombuffer(rng.bytes(nbytes), DTYPES[dtype]).reshape(shape)
    encoding, _ = check_codec(np.asarray(array), dtype, truncate=True)
    assert encoding == Encoding.RAW or dtype in ("F32", "F16")


@pytest.mark.parametrize("dtype", [">f4", ">i8", ">f2"])
def test_big_endian_arrays_are_the_same_tensor(dtype: str) -> None:
    array = np.arange(12, dtype=dtype).reshape(3, 4)
    assert check_codec(array) == check_codec(array.astype(array.dtype.newbyteorder("<")))


def test_arrays_that_are_not_contiguous_or_not_writable() -> None:
    array = sparse_array((20, 30), 0.3, 4, np.random.default_rng(0))
    locked = array.T.copy()
    locked.flags.writeable = False
    assert check_codec(array.T) == check_codec(locked)
    check_codec(array[::2, 1::3])


@pytest.mark.parametrize(
    "special",
    [0x80000000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001, 0xFFFFFFFF, 0x00000001, 0x807FFFFF, 0x7F7FFFFF],
    ids=hex,
)
def test_special_floats_keep_their_bits(special: int) -> None:
    rng = np.random.default_rng(special)
    for density, fill in product([0.05, 0.6, 1], [special, 0x3F800000]):
        bits = np.where(rng.random((12, 40)) < density, np.uint32(special), np.uint32(0))
        bits[0, :8] = fill
        check_codec(bits.view(np.float32))
    halves = np.where(rng.random((12, 40)) < 0.2, np.uint16(special >> 16), np.uint16(0))
    check_codec(halves.view(np.float16))
    # Not shared, too: every weight another payload of NaN.
    many = np.where(rng.random((60, 60)) < 0.2, 0x7F800001 + np.arange(3600).reshape(60, 60), 0)
    assert check_codec(many.astype(np.uint32).view(np.float32))[0] == Encoding.SPARSE_PLANES


def test_only_negative_zeros() -> None:
    check_codec(np.full((30, 30), -0.0, np.float32))
    assert check_codec(np.zeros((30, 30), np.float32))[0] == Encoding.SPARSE_SHARED


@pytest.mark.parametrize("values", [1, 7, 0])
@pytest.mark.parametrize("chunks", [1, 3, 5])
@pytest.mark.parametrize("rest", [0, 1, CHUNK_ENTRIES - 1])
def test_several_chunks(chunks: int, rest: int, values: int) -> None:
    """Stored weights a whole number of chunks, one more, one less; runs of zeros that take many escapes."""
    rng = np.random.default_rng(chunks)
    count = chunks * CHUNK_ENTRIES + rest - (CHUNK_ENTRIES if rest > 1 else 0)
    if count < 1:
        count = 1
    gaps = rng.integers(0, 4, count)
    gaps[rng.integers(0, count, 6)] = 3000
    at = np.cumsum(gaps + 1)
    array = np.zeros((3, int(at[-1]) // 3 + 1), np.float32)
    array.reshape(-1)[at - 1] = sparse_array((count,), 2, values, rng)
    encoding, payload = check_codec(array)
    assert encoding in ((Encoding.SPARSE_SHARED,) if values else (Encoding.SPARSE_RAW, Encoding.SPARSE_PLANES))
    positions = parse(payload, 0, array.shape, "F32", encoding).positions
    assert positions.nnz == count
    assert len(positions.chunk_starts) == -(-count // CHUNK_ENTRIES)
    assert positions.chunk_starts.tolist() == (at[::CHUNK_ENTRIES] - 1).tolist()


@pytest.mark.parametrize("size", [1, CHUNK_ENTRIES, CHUNK_ENTRIES + 1, 5 * CHUNK_ENTRIES + 77])
@pytest.mark.parametrize("values", [1, 5])
def test_several_chunks_of_a_dense_tensor(size: int, values: int) -> None:
    array = sparse_array((size,), 2, values, np.random.default_rng(size))
    encoding, payload = check_codec(array)
    assert encoding == Encoding.SHARED or size == 1
    if encoding == Encoding.SHARED:
        parsed = parse(payload, 0, array.shape, "F32", encoding)
        assert len(parsed.symbols.counts) == -(-size // CHUNK_ENTRIES)


def test_axes_are_swapped_where_that_is_cheaper() -> None:
    array = np.zeros((64, 64, 3, 3), np.float32)
    array[:, 5] = array[:, 40] = 1.5  # two input channels hold everything
    for swapped, tensor in ((True, array), (False, array.swapaxes(0, 1).copy())):
        encoding, payload = check_codec(tensor)
        assert encoding == Encoding.SPARSE_SHARED
        assert bool(payload[0] & SWAPPED) == swapped
        assert parse(payload, 0, tensor.shape, "F32", encoding).positions.swapped == swapped
    unshared = np.where(array != 0, np.random.default_rng(0).normal(size=array.shape).astype(np.float32), 0)
    encoding, payload = check_codec(unshared.astype(np.float32))
    assert encoding == Encoding.SPARSE_PLANES
    assert payload[0] & SWAPPED


def test_axes_of_a_large_tensor_stay_where_swapping_gains_next_to_nothing() -> None:
    for rows, large in ((200, False), (2400, True)):
        noise = sparse_array((rows, 300), 0.1, 15, np.random.default_rng(2))
        payloads = [check_codec(tensor)[1] for tensor in (noise, noise.T.copy())]  # one order is cheaper
        assert any(payload[0] & SWAPPED for payload in payloads) == (not large)


@pytest.mark.parametrize("density", [0.03, 0.1, 0.4])
@pytest.mark.parametrize("values", [2, 15, 200])
def test_size_is_near_the_entropy_of_gaps_and_symbols(density: float, values: int) -> None:
    array = sparse_array((100, 700), density, values, np.random.default_rng(1))
    encoding, payload = check_codec(array)
    stored = np.flatnonzero(array)
    gaps = np.diff(stored, prepend=-1)
    n = len(stored)
    floor = entropy(gaps) + entropy(array.reshape(-1)[stored])
    # A Huffman code costs up to .1 bit over entropy here; tables, codebook and chunks the rest.
    overhead = 8 * (60 + 5 * len(np.unique(array)) + 12 * (n // CHUNK_ENTRIES + 1))
    assert 8 * len(payload) <= floor + 0.1 * n + overhead
    # A position and a symbol cannot be coded in less than they hold.
    place = array.size * -(density * log2(density) + (1 - density) * log2(1 - density))
    if encoding == Encoding.SPARSE_SHARED:
        assert 8 * len(payload) > 0.95 * (place + entropy(array.reshape(-1)[stored]))


def test_the_form_that_takes_the_fewest_bytes_is_taken() -> None:
    rng = np.random.default_rng(5)
    assert check_codec(sparse_array((50, 50), 0.1, 4, rng))[0] == Encoding.SPARSE_SHARED
    assert check_codec(sparse_array((50, 50), 0.9, 4, rng))[0] == Encoding.SHARED
    assert check_codec(sparse_array((50, 50), 0.3, 0, rng))[0] == Encoding.SPARSE_PLANES
    assert check_codec(sparse_array((50, 50), 1, 0, rng))[0] == Encoding.PLANES
    noise = random_bits(2500, rng)
    assert check_codec(noise)[0] == Encoding.RAW
    assert check_codec(np.where(rng.random(2500) < 0.3, noise, np.float32(0)))[0] == Encoding.SPARSE_RAW
    assert check_codec(np.float32([1.0]))[0] == Encoding.RAW


@pytest.mark.parametrize("dtype", ["F32", "F16"])
def test_headers_that_are_cut_are_refused(dtype: str) -> None:
    rng = np.random.default_rng(9)
    for density, values in ((0.2, 5), (0.9, 5), (0.2, 0), (0, 1), (1, 0)):
        array = sparse_array((17, 41), density, values, rng, DTYPES[dtype].type)
        check_codec(array, truncate=True)


weights = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, float("inf"), float("nan"), 1e-45]),
    st.floats(width=32, allow_nan=False),
)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    shape = tuple(draw(st.lists(st.integers(1, 7), max_size=4)))
    size = int(np.prod(shape))
    codebook = draw(st.lists(weights, min_size=1, max_size=12))
    zeros = draw(st.sampled_from([0, 1, 5, 30]))
    picks = draw(st.lists(st.sampled_from([*codebook, *[0.0] * zeros]), min_size=size, max_size=size))
    return np.array(picks, np.float32).reshape(shape)


@given(arrays())
@settings(max_examples=60)
def test_any_small_array_comes_back(array: np.ndarray) -> None:
    check_codec(array)


@given(st.integers(0, 2**32), st.sampled_from([1, 3, 40, 0]), st.floats(0, 1), st.integers(1, 40), st.integers(1, 40))
@settings(max_examples=40)
def test_any_matrix_comes_back(seed: int, values: int, density: float, rows: int, columns: int) -> None:
    check_codec(sparse_array((rows, columns, 3), density**3, values, np.random.default_rng(seed)))


def test_to_csr_says_what_has_none() -> None:
    scalar = encode_tensor(Dense(np.zeros((), np.float32), "F32"), HUFFMAN)
    for tensor in (
        Dense(np.zeros((), np.float32), "F32"),
        Dense(np.zeros(3, np.int64), "I64"),
        Dense(np.zeros(3, np.uint16), "BF16"),
        parse(scalar[1], 0, (), "F32", scalar[0]).decode(),
    ):
        with pytest.raises(ValueError, match="CSR"):
            to_csr(tensor)
    assert isinstance(to_csr(Dense(np.ones((2, 2)), "F64")), SparseRaw)


def test_to_csr_of_a_full_codebook_drops_the_zero() -> None:
    codebook = np.unique(np.arange(256, dtype=np.float32))
    array = np.tile(codebook, 40).reshape(64, -1)
    encoding, payload = check_codec(array)
    assert encoding == Encoding.SHARED
    csr = to_csr(parse(payload, 0, array.shape, "F32", encoding).decode())
    assert isinstance(csr, SparseShared)
    assert len(csr.codebook) == 255
