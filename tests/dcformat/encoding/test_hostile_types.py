"""Payloads of format 1.1 that lie: other element types, and scales."""

from __future__ import annotations

import io

import numpy as np
import pytest
from containers import holding
from hostile import lengths_bits, refused, varints

from dcz.dcformat import open as open_container
from dcz.dcformat.coding.bits import BitWriter

SYMBOLS = [1, 2, 2]
STREAM = bytes([0b01011000])  # 0 1 2 0


def book(patterns: list[int], width: int) -> bytes:
    out = BitWriter()
    out.number(patterns[0], width)
    out.numbers(np.diff(patterns) - 1)
    return out.tobytes()


def dense_payload(patterns: bytes, layout: int = 0x60, count: int = 3) -> bytes:
    return bytes([layout]) + varints(count) + patterns + lengths_bits(SYMBOLS) + varints(1) + STREAM


def scaled_payload(scales: list[float], levels: list[int], layout: int = 0x60) -> bytes:
    return np.array(scales, "<f4").tobytes() + dense_payload(book(levels, 16), layout)


WIDE = np.array([1, 1 << 40, 1 << 63], "<u8").tobytes()
"""Three patterns of 64 bits."""


def test_the_payloads_that_the_others_differ_from_are_read() -> None:
    def read(payload: bytes, encoding: str, dtype: str = "F32") -> list[float]:
        with open_container(io.BytesIO(holding(payload, (2, 2), encoding, dtype))) as container:
            assert container.verify() == []
            found: list[float] = container.tensor("t").reshape(-1).tolist()
            return found

    assert read(dense_payload(book([1, 2, 255], 8)), "shared_any", "I8") == [1, 2, -1, 1]
    assert read(dense_payload(WIDE), "shared_any", "U64") == [1, 1 << 40, 1 << 63, 1]
    assert read(scaled_payload([0.5, 3], [1, 2, 0x8003]), "shared_scaled") == [0.5, 1, -9, 3]


@pytest.mark.parametrize("dtype", ["I8", "BF16", "I32", "U64", "BOOL"])
@pytest.mark.parametrize("form", [0, 1, 2])
def test_a_form_of_floats_for_another_type(dtype: str, form: int) -> None:
    payload = dense_payload(np.float32(1).tobytes() * 2, layout=form << 5)
    assert "expected PATTERN" in str(refused(holding(payload, (2, 2), "shared_any", dtype)))


@pytest.mark.parametrize(
    ("encoding", "dtype", "shape"),
    [
        ("shared_any", "F32", (2, 2)),
        ("shared_any", "F16", (2, 2)),
        ("sparse_shared_any", "F32", (2, 2)),
        ("sparse_raw_any", "F16", (2, 2)),
        ("shared", "BF16", (2, 2)),
        ("sparse_raw", "I8", (2, 2)),
        ("shared_any", "I8", (0, 2)),
        ("shared_scaled", "F64", (2, 2)),
        ("shared_scaled", "F16", (2, 2)),
        ("sparse_shared_scaled", "I8", (2, 2)),
        ("shared_scaled", "F32", (4,)),
        ("shared_scaled", "F32", ()),
        ("shared_scaled", "F32", (0, 2)),
    ],
)
def test_tensors_that_an_encoding_is_not_for(encoding: str, dtype: str, shape: tuple[int, ...]) -> None:
    error = refused(holding(scaled_payload([1, 1], [1, 2, 3]), shape, encoding, dtype))
    assert f"cannot be {encoding}" in str(error)


@pytest.mark.parametrize(
    ("payload", "dtype", "message"),
    [
        (dense_payload(book([0, 1, 2], 8)), "BOOL", "neither 0 nor 1"),
        (dense_payload(book([254, 255, 256], 8)), "I8", "out of range"),
        (dense_payload(book([1, 2, 1 << 16], 16)), "BF16", "out of range"),
        (dense_payload(WIDE[:8] * 3), "F64", "do not ascend"),
        (dense_payload(WIDE[8:16] + WIDE[:8] + WIDE[16:]), "I64", "do not ascend"),
        (b"\x60\x03" + WIDE[:-1], "F64", "ends too early"),
        (b"\x60\x03" + WIDE[:1], "I32", "ends too early"),
        (dense_payload(book([1, 2, 3], 8), count=0), "U8", "empty"),
        (dense_payload(WIDE) + b"\0", "F64", "bytes behind"),
    ],
)
def test_codebooks(payload: bytes, dtype: str, message: str) -> None:
    assert message in str(refused(holding(payload, (2, 2), "shared_any", dtype)))


def test_a_zero_in_the_codebook_of_a_sparse_tensor() -> None:
    head = b"\x62" + varints(3) + varints(3)
    tail = lengths_bits([2, 2, 0, 1], SYMBOLS) + varints(1, 1, 1, 1) + bytes([0b10110100]) + STREAM
    with open_container(
        io.BytesIO(holding(head + book([1, 2, 9], 8) + tail, (2, 6), "sparse_shared_any", "I8"))
    ) as container:
        assert container.tensor("t").reshape(-1).tolist() == [0, 1, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0]
    assert "zero" in str(refused(holding(head + book([0, 2, 9], 8) + tail, (2, 6), "sparse_shared_any", "I8")))


@pytest.mark.parametrize("scale", [0.0, -0.0, -1.0, np.nan, np.inf])
def test_scales_that_are_not_positive_numbers(scale: float) -> None:
    error = refused(holding(scaled_payload([1, scale], [1, 2, 3]), (2, 2), "shared_scaled"))
    assert "not all are positive" in str(error)


def test_levels_that_scales_take_past_the_largest_float() -> None:
    payload = scaled_payload([1, 2e34], [1, 2, 0xFFFF])
    assert "largest float" in str(refused(holding(payload, (2, 2), "shared_scaled")))


@pytest.mark.parametrize("layout", [0x00, 0x20, 0x40])
def test_levels_in_a_form_of_floats(layout: int) -> None:
    error = refused(holding(scaled_payload([1, 1], [1, 2, 3], layout), (2, 2), "shared_scaled"))
    assert "expected PATTERN" in str(error)


@pytest.mark.parametrize("size", range(8))
def test_scales_that_are_cut(size: int) -> None:
    error = refused(holding(scaled_payload([1, 1], [1, 2, 3])[:size], (2, 2), "shared_scaled"))
    assert "scales" in str(error)
