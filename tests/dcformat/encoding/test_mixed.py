"""`mixed` against the decoder in plain Python, and damaged."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from codec_cases import check_codec, patterns, sparse_array
from hypothesis import given, settings
from hypothesis import strategies as st

import dcz.dcformat as fmt
from dcz.dcformat import Dense, FormatError, Shared, SparseShared
from dcz.dcformat.constants import MAX_MIXED_EXPANSION
from dcz.dcformat.encoding.base import Counted
from dcz.dcformat.encoding.mixed import MixedPayload
from dcz.dcformat.encoding.table import CODECS, Encoding, encode_tensor, parse

sys.path.append(str(Path(__file__).parents[2] / "second_reader"))

from second_models import mixed
from second_parts import Reader

MIXED = {Encoding.MIXED}
MODELS = Path(__file__).parents[3] / "models"


def kernels(shape: tuple[int, ...], seed: int, values: int = 9, density: float = 0.3) -> np.ndarray:
    """Weights whose density differs by row and column, and whose signs are those of their kernels, mostly."""
    rng = np.random.default_rng(seed)
    odds = density * np.multiply.outer(np.exp(rng.normal(size=shape[0])), np.exp(rng.normal(size=shape[1])))
    odds = odds.reshape(*shape[:2], *[1] * (len(shape) - 2))
    magnitudes = rng.choice(np.linspace(0.1, 1, values).astype(np.float32), shape)
    signs = np.where(rng.random(shape) < 0.85, 1, -1) * rng.choice([-1, 1], shape[:2]).reshape(odds.shape)
    return np.where(rng.random(shape) < odds / (1 + odds), magnitudes * signs, 0).astype(np.float32)


def written(array: np.ndarray) -> bytes | None:
    return Encoding.MIXED.scheme.write(Counted.of(Dense(array, "F32")))


def read(payload: bytes, shape: tuple[int, ...], dtype: str = "F32") -> MixedPayload:
    parsed = parse(payload, 0, shape, dtype, Encoding.MIXED)
    assert isinstance(parsed, MixedPayload)
    return parsed


def check_second(payload: bytes, array: np.ndarray, dtype: str = "F32") -> None:
    reader = Reader(payload)
    decode = mixed(reader, array.shape, dtype)
    assert reader.at == len(payload)
    assert decode().tobytes() == array.tobytes()


def check(array: np.ndarray, *, truncate: bool = False) -> MixedPayload:
    """Encode, hold against the contract, and against the second reader."""
    encoding, payload = check_codec(array, truncate=truncate, among=MIXED)
    assert encoding == Encoding.MIXED
    dtype = "F32" if array.dtype == np.float32 else "F16"
    check_second(payload, array, dtype)
    return read(payload, array.shape, dtype)


@pytest.mark.parametrize("shape", [(40, 30), (12, 9, 3, 3), (10, 12, 5), (6, 5, 2, 3, 2), (500,)])
def test_shapes(shape: tuple[int, ...]) -> None:
    check(kernels(shape, 1) if len(shape) > 1 else sparse_array(shape, 0.3, 5, np.random.default_rng(1)))


@pytest.mark.parametrize("density", [0.02, 0.4, 0.97, 1])
def test_densities(density: float) -> None:
    payload = check(sparse_array((30, 35), density, 5, np.random.default_rng(2)))
    assert isinstance(payload.decode(), Shared if density > 0.5 else SparseShared)


@pytest.mark.parametrize("values", [1, 2, 255, 256])
def test_codebook_sizes(values: int) -> None:
    check(sparse_array((20, 150), 0.5, values, np.random.default_rng(5)))


@pytest.mark.parametrize("sign", [-1, 1])
def test_one_sign(sign: int) -> None:
    array = kernels((10, 9, 3, 3), 3)
    check(np.where(array != 0, sign * np.abs(array), np.float32(0)))


def test_either_order_of_axes() -> None:
    rng = np.random.default_rng(4)
    rows = np.where(rng.random((30, 60)) < np.linspace(0, 0.9, 30)[:, None], np.float32(0.5), np.float32(0))
    orders = [check(array).swapped for array in (rows, np.ascontiguousarray(rows.T))]
    assert sorted(orders) == [False, True]


def test_special_values_and_half_precision() -> None:
    rng = np.random.default_rng(6)
    check(rng.choice(np.float32([np.nan, np.inf, -np.inf, -0.0, 1e-40, *[0.0] * 9]), (40, 20)))
    check(kernels((10, 9, 3, 3), 6).astype(np.float16))


@pytest.mark.parametrize("shape", [(), (7,), (1, 1), (1, 300), (300, 1), (3, 1, 1, 1)])
@pytest.mark.parametrize("value", [0.5, -0.0])
def test_few_weights(shape: tuple[int, ...], value: float) -> None:
    array = np.zeros(shape, np.float32)
    array.reshape(-1)[-1] = value
    payload = written(array)
    assert payload is not None
    assert patterns(read(payload, shape).decode().dense()).tolist() == patterns(array).tolist()
    check_second(payload, array.reshape(-1).reshape(shape))


@given(st.integers(0, 2**32), st.floats(0.01, 1), st.sampled_from([(5, 6), (5, 4, 3, 3), (3, 20, 1, 2)]))
@settings(max_examples=20)
def test_any_tensor(seed: int, density: float, shape: tuple[int, ...]) -> None:
    array = kernels(shape, seed, density=density)
    if (payload := written(array)) is not None:
        assert read(payload, shape).decode().dense().tobytes() == array.tobytes()
        check_second(payload, array)


def test_trained_weights_take_fewer_bytes_than_in_context() -> None:
    with fmt.open(MODELS / "resnet20.dcz") as container:
        array = container.tensor("layer3.0.conv2.weight")
    sizes = [len(encode_tensor(Dense(array, "F32"), {one})[1]) for one in (Encoding.MIXED, Encoding.CONTEXT)]
    assert sizes[0] < sizes[1]


def test_only_smallest_has_it() -> None:
    assert [name for name, among in CODECS.items() if Encoding.MIXED in among] == ["smallest"]


def test_nothing_stored_is_declined() -> None:
    assert written(np.zeros((30, 30), np.float32)) is None


def test_few_bytes_do_not_stand_for_many_weights() -> None:
    array = np.zeros((200, 200), np.float32)
    array[3, 5] = 1
    assert written(array) is None
    payload = written(array[:4, :6].copy())
    assert payload is not None
    with pytest.raises(FormatError, match="so few bytes"):
        read(payload, (4, 6 * MAX_MIXED_EXPANSION))
    assert written(np.ones((1, 1, 300, 500), np.float32)) is None, "more counters than weights may have"


def test_truncation() -> None:
    check(kernels((12, 10, 3, 3), 7), truncate=True)


def test_every_flipped_byte_is_refused_or_harmless() -> None:
    array = kernels((8, 6, 3, 3), 10)
    payload = written(array)
    assert payload is not None
    refused = 0
    for at in range(len(payload)):
        for flip in (0x01, 0xA4):
            damaged = bytearray(payload)
            damaged[at] ^= flip
            try:
                decoded = read(bytes(damaged), array.shape).decode()
            except FormatError:
                refused += 1
                continue
            assert decoded.dense().shape == array.shape
    assert refused > len(payload)
