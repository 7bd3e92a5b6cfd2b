"""Encodings of format 1.1: element types beside F32 and F16, and one scale a row."""

from __future__ import annotations

import io
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from codec_cases import check_codec, sparse_array
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.dcformat import Dense, SparseRaw, SparseShared, write
from dcz.dcformat import open as open_container
from dcz.dcformat.encoding.table import LEAST_GAIN, Encoding, encode_tensor, parse
from dcz.dcformat.tensors import DTYPES

OTHERS = [dtype for dtype in DTYPES if dtype not in ("F32", "F16")]
KINDS = {
    (True, True): {Encoding.SPARSE_SHARED_ANY},
    (True, False): {Encoding.SPARSE_RAW_ANY, Encoding.SPARSE_PLANES},
    (False, True): {Encoding.SHARED_ANY},
    (False, False): {Encoding.RAW, Encoding.PLANES},
}
"""By whether there are zeros, and few values. Elements of 64 bits have a plane of zeros here."""


def with_patterns(dtype: str, shape: tuple[int, ...], density: float, values: int, seed: int = 0) -> np.ndarray:
    """Random bit patterns, `values` different ones (0: as many as there may be), the others zero."""
    rng = np.random.default_rng(seed)
    width = DTYPES[dtype].itemsize
    top = 2 if dtype == "BOOL" else 1 << 8 * min(width, 7)
    size = int(np.prod(shape))
    codebook = rng.integers(1, top, size=values or size, dtype=np.uint64)
    picked = rng.choice(codebook, size) if values else codebook
    stored = rng.random(size) < density
    return np.where(stored, picked, np.uint64(0)).astype(f"<u{width}").view(DTYPES[dtype]).reshape(shape)


@pytest.mark.parametrize("dtype", OTHERS)
@pytest.mark.parametrize(("density", "values"), [*product([0.05, 0.3, 1], [1, 7, 0])])
def test_every_type_comes_back_from_the_encoding_that_fits(dtype: str, density: float, values: int) -> None:
    array = with_patterns(dtype, (60, 11, 3), density, values)
    encoding, payload = check_codec(array, dtype)
    few = len(np.unique(array.view(f"u{array.itemsize}"))) <= 256
    if density != 0.3 and not (array.itemsize == 1 and values == 0 and density == 1):
        assert encoding in KINDS[density < 1, few]
    else:  # either may be the shorter
        assert encoding in set().union(*KINDS.values())
    assert encoding == Encoding.RAW or len(payload) <= array.nbytes - LEAST_GAIN


@pytest.mark.parametrize("dtype", OTHERS)
def test_headers_that_are_cut_are_refused(dtype: str) -> None:
    for density, values in ((0.2, 5), (1, 5), (0.2, 0)):
        check_codec(with_patterns(dtype, (17, 31), density, values), dtype, truncate=True)


@pytest.mark.parametrize("dtype", OTHERS)
def test_zeros_alone_take_two_bytes_and_little_tensors_stay_as_they_are(dtype: str) -> None:
    assert check_codec(np.zeros((30, 30), DTYPES[dtype]), dtype)[0] == Encoding.SPARSE_SHARED_ANY
    assert check_codec(np.zeros(5, DTYPES[dtype]), dtype)[0] == Encoding.RAW
    assert check_codec(np.zeros((), DTYPES[dtype]), dtype)[0] == Encoding.RAW


def test_bf16_takes_the_bytes_of_f16() -> None:
    halves = sparse_array((300, 500), 0.1, 16, np.random.default_rng(0), np.float16)
    single = halves.astype(np.float32).view(np.uint32)
    brain = ((single + 0x8000) >> 16).astype(np.uint16)  # rounded: what counts is that as many values occur
    assert len(np.unique(brain)) == len(np.unique(halves.view(np.uint16)))
    ours, theirs = check_codec(brain, "BF16")[1], check_codec(halves)[1]
    assert len(ours) == pytest.approx(len(theirs), rel=0.05)


@pytest.mark.parametrize("density", [0.2, 1])
def test_int8_takes_its_entropy(density: float) -> None:
    rng = np.random.default_rng(1)
    levels = np.rint(rng.normal(scale=30, size=(256, 600))).clip(-127, 127).astype(np.int8)
    array = np.where(rng.random(levels.shape) < density, levels, np.int8(0))
    counts = np.unique(array, return_counts=True)[1] / array.size
    entropy = float(-(counts * np.log2(counts)).sum()) * array.size / 8
    assert len(check_codec(array)[1]) <= 1.03 * entropy + 300


def test_doubles_of_single_precision_have_a_short_codebook() -> None:
    def book(array: np.ndarray) -> int:
        encoding, payload = check_codec(array)
        return parse(payload, 0, array.shape, "F64", encoding).parts["codebook"]

    single = sparse_array((100, 200), 0.2, 200, np.random.default_rng(0)).astype(np.float64)
    assert book(single) < 5 * 200
    assert book(single * (1 + 2.0**-40)) == 2 + 8 * 200
    wide = np.where(single != 0, np.sign(single) * 1e300, 0)
    assert book(wide) == 1 + 8 * 2


