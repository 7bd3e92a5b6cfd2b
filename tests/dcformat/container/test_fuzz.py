"""Files made by chance: a reader answers with FormatError or with data, never otherwise."""

from __future__ import annotations

import zlib
from itertools import islice, product
from typing import Any

import numpy as np
import pytest
from codec_cases import HUFFMAN, random_bits, sparse_array
from containers import build, holding
from hostile import outcome, read_all, refused
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.dcformat import Dense, FormatError
from dcz.dcformat.container.layout import pack_header
from dcz.dcformat.encoding.table import Encoding, encode_tensor
from dcz.dcformat.tensors import DTYPES


@given(st.binary(max_size=400))
@settings(max_examples=100)
def test_random_manifests(noise: bytes) -> None:
    refused(pack_header(noise))
    refused(build(noise))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 40) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(st.data())
@settings(max_examples=150)
def test_manifests_with_a_part_replaced(data: st.DataObject) -> None:
    """Any one value of a sound manifest, at any depth, replaced by any other: read, or refused."""
    payload = bytes(24) + b"\x01\x00"
    manifest: Any = {
        "graph": {
            "input": [2, 8, 8],
            "nodes": [["conv2d", [1], {"padding": [1, 1]}], ["relu"], ["add", [], {}, [1, 2]]],
        },
        "tensors": [["t", [2, 3]], ["w", [4, 2, 3, 3], "sparse_shared"]],
        "sections": [[26, zlib.crc32(payload), 2]],
        "preprocess": {"mode": "L", "mean": [0.5], "resize": 8, "scale": 1.0},
        "metadata": {"a": "b"},
    }
    read_all(build(manifest, [payload]))
    place, key = manifest, data.draw(st.sampled_from(sorted(manifest)))
    while isinstance(place[key], list | dict) and place[key] and data.draw(st.booleans()):
        place = place[key]
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
    place[key] = data.draw(json_values)
    file = build(manifest, [payload])
    with_error = None
    try:
        read_all(file)
    except FormatError as error:
        with_error = error
    if with_error is not None:
        refused(file)


Case = tuple[str, str, tuple[int, ...], bytes]
"""Encoding, element type, shape and payload."""


def payload_cases() -> list[Case]:
    rng = np.random.default_rng(2)
    tensors = [
        Dense(sparse_array(shape, density, values, rng), "F32")
        for shape, density, values in (
            ((20, 30), 0.2, 5),
            ((30, 2, 3), 0.9, 4),
            ((40, 50), 0.2, 0),
            ((90, 200), 0.95, 2),
        )
    ]
    noise = np.where(rng.random((40, 50)) < 0.2, random_bits(2000, rng).reshape(40, 50), np.float32(0))
    levels = np.rint(sparse_array((40, 50), 0.2, 0, rng) * 20)
    scales = rng.random((40, 1), dtype=np.float32)
    tensors += [
        Dense((sparse_array((20, 30), 0.2, 5, rng).view(np.uint32) >> 16).astype(np.uint16), "BF16"),
        Dense(sparse_array((30, 20), 0.9, 4, rng).astype(np.float64) / 3, "F64"),
        Dense(sparse_array((40, 50), 0.2, 0, rng).astype(np.float64), "F64"),
        Dense(rng.random((20, 30)) < 0.1, "BOOL"),
        Dense(levels * scales, "F32"),
        Dense((levels + 1) * scales, "F32"),
        Dense(sparse_array((40, 50), 1, 0, rng), "F32"),
        Dense(sparse_array((30, 50), 1, 0, rng, np.float16), "F16"),
        Dense(rng.choice(rng.normal(size=300).astype(np.float32), (40, 50)), "F32"),
        Dense(noise, "F32"),
        Dense(noise.view(np.int32), "I32"),
    ]
    chosen = [(one, HUFFMAN) for one in tensors]
    chosen += [
        (Dense(sparse_array((30, 2, 3, 3), density, 6, rng), "F32"), (encoding,))
        for encoding in (Encoding.CONTEXT, Encoding.MIXED)
        for density in (0.2, 1)
    ]
    levels = np.rint(rng.normal(scale=30, size=40))
    vectors = [Dense(levels.astype(np.int16), "I16"), Dense((levels * np.float32(0.01)).astype(np.float32), "F32")]
    vectors += [Dense(rng.normal(size=40).astype(np.float32), "F32"), Dense(np.full(40, np.float32(0.1)), "F32")]
    chosen += [(one, (Encoding.ADAPTIVE,)) for one in vectors]
    encoded = [(one, *encode_tensor(one, among, least_gain=0)) for one, among in chosen]
    return [(encoding.value, one.dtype, one.shape, bytes(payload)) for one, encoding, payload in encoded]


PAYLOADS = payload_cases()


def test_every_encoding_is_among_them() -> None:
    assert {encoding for encoding, *_ in PAYLOADS} == set(Encoding) - {Encoding.RAW}


@pytest.mark.parametrize("case", range(len(PAYLOADS)))
def test_every_flipped_byte_of_a_payload_with_a_new_checksum(case: int) -> None:
    encoding, dtype, shape, payload = PAYLOADS[case]
    outcomes = []
    for at in [*range(min(len(payload), 60)), *islice(range(60, len(payload)), 0, None, 37)]:
        for mask in (0x01, 0x80, 0xFF):
            damaged = bytearray(payload)
            damaged[at] ^= mask
            outcomes.append(outcome(holding(bytes(damaged), shape, encoding, dtype)))
    assert "refused" in outcomes


@given(
    st.sampled_from(PAYLOADS), st.lists(st.tuples(st.integers(0, 80), st.binary(max_size=4)), min_size=1, max_size=4)
)
@settings(max_examples=200)
def test_payloads_with_parts_replaced(case: Case, edits: list[tuple[int, bytes]]) -> None:
    encoding, dtype, shape, payload = case
    for at, new in edits:
        payload = payload[:at] + new + payload[at + 2 :]
    outcome(holding(payload, shape, encoding, dtype))


SHAPES = ((7, 30), (210,))
FITTING = [
    (shape, one.value, dtype)
    for shape, one, dtype in product(SHAPES, Encoding, DTYPES)
    if one.fits(dtype, shape) and one != "raw" and (shape == SHAPES[0] or one == "adaptive")
]


@given(st.binary(max_size=60), st.sampled_from(FITTING))
@settings(max_examples=250)
def test_random_payloads(noise: bytes, kind: tuple[tuple[int, ...], str, str]) -> None:
    outcome(holding(noise, *kind))
