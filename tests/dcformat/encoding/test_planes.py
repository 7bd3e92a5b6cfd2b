"""Planes of bytes: what they gain on floats of each type, what they hold, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from codec_cases import HUFFMAN, check_codec, random_bits, sparse_array
from hypothesis import given, settings
from hypothesis import strategies as st

from dcz.dcformat import Dense, FormatError
from dcz.dcformat.coding.planes import join, split
from dcz.dcformat.constants import CHUNK_ENTRIES
from dcz.dcformat.encoding import planes
from dcz.dcformat.encoding.base import Counted
from dcz.dcformat.encoding.table import Encoding, encode_tensor, parse
from dcz.dcformat.tensors import DTYPES, FLOATS


def normal(size: int, dtype: str) -> np.ndarray:
    weights = np.random.default_rng(size).normal(scale=0.05, size=size).astype(np.float32)
    return (weights.view(np.uint32) >> 16).astype(np.uint16) if dtype == "BF16" else weights.astype(DTYPES[dtype])


def decoded_by_the_text(payload: bytes, dtype: str, size: int) -> np.ndarray:
    """Elements of a payload whose planes are all plain but for constant ones, by the text of the format."""
    mask, width = payload[0], DTYPES[dtype].itemsize
    coded = [p for p in reversed(range(width)) if mask >> p & 1]
    constant = {p: payload[1 + 2 * i] for i, p in enumerate(coded)}
    plain = payload[len(payload) - size * (width - len(coded)) :]
    held = {
        p: plain[i * size : (i + 1) * size] for i, p in enumerate(q for q in reversed(range(width)) if q not in coded)
    }
    words = [sum((constant[p] if p in constant else held[p][i]) << 8 * p for p in range(width)) for i in range(size)]
    if dtype in FLOATS:
        words = [word >> 1 | (word & 1) << 8 * width - 1 for word in words]
    return np.array(words, f"<u{width}").view(DTYPES[dtype])


@pytest.mark.parametrize(("dtype", "ratio"), [("F32", 1.19), ("F16", 1.17), ("BF16", 1.48), ("F64", 2.2)])
@pytest.mark.parametrize("size", [3000, CHUNK_ENTRIES, 3 * CHUNK_ENTRIES + 1])
def test_exponents_of_floats_are_coded(dtype: str, ratio: float, size: int) -> None:
    array = normal(size, dtype)
    encoding, payload = check_codec(array, dtype)
    assert encoding == Encoding.PLANES
    assert array.nbytes > ratio * len(payload)


def test_single_precision_that_was_half_takes_no_bytes_for_what_it_lacks() -> None:
    halves = normal(50_000, "F16")
    widened, own = check_codec(halves.astype(np.float32))[1], check_codec(halves)[1]
    assert len(widened) < 1.02 * len(own)


def test_weights_that_stay_are_coded_like_floats() -> None:
    array = sparse_array((300, 400), 0.2, 0, np.random.default_rng(0))
    encoding, payload = check_codec(array)
    assert encoding == Encoding.SPARSE_PLANES
    plain = encode_tensor(Dense(array, "F32"), {Encoding.SPARSE_RAW})[1]
    assert len(payload) < 0.86 * len(plain)


@pytest.mark.parametrize("dtype", ["F32", "I64", "U16"])
def test_a_constant_plane_takes_no_bytes(dtype: str) -> None:
    width = DTYPES[dtype].itemsize
    noise = np.random.default_rng(0).integers(0, 256, (5000, width), dtype=np.uint8)
    if dtype in FLOATS:  # the exponent is seven bits of the top byte, and the top bit of the next
        noise[:, -1] = noise[:, -1] & 0x80 | 0x3F
        noise[:, -2] |= 0x80
    else:
        noise[:, -1] = 0x3F
    array = noise.view(DTYPES[dtype]).reshape(-1)
    encoding, payload = check_codec(array, dtype)
    assert encoding == Encoding.PLANES
    assert payload[0] == 1 << width - 1
    assert len(payload) < 5000 * (width - 1) + 10
    assert decoded_by_the_text(bytes(payload), dtype, 5000).tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16", "I32"])
def test_headers_that_are_cut_are_refused(dtype: str) -> None:
    bits = np.random.default_rng(1).normal(size=900).astype(np.float32)
    array = bits.view(np.int32) >> 3 if dtype == "I32" else normal(900, dtype)
    assert check_codec(array, dtype, truncate=True)[0] == Encoding.PLANES


@given(st.sampled_from([2, 4, 8]), st.booleans(), st.integers(0, 40), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_planes_are_the_bytes_of_rotated_elements(width: int, rotated: bool, size: int, seed: int) -> None:
    data = np.random.default_rng(seed).bytes(size * width)
    array = np.frombuffer(data, f"<u{width}")
    found = split(array, rotated)
    for i, element in enumerate(array.tolist()):
        word = (element << 1 | element >> 8 * width - 1) & (1 << 8 * width) - 1 if rotated else element
        assert bytes(int(plane[i]) for plane in found) == word.to_bytes(width, "big")
    out = np.empty_like(array)
    join(found, rotated, out)
    assert out.tobytes() == data


def test_pieces_are_decoded_a_step_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    array = normal(5 * CHUNK_ENTRIES + 7, "F32")
    encoding, payload = encode_tensor(Dense(array, "F32"), HUFFMAN)
    monkeypatch.setattr(planes, "_STEP", 2 * CHUNK_ENTRIES)
    parsed = parse(payload, 0, array.shape, "F32", encoding)
    pieces = list(parsed.pieces())
    assert [len(piece) for piece in pieces] == [2 * CHUNK_ENTRIES, 2 * CHUNK_ENTRIES, CHUNK_ENTRIES + 7]
    assert np.concatenate(pieces).tobytes() == parsed.decode().dense().tobytes() == array.tobytes()


def test_what_has_no_planes_worth_a_code_is_declined() -> None:
    rng = np.random.default_rng(0)
    scheme = Encoding.PLANES.scheme
    for array in (random_bits(3000, rng), np.zeros(9, np.float32), np.tile(np.float32([1, 2]), CHUNK_ENTRIES)):
        assert scheme.write(Counted(array, "F32")) is None
    assert not scheme.fits("F32", (0, 3))
    assert not scheme.fits("U8", (3,))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda payload: b"\x00" + payload[1:], "none is coded"),
        (lambda payload: b"\x18" + payload[1:], "one that there is not"),
        (lambda payload: payload[:1] + b"\xff" + payload[2:], "more than bytes"),
        (lambda payload: payload[:3] + b"\xff" + payload[4:], "code lengths"),
    ],
)
def test_headers_that_do_not_fit_are_refused(edit: object, message: str) -> None:
    array = normal(900, "F32")
    encoding, payload = encode_tensor(Dense(array, "F32"), HUFFMAN)
    with pytest.raises(FormatError, match=message):
        parse(edit(bytes(payload)), 0, (900,), "F32", encoding)