def test_decoded_forms_say_their_type_and_widen_exactly() -> None:
    rng = np.random.default_rng(0)
    single = sparse_array((40, 90), 0.1, 7, rng).view(np.uint32) & np.uint32(0xFFFF0000)
    brain = (single >> 16).astype(np.uint16)
    encoding, payload = check_codec(brain, "BF16")
    tensor = parse(payload, 0, brain.shape, "BF16", encoding).decode()
    assert isinstance(tensor, SparseShared)
    assert tensor.dtype == "BF16"
    widened = tensor.float32()
    assert (widened.dtype, widened.codebook.dtype) == ("F32", np.float32)
    assert widened.dense().tobytes() == single.tobytes()
    with pytest.raises(ValueError, match="CSR"):
        tensor_csr(brain, "BF16")
    with pytest.raises(ValueError, match="CSR"):
        tensor_csr(sparse_array((40, 90), 0.1, 7, rng).astype(np.int8), "I8")
    assert isinstance(tensor_csr(sparse_array((40, 90), 0.1, 0, rng).astype(np.float64), "F64"), SparseRaw)


def tensor_csr(array: np.ndarray, dtype: str) -> Any:
    file = io.BytesIO()
    write(file, None, {"t": Dense(array, dtype)})
    with open_container(file) as container:
        return container.csr("t")


@given(st.sampled_from(OTHERS), st.integers(0, 2**32), st.sampled_from([1, 3, 40, 0]), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_any_tensor_comes_back(dtype: str, seed: int, values: int, density: float) -> None:
    check_codec(with_patterns(dtype, (9, 40), density**2, values, seed), dtype)


# One scale a row.


def quantized(shape: tuple[int, ...], top: int, density: float = 1, seed: int = 0) -> np.ndarray:
    """Weights as fake quantization with one scale an output channel leaves them."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=shape).astype(np.float32)
    scales = np.abs(weights).max(axis=tuple(range(1, len(shape))), keepdims=True) / np.float32(top)
    levels = np.rint(weights / scales)
    return np.where(rng.random(shape) < density, levels * scales + np.float32(0), np.float32(0))


@pytest.mark.parametrize("density", [0.2, 1])
@pytest.mark.parametrize("top", [7, 127])
@pytest.mark.parametrize("shape", [(30, 200), (40, 20, 3, 3)])
def test_weights_on_a_grid_a_row_take_about_a_byte(shape: tuple[int, ...], top: int, density: float) -> None:
    array = quantized(shape, top, density)
    encoding, payload = check_codec(array)
    assert encoding == (Encoding.SHARED_SCALED if density == 1 else Encoding.SPARSE_SHARED_SCALED)
    kept, positions = np.count_nonzero(array), 0.73 / 8 * array.size if density < 1 else 0
    assert len(payload) <= np.log2(2 * top + 1) / 8 * kept + 1.05 * positions + 4 * shape[0] + 150
    parsed = parse(payload, 0, array.shape, "F32", encoding)
    assert parsed.scales is not None
    assert len(parsed.scales) == shape[0]


def test_headers_of_scaled_tensors_that_are_cut_are_refused() -> None:
    for density in (0.2, 1):
        check_codec(quantized((12, 60), 7, density), truncate=True)


def test_negative_zeros_and_rows_of_zeros_are_on_every_grid() -> None:
    array = quantized((30, 200), 100, 0.5)
    array[4], array[9] = 0, -0.0
    array[5:20][array[5:20] == 0] = -0.0
    assert check_codec(array)[0] in (Encoding.SHARED_SCALED, Encoding.SPARSE_SHARED_SCALED)


def test_tensors_without_such_grids_are_stored_as_ever() -> None:
    array = quantized((30, 200), 127)
    array[29, 3] = np.nextafter(array[29, 3], np.float32(np.inf))
    assert check_codec(array)[0] in (Encoding.PLANES, Encoding.SHARED_WIDE)
    assert check_codec(quantized((6000, 1), 127).reshape(-1))[0] in (Encoding.PLANES, Encoding.SHARED_WIDE)
    array[29, 3] = np.nan
    assert check_codec(array)[0] in (Encoding.PLANES, Encoding.SHARED_WIDE)


def test_one_grid_for_all_rows_stays_a_codebook_of_format_1_0() -> None:
    array = quantized((1, 6000), 127).reshape(30, 200)
    assert check_codec(array)[0] == Encoding.SHARED


# The version that a file states.


@pytest.mark.parametrize(
    ("array", "version"),
    [
        (sparse_array((40, 50), 0.1, 4, np.random.default_rng(0)), "1.0"),
        (sparse_array((40, 50), 0.1, 4, np.random.default_rng(0), np.float16), "1.0"),
        (np.arange(-4, 4), "1.0"),
        (np.zeros((40, 50), np.int8), "1.1"),
        (quantized((30, 200), 127), "1.1"),
    ],
    ids=["F32", "F16", "raw", "I8", "scaled"],
)
def test_a_file_states_the_least_version_that_has_what_it_uses(tmp_path: Path, array: np.ndarray, version: str) -> None:
    write(tmp_path / "t.dcz", None, {"plain": np.ones(3, np.float32), "t": array})
    with open_container(tmp_path / "t.dcz") as container:
        assert container.format_version == version
        assert container.tensor("t").tobytes() == array.tobytes()
        assert container.verify() == []


def test_names_of_format_1_0_are_for_its_types_alone() -> None:
    """A reader of 1.0 refuses a name that it does not know, and would misread a type that it does not expect."""
    known = {"raw", "shared", "sparse_shared", "sparse_raw"}
    for encoding, dtype in product(Encoding, DTYPES):
        if encoding.value in known and encoding != Encoding.RAW:
            assert encoding.fits(dtype, (3, 4)) == (dtype in ("F32", "F16"))
        assert (encoding.value in known) == (encoding.minor_version == 0)
    for dtype in OTHERS:
        assert encode_tensor(Dense(with_patterns(dtype, (60, 40), 0.1, 1), dtype))[0].value not in known
