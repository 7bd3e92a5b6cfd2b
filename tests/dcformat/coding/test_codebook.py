from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.dcformat import FormatError
from dcz.dcformat.coding.bits import BitWriter
from dcz.dcformat.coding.codebook import CodebookForm, find_grid, read_codebook, sort_key, write_codebook

F32 = np.dtype("<f4")
F16 = np.dtype("<f2")


def book(values: Any, dtype: np.dtype[Any] = F32) -> np.ndarray:
    """Distinct values in the order of a codebook."""
    array = np.asarray(values, dtype=dtype)
    return np.unique(array.view(f"u{dtype.itemsize}")).view(dtype)


def check(codebook: np.ndarray) -> CodebookForm:
    form, data = write_codebook(codebook)
    padded = b"\xee" * 3 + data + b"\xff" * 9
    out, end = read_codebook(padded, 3, len(codebook), form, codebook.dtype)
    assert end == 3 + len(data)
    assert out.dtype == codebook.dtype
    assert sort_key(out).tolist() == sort_key(codebook).tolist()
    for size in range(len(data)):
        with pytest.raises(FormatError):
            read_codebook(data[:size], 0, len(codebook), form, codebook.dtype)
    return form


@pytest.mark.parametrize("k", [1, 2, 3, 16, 255, 256])
def test_arbitrary_floats_take_the_plain_form(k: int) -> None:
    rng = np.random.default_rng(k)
    codebook = book(rng.normal(size=k))
    assert len(codebook) == k
    assert check(codebook) == (CodebookForm.F32 if k > 1 else CodebookForm.GRID) or k <= 2


@pytest.mark.parametrize("k", [2, 16, 200])
def test_half_floats_take_the_half_form(k: int) -> None:
    rng = np.random.default_rng(k)
    halves = rng.normal(size=k).astype(np.float16)
    assert check(book(halves.astype(np.float32))) in (CodebookForm.F16, CodebookForm.GRID)
    assert check(book(halves, F16)) == CodebookForm.F16
    if k == 200:
        assert check(book(halves.astype(np.float32))) == CodebookForm.F16


