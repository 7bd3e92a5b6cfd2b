"""Biases, norms and counters by adaptive probabilities: what it gains, what it holds, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from codec_cases import HUFFMAN, check_codec, patterns
from containers import holding
from hostile import refused
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.dcformat import Dense
from dcz.dcformat.constants import MAX_ADAPTIVE, MAX_ADAPTIVE_EXPANSION
from dcz.dcformat.encoding.adaptive import Kind
from dcz.dcformat.encoding.base import Counted
from dcz.dcformat.encoding.table import Encoding, encode_tensor, parse
from dcz.dcformat.tensors import DTYPES

ADAPTIVE = {Encoding.ADAPTIVE}
WRITTEN = sorted(set(DTYPES) - {"BOOL", "F64"})
RNG = np.random.default_rng(0)
NORMS = (RNG.random(64) + 0.5).astype("<f4")
BIASES = RNG.normal(size=64).astype("<f4")
LEVELS = np.rint(RNG.normal(scale=20, size=64)).astype(np.int64)


def written(array: np.ndarray, dtype: str) -> bytes | None:
    payload = Encoding.ADAPTIVE.scheme.write(Counted.of(Dense(array, dtype)))
    return None if payload is None else bytes(payload)


def as_read(payload: bytes, array: np.ndarray, dtype: str) -> np.ndarray:
    parsed = parse(payload, 0, array.shape, dtype, Encoding.ADAPTIVE)
    assert parsed.end == len(payload) == sum(parsed.parts.values())
    return patterns(parsed.decode().dense())


@pytest.mark.parametrize(
    ("array", "dtype", "kind", "most"),
    [
        (np.float32(1).reshape(()), "F32", Kind.CONSTANT, 3),
        (np.zeros(500, np.float32), "F32", Kind.CONSTANT, 1),
        (np.full(500, np.float32(-0.0)), "F32", Kind.CONSTANT, 2),
        (np.full(3, 1 / 3), "F64", Kind.CONSTANT, 9),
        (np.array(62_500), "I64", Kind.CONSTANT, 3),
        (np.array([-1, -1]), "I64", Kind.CONSTANT, 9),
        (NORMS, "F32", Kind.FLOATS, 64 * 3 + 10),
        (BIASES, "F32", Kind.FLOATS, 64 * 3 + 26),
        (BIASES.astype("<f2"), "F16", Kind.FLOATS, 64 * 11 // 8 + 30),
        (BIASES.astype("<f2").astype("<f4"), "F32", Kind.FLOATS, 64 * 11 // 8 + 30),
        ((BIASES.view("<u4") >> 16).astype("<u2"), "BF16", Kind.FLOATS, 64 + 26),
        ((LEVELS * np.float64(np.float32(0.013))).astype("<f4"), "F32", Kind.GRID, 64 * 6 // 8 + 14),
        (LEVELS, "I64", Kind.INTEGERS, 64 * 6 // 8 + 10),
        (np.array([-128, 127], "i1"), "I8", Kind.INTEGERS, 9),
        (np.array([0, (1 << 31) - 1], "<u4"), "U32", Kind.INTEGERS, 12),
    ],
)
def test_a_vector_is_split_where_that_takes_few_bytes(array: np.ndarray, dtype: str, kind: Kind, most: int) -> None:
    payload = written(array, dtype)
    assert payload is not None
    assert Kind(payload[0] & 3) == kind
    assert len(payload) <= most
    assert as_read(payload, array, dtype).tobytes() == patterns(array).tobytes()
    if array.size > 2:
        check_codec(array, dtype, truncate=True, among=ADAPTIVE)


@pytest.mark.parametrize("array", [NORMS, BIASES, (LEVELS * np.float64(np.float32(0.013))).astype("<f4")])
def test_it_is_smaller_than_tables(array: np.ndarray) -> None:
    tables = encode_tensor(Dense(array, "F32"), HUFFMAN, least_gain=0)[1]
    found = written(array, "F32")
    assert found is not None
    assert len(found) < len(tables)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(WRITTEN), st.binary(min_size=16, max_size=200))
def test_any_elements_come_back_or_are_declined(dtype: str, data: bytes) -> None:
    array = np.frombuffer(data[: len(data) // 8 * 8], DTYPES[dtype])
    payload = written(array, dtype)
    if payload is None:
        assert np.abs(array.astype(np.float64)).max() >= 1 << 31
    else:
        assert as_read(payload, array, dtype).tobytes() == patterns(array).tobytes()


def test_what_it_is_not_for_is_declined() -> None:
    assert written(np.arange(MAX_ADAPTIVE + 1), "I64") is None
    assert written(np.arange(3.0), "F64") is None
    mostly_zero = np.zeros(MAX_ADAPTIVE, np.int64)
    mostly_zero[9] = 1
    assert written(mostly_zero, "I64") is None
    assert not Encoding.ADAPTIVE.fits("F32", (3, 2))
    assert not Encoding.ADAPTIVE.fits("BOOL", (3,))
    assert not Encoding.ADAPTIVE.fits("F32", (0,))


UPPER = bytes.fromhex("03f2e7f1")
"""20, 20, 21, 1: of the example in docs/format.md."""


@pytest.mark.parametrize(
    ("payload", "shape", "dtype", "message"),
    [
        ("28 01020304 00", (4,), "F32", "a constant of F32 has other bytes"),
        ("0c 01", (4,), "F32", "a constant of F32 has other bytes"),
        ("10 01", (4,), "F32", "constant: data ends too early"),
        ("09" + UPPER.hex(), (4,), "F32", "cannot be split in this way"),
        ("0a 0000803f" + UPPER.hex(), (4,), "I16", "cannot be split in this way"),
        ("0b 80" + UPPER.hex(), (4,), "F64", "cannot be split in this way"),
        ("09" + UPPER.hex(), (4097,), "I16", "too many elements"),
        ("09 01 f2" + "00" * 9, (65,), "I16", "more elements than so few bytes"),
        ("09 00 33", (4,), "I16", "more elements than so few bytes"),
        ("0a 00000000" + UPPER.hex(), (4,), "F32", "scale is not a positive number"),
        ("0a 0000c07f" + UPPER.hex(), (4,), "F32", "scale is not a positive number"),
        ("0a ffff7f7f" + UPPER.hex() + "00", (4,), "F32", "passes the largest float"),
        ("7a 0000803f" + UPPER.hex() + "0000000000000000", (4,), "F32", "upper part is out of range"),
        ("0b 8002" + UPPER.hex(), (4,), "F32", "greatest exponent is out of range"),
        ("0b 14" + UPPER.hex() + "00", (4,), "F32", "upper part is out of range"),
        ("5b 7f" + UPPER.hex() + "00" * 9, (4,), "F16", "greatest exponent"),
        ("5b 1f" + UPPER.hex() + "00" * 9, (4,), "F16", "mantissa is too long"),
        ("0d" + UPPER.hex() + "3301", (4,), "I16", "bytes behind"),
        ("0d" + UPPER.hex(), (4,), "I16", "lower parts: data ends too early"),
        ("0d" + UPPER.hex() + "33", (3,), "I16", "padding bits are not zero"),
        ("0d 09" + UPPER.hex()[2:] + "00000000000033", (4,), "I16", "does not end where it should"),
        ("09" + UPPER.hex() + "31", (4,), "I16", "padding bits are not zero"),
        ("29" + UPPER.hex() + "000000", (4,), "I8", "too large for I8"),
        ("0d" + UPPER.hex() + "33", (4,), "U16", "too large for U16"),
    ],
)
def test_a_payload_that_lies_is_refused(payload: str, shape: tuple[int, ...], dtype: str, message: str) -> None:
    assert message in str(refused(holding(bytes.fromhex(payload), shape, "adaptive", dtype)))


def test_elements_for_each_byte_are_bounded() -> None:
    count = 2 * MAX_ADAPTIVE_EXPANSION
    assert "more elements" in str(refused(holding(b"\x01\x01\xff", (count,), "adaptive", "U8")))
    assert "end where it should" in str(refused(holding(b"\x01\x02\xff\xff", (count,), "adaptive", "U8")))
