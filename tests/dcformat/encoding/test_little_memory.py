"""Tensors that are encoded and decoded piece by piece: the same bytes, in little memory. Small pieces show it."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
from codec_cases import HUFFMAN, random_bits, sparse_array

from dcz.dcformat import ChecksumError, Dense, tensors, write
from dcz.dcformat import open as open_container
from dcz.dcformat.container import sections
from dcz.dcformat.encoding import base
from dcz.dcformat.encoding.table import DEFAULT, Encoding, encode_tensor


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (base, sections, tensors):
        monkeypatch.setattr(module, "PIECE", 1 << 13)


@pytest.mark.parametrize(
    ("density", "values", "encoding"),
    [
        (0.05, 16, Encoding.SPARSE_SHARED),
        (0.9, 16, Encoding.SHARED),
        (0.2, 0, Encoding.SPARSE_PLANES),
        (0.9995, 0, Encoding.PLANES),
        (1, 0, Encoding.PLANES),
    ],
)
def test_a_tensor_is_encoded_in_a_part_of_its_own_memory(density: float, values: int, encoding: Encoding) -> None:
    array = sparse_array((1500, 500, 3), density, values, np.random.default_rng(1))
    encode_tensor(Dense(array[:2], "F32"), HUFFMAN)  # what is made once, however much there is to encode
    tracemalloc.start()
    try:
        found, payload = encode_tensor(Dense(array, "F32"), HUFFMAN)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == encoding
    own = 3 * len(payload)  # its streams, all of them joined, and the next longer payload
    assert peak - own < 0.3 * array.nbytes


def test_a_tensor_that_nothing_makes_shorter_is_not_copied() -> None:
    array = random_bits(500_000, np.random.default_rng(1))
    tracemalloc.start()
    try:
        found, payload = encode_tensor(Dense(array, "F32"), HUFFMAN)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == Encoding.RAW
    assert np.shares_memory(np.frombuffer(payload, np.uint8), array)
    assert peak < 0.3 * array.nbytes


@pytest.mark.parametrize("shape", [(40, 700, 1, 2), (700, 40), (3, 9000), (9000, 3), (2, 2, 5000)])
def test_pieces_give_the_bytes_of_the_whole(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    array = sparse_array(shape, 0.1, 5, np.random.default_rng(2))
    array[:, 1] = 0.5  # worth swapping the axes for
    in_pieces = encode_tensor(Dense(array, "F32"), HUFFMAN)
    for module in (base, tensors):
        monkeypatch.setattr(module, "PIECE", array.size)
    assert encode_tensor(Dense(array, "F32"), HUFFMAN) == in_pieces


def several_tensors() -> dict[str, np.ndarray]:
    """Of each encoding; plain ones that do not fit a piece, too, with small ones before them in their sections."""
    rng = np.random.default_rng(3)
    shapes = {"matrix": (90, 700), "wide": (2, 30_000), "long": (30_000,), "small": (3, 5, 2, 2)}
    kinds = {"sparse shared": (0.1, 5), "shared": (1.0, 5), "sparse": (0.1, 0), "plain": (1.0, 0), "zeros": (0.0, 1)}
    arrays = {f"{s} {k}": sparse_array(shapes[s], *kinds[k], rng) for s in shapes for k in kinds}
    arrays |= {
        "half": sparse_array((40, 50), 0.2, 3, rng, np.float16),
        "scalar": np.float32(2),
        "empty": np.zeros((0, 3)),
        "few bytes": rng.choice(np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 3, -7], np.int8), (90, 700)),
        "doubles": np.where(rng.random((90, 700)) < 0.1, rng.standard_normal((90, 700)), 0),
    }
    arrays |= {f"matrix {k} f8": arrays[f"matrix {k}"].astype(np.float64) * (1 + 2.0**-40) for k in kinds}
    scales = (1 + np.arange(90)[:, None] / 91).astype(np.float32)
    levels = np.rint(rng.normal(scale=20, size=(90, 700))).astype(np.float32)
    arrays |= {f"rows {d}": np.where(rng.random(levels.shape) < d, levels * scales, np.float32(0)) for d in (0.2, 1)}
    arrays |= {f"{s} noise": random_bits(int(np.prod(shape)), rng).reshape(shape) for s, shape in shapes.items()}
    holes = rng.random((90, 700)) < 0.1
    arrays |= {"sparse noise": np.where(holes, arrays["matrix noise"], np.float32(0))}
    arrays |= {"sparse noise i4": arrays["sparse noise"].view(np.int32)}
    arrays |= {"many values": sparse_array((90, 700), 1, 400, rng)}
    return arrays | {"empty rows": np.zeros((3, 0), np.float32), "bools": rng.random(30_000) < 0.5, "ids": np.arange(9)}


def test_pieces_are_the_tensor() -> None:
    arrays = several_tensors()
    stream = io.BytesIO()
    write(stream, None, arrays)
    with open_container(stream) as container:
        assert {entry.encoding for entry in container.entries.values()} == set(DEFAULT)
        for name, array in arrays.items():
            pieces = list(container.pieces(name))
            assert all(0 < piece.size <= 1 << 13 for piece in pieces), name
            joined = np.concatenate(pieces) if pieces else np.empty(0, array.dtype)
            assert joined.dtype == array.dtype
            assert joined.tobytes() == array.tobytes(), name
        with pytest.raises(KeyError, match="no tensor 'x'"):
            next(container.pieces("x"))


@pytest.mark.parametrize("name", ["small plain", "long plain"])
def test_damage_is_found_before_a_piece_is_given(name: str) -> None:
    plain = random_bits(30_000, np.random.default_rng(4))
    stream = io.BytesIO()
    write(stream, None, {"small plain": plain[:20], "long plain": plain})
    for place in (1, plain.nbytes + 10):  # in the last tensor, in the first
        damaged = bytearray(stream.getvalue())
        damaged[-place] ^= 1
        container = open_container(io.BytesIO(damaged), "x.dcz")
        with pytest.raises(ChecksumError, match=r"^x\.dcz: checksum mismatch \(section 0 \('small plain'"):
            next(container.pieces(name))


def test_a_large_plain_tensor_is_given_in_little_memory() -> None:
    plain = random_bits(300_000, np.random.default_rng(5))
    stream = io.BytesIO()
    write(stream, None, {"small": plain[:5], "plain": plain})
    with open_container(stream) as container:
        tracemalloc.start()
        try:
            total = sum(
                int(piece.view(np.uint32).sum()) for name in ("small", "plain") for piece in container.pieces(name)
            )
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert total == int(plain.view(np.uint32).sum()) + int(plain[:5].view(np.uint32).sum())
    assert peak < 0.2 * plain.nbytes