@pytest.mark.parametrize("bits", [4, 8, 10])
@pytest.mark.parametrize("seed", range(4))
def test_integers_times_a_scale_take_the_grid_form(bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scale = np.float32(rng.lognormal(-4))
    top = (1 << bits) - 1 if bits == 10 else (1 << bits - 1) - 1
    levels = np.concatenate([[-top], rng.choice(np.arange(-top, top), min(200, top), replace=False)])
    assert check(book(levels.astype(np.float32) * scale)) == CodebookForm.GRID


def test_form_is_the_shortest_that_is_exact() -> None:
    codebook = book([0.5, 1.5, -0.25])
    form, data = write_codebook(codebook)
    assert form == CodebookForm.F16  # the worked example of docs/format.md
    assert data == bytes.fromhex("3800 5eff8fbfe0")


@pytest.mark.parametrize(
    "values",
    [
        [0.0],
        [-0.0],
        [0.0, -0.0],
        [np.inf],
        [-np.inf, np.inf, 1],
        [np.nan, 1],
        [1e-45],
        [1e-45, -3e-45, 0],
        [3.4028235e38, -3.4028235e38],
        [65504, 65520],
        [65504, 6e-8],
        [1e-38, 1e38],
    ],
)
def test_special_values_come_back(values: list[float]) -> None:
    check(book(values))
    with np.errstate(over="ignore"):
        check(book(values, F16))


def test_payloads_of_nan_come_back() -> None:
    patterns = np.array([0x7F800001, 0x7FC00000, 0x7FC02000, 0x7FFFFFFF, 0xFFC00123], np.uint32)
    assert check(patterns.view(np.float32)) == CodebookForm.F32
    check(np.array([0x7C01, 0x7E00, 0xFE01], np.uint16).view(np.float16))


@given(st.lists(st.integers(0, (1 << 32) - 1), unique=True, min_size=1, max_size=256))
def test_any_patterns_come_back(patterns: list[int]) -> None:
    check(np.sort(np.array(patterns, np.uint32)).view(np.float32))


@given(st.lists(st.integers(0, (1 << 16) - 1), unique=True, min_size=1, max_size=256))
def test_any_half_patterns_come_back(patterns: list[int]) -> None:
    check(np.sort(np.array(patterns, np.uint16)).view(np.float16))


@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8"])
def test_elements_that_are_no_floats_take_their_patterns(dtype: str) -> None:
    width = np.dtype(dtype).itemsize
    top = 1 if dtype == "?" else (1 << 8 * width) - 1
    patterns = np.array(sorted({0, 1, top // 2, top // 2 + 1, top}), f"<u{width}")
    assert check(patterns.view(dtype)) == CodebookForm.PATTERN
    assert check(patterns[-1:].view(dtype)) == CodebookForm.PATTERN


@given(st.lists(st.floats(width=64), unique=True, min_size=1, max_size=40))
def test_doubles_take_the_forms_of_single_floats_where_those_are_exact(values: list[float]) -> None:
    codebook = book(values, np.dtype("<f8"))
    with np.errstate(over="ignore"):
        exact = np.array_equal(codebook.astype(np.float32).astype(np.float64), codebook)
    assert (check(codebook) == CodebookForm.PATTERN) == (not exact)
    with np.errstate(over="ignore", invalid="ignore"):
        single = book(codebook.astype(np.float32))
    if not np.isnan(single).any():
        assert check(single.astype(np.float64)) == check(single)


@given(
    st.lists(st.integers(-1023, 1023), unique=True, min_size=1, max_size=40),
    st.floats(2.0**-140, 2.0**100, width=32),
    st.sampled_from([0, 0, 1, -1]),
)
@settings(max_examples=150)
def test_a_grid_is_exact_or_none(levels: list[int], scale: float, nudge: int) -> None:
    codebook = np.array(levels, np.float32) * np.float32(scale)
    if nudge:
        codebook[0] = np.nextafter(codebook[0], np.float32(nudge * np.inf))
    codebook = book(codebook + np.float32(0))
    grid = find_grid(codebook)
    if grid is not None:
        found, steps = grid
        assert np.float32(found) == found > 0
        assert np.abs(steps).max() <= 1023
        assert sort_key((steps * np.float64(found)).astype(np.float32)).tolist() == sort_key(codebook).tolist()
    check(codebook)


def test_no_grid_without_a_largest_centroid() -> None:
    for values in ([0.0], [np.nan, 1.0], [np.inf, 1.0], [-0.0, 1.0]):
        assert find_grid(np.array(values, np.float32)) is None


def packed(first: int, steps: list[int], width: int) -> bytes:
    out = BitWriter()
    out.number(first, width)
    out.numbers(steps)
    return out.tobytes()


@pytest.mark.parametrize(
    ("form", "data", "count", "message"),
    [
        (CodebookForm.F32, packed((1 << 32) - 1, [0], 32), 2, "out of range"),
        (CodebookForm.F32, packed(7, [(1 << 32) - 1], 32), 2, "out of range"),
        (CodebookForm.F16, packed((1 << 16) - 1, [0], 16), 2, "out of range"),
        (CodebookForm.F16, packed(7, [1 << 16], 16), 2, "out of range"),
        (CodebookForm.GRID, np.float32(0).tobytes() + packed(1, [0], 16), 2, "bad scale"),
        (CodebookForm.GRID, np.float32(-1).tobytes() + packed(1, [0], 16), 2, "bad scale"),
        (CodebookForm.GRID, np.float32(np.nan).tobytes() + packed(1, [0], 16), 2, "bad scale"),
        (CodebookForm.GRID, np.float32(np.inf).tobytes() + packed(1, [0], 16), 2, "bad scale"),
        (CodebookForm.GRID, np.float32(1).tobytes() + packed(1 << 15, [0], 16), 2, "minus zero"),
        (CodebookForm.GRID, np.float32(3e38).tobytes() + packed(1, [0], 16), 2, "largest float"),
        (CodebookForm.F32, packed(1, [1, 2, 4], 32)[:-1], 4, "early"),
        (CodebookForm.F32, b"\0\0", 1, "early"),
        (CodebookForm.GRID, b"\0\0", 1, "early"),
    ],
)
def test_bad_codebooks_are_refused(form: CodebookForm, data: bytes, count: int, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_codebook(data, 0, count, form, F32)
