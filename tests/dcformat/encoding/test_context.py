"""`context` against a decoder in obvious Python, and damaged."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from codec_cases import check_codec, patterns, sparse_array
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.dcformat import Dense, FormatError, Shared, SparseShared
from dcz.dcformat.coding.context_decode import WIDE
from dcz.dcformat.encoding import context_write, table
from dcz.dcformat.encoding.base import Counted
from dcz.dcformat.encoding.context import ContextPayload
from dcz.dcformat.encoding.table import CODECS, Encoding, encode_tensor, parse

sys.path.append(str(Path(__file__).parents[2] / "second_reader"))

from second_models import context
from second_parts import Reader

CONTEXT = {Encoding.CONTEXT}


def read_context(payload: bytes, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """The weights that the second reader decodes, flat."""
    reader = Reader(payload)
    decode = context(reader, shape, {"<f4": "F32", "<f2": "F16"}[dtype.str])
    assert reader.at == len(payload)
    return decode().view(dtype)


def check(array: np.ndarray, *, truncate: bool = False) -> ContextPayload:
    """Encode in context, hold against the contract, and against the twin."""
    encoding, payload = check_codec(array, truncate=truncate, among=CONTEXT)
    assert encoding == Encoding.CONTEXT
    assert np.array_equal(patterns(read_context(payload, array.shape, array.dtype)), patterns(array))
    parsed = parse(payload, 0, array.shape, "F32" if array.dtype == np.float32 else "F16", encoding)
    assert isinstance(parsed, ContextPayload)
    return parsed


def structured(shape: tuple[int, ...], seed: int, values: int = 9, density: float = 0.2) -> np.ndarray:
    """Weights whose density differs by row and column, and whose signs are those of their kernels, mostly."""
    rng = np.random.default_rng(seed)
    rows, columns = np.exp(rng.normal(size=shape[0])), np.exp(rng.normal(size=shape[1]))
    odds = density * np.multiply.outer(rows, columns).reshape(*shape[:2], *[1] * (len(shape) - 2))
    kept = rng.random(shape) < odds / (1 + odds)
    magnitudes = rng.choice(np.linspace(0.1, 1, values).astype(np.float32), shape)
    signs = np.where(rng.random(shape) < 0.85, 1, -1) * rng.choice([-1, 1], shape[:2]).reshape(odds.shape)
    return np.where(kept, magnitudes * signs, 0).astype(np.float32)


@pytest.mark.parametrize("shape", [(150, 120), (64, 32, 3, 3), (24, 60, 5), (40, 30, 2, 3, 2)])
def test_densities_and_signs(shape: tuple[int, ...]) -> None:
    payload = check(structured(shape, 1))
    assert payload.positions is not None
    assert payload.positions.layout.tables > 1
    assert (payload.values.tilts is not None) == (len(shape) > 2)


@pytest.mark.parametrize("shape", [(150, 120), (64, 32, 3, 3)])
def test_columns_are_put_in_place_in_both_ways(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    payload = check(structured(shape, 1))
    assert payload.positions is not None
    assert len(payload.positions.layout.order)
    found = payload.decode()
    monkeypatch.setattr("dcz.dcformat.encoding.context.MAX_CODEBOOK", len(payload.codebook))
    again = payload.decode()
    assert isinstance(found, SparseShared)
    assert isinstance(again, SparseShared)
    for part in ("indptr", "indices", "symbols"):
        assert np.array_equal(getattr(found, part), getattr(again, part))


@pytest.mark.parametrize("density", [0.002, 0.05, 0.4, 0.97, 1])
def test_densities(density: float) -> None:
    payload = check(sparse_array((60, 70), density, 5, np.random.default_rng(2)))
    assert isinstance(payload.decode(), Shared if density > 0.5 else SparseShared)


def test_each_row_of_each_kernel_position_has_a_class() -> None:
    rng = np.random.default_rng(3)
    odds = np.exp(rng.normal(0, 2, (200, 1, 3, 3)) + rng.normal(0, 2, (1, 150, 3, 3)))
    array = np.where(rng.random((200, 150, 3, 3)) < odds / (9 + odds), np.float32(0.5), np.float32(0))
    positions = check(array).positions
    assert positions is not None
    assert positions.layout.parts == 9


def test_sizes_that_differ_by_density() -> None:
    rng = np.random.default_rng(9)
    strong = rng.integers(0, 2, (200, 1))
    sizes = rng.geometric(0.7 - 0.4 * strong, (200, 90)).clip(1, 6).astype(np.float32)
    array = np.where(rng.random((200, 90)) < 0.1 + 0.3 * strong, sizes * rng.choice([-1, 1], sizes.shape), 0)
    assert check(array.astype(np.float32)).values.slopes.any()


@pytest.mark.parametrize("lanes", [2, 3, WIDE])
@pytest.mark.parametrize("shape", [(40, 90), (40, 10, 3, 3)])
def test_any_number_of_lanes(shape: tuple[int, ...], lanes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context_write, "LANES", ((0, lanes),))
    payload = check(structured(shape, 4, density=2))
    assert payload.lanes == lanes
    assert (payload.values.tilts is not None) == (len(shape) > 2)


def test_large_tensors_have_several_lanes() -> None:
    rng = np.random.default_rng(4)
    for rows, lanes in ((2, 1), (20, 2), (80, WIDE)):
        tensor = Dense(sparse_array((rows, 500), 0.9, 3, rng), "F32")
        payload = parse(encode_tensor(tensor, CONTEXT)[1], 0, tensor.shape, "F32", Encoding.CONTEXT)
        assert isinstance(payload, ContextPayload)
        assert payload.lanes == lanes
        assert payload.decode().dense().tobytes() == tensor.array.tobytes()


@pytest.mark.parametrize("shape", [(), (7,), (1, 1), (1, 300), (300, 1), (3, 1, 1, 1)])
@pytest.mark.parametrize("value", [0.5, -0.0])
def test_few_weights(shape: tuple[int, ...], value: float) -> None:
    array = np.zeros(shape, np.float32)
    array.reshape(-1)[-1] = value
    tensor = Dense(array, "F32")
    payload = Encoding.CONTEXT.scheme.write(Counted.of(tensor))
    assert payload is not None
    assert (
        patterns(parse(payload, 0, shape, "F32", Encoding.CONTEXT).decode().dense()).tolist()
        == patterns(array).tolist()
    )
    assert patterns(read_context(bytes(payload), shape, array.dtype)).tolist() == patterns(array).tolist()


@pytest.mark.parametrize("values", [1, 2, 255, 256])
def test_codebook_sizes(values: int) -> None:
    check(sparse_array((40, 250), 0.3, values, np.random.default_rng(5)))


def test_half_precision() -> None:
    check(structured((30, 20, 3, 3), 6).astype(np.float16))


def test_truncation() -> None:
    check(structured((12, 10, 3, 3), 7), truncate=True)


@given(st.integers(0, 2**32), st.floats(0.01, 1), st.sampled_from([(5, 6), (9, 4, 3, 3), (3, 50, 1, 2)]))
@settings(max_examples=30)
def test_any_tensor(seed: int, density: float, shape: tuple[int, ...]) -> None:
    array = structured(shape, seed, density=density)
    payload = Encoding.CONTEXT.scheme.write(Counted.of(Dense(array, "F32")))
    if payload is not None:
        assert patterns(parse(payload, 0, shape, "F32", Encoding.CONTEXT).decode().dense()).tobytes() == array.tobytes()
        assert read_context(bytes(payload), shape, array.dtype).tobytes() == array.tobytes()


def test_a_damaged_stream_is_refused() -> None:
    """Most flipped bits leave words over, other states, or another number of weights; the rest do no harm."""
    array = structured((40, 30, 3, 3), 8)
    _, payload = encode_tensor(Dense(array, "F32"), CONTEXT)
    parsed = parse(payload, 0, array.shape, "F32", Encoding.CONTEXT)
    assert isinstance(parsed, ContextPayload)
    refused = 0
    places = range(len(payload) - 4 * parsed.words - 8 * parsed.lanes, len(payload), 19)
    for at in places:
        damaged = bytearray(payload)
        damaged[at] ^= 0x10
        try:
            parse(damaged, 0, array.shape, "F32", Encoding.CONTEXT).decode()
        except FormatError:
            refused += 1
    assert refused > len(places) // 2


def test_every_flipped_byte_is_refused_or_harmless() -> None:
    array = structured((8, 6, 3, 3), 10)
    _, payload = encode_tensor(Dense(array, "F32"), CONTEXT)
    for at in range(len(payload)):
        for flip in (0x01, 0xA4):
            damaged = bytearray(payload)
            damaged[at] ^= flip
            try:
                decoded = parse(damaged, 0, array.shape, "F32", Encoding.CONTEXT).decode()
            except FormatError:
                continue
            assert decoded.dense().shape == array.shape


@pytest.mark.parametrize(("spread", "large"), [(0.7, Encoding.SPARSE_SHARED), (1.5, Encoding.CONTEXT)])
def test_time_counts_in_large_tensors(spread: float, large: Encoding, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    odds = 0.2 * np.multiply.outer(np.exp(spread * rng.normal(size=150)), np.exp(spread * rng.normal(size=120)))
    array = np.where(rng.random(odds.shape) < odds / (1 + odds), rng.choice([-1, 1, 2], odds.shape), 0)
    tensor, candidates = Dense(array.astype(np.float32), "F32"), {Encoding.SPARSE_SHARED, Encoding.CONTEXT}
    assert encode_tensor(tensor, candidates)[0] == Encoding.CONTEXT
    monkeypatch.setattr(table, "LARGE", 1 << 10)
    assert encode_tensor(tensor, candidates)[0] == large
    assert encode_tensor(tensor, CODECS["smallest"])[0] in {Encoding.CONTEXT, Encoding.MIXED}
