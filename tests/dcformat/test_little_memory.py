"""What it takes to encode a tensor: its payload, and pieces. With small pieces, small tensors show it."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from codec_cases import sparse_array

from dcz.dcformat import Dense, encoder, tensors
from dcz.dcformat.encoder import Encoding, encode_tensor


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (encoder, tensors):
        monkeypatch.setattr(module, "PIECE", 1 << 13)


@pytest.mark.parametrize(
    ("density", "values", "encoding"),
    [
        (0.05, 16, Encoding.SPARSE_SHARED),
        (0.9, 16, Encoding.SHARED),
        (0.2, 0, Encoding.SPARSE_RAW),
        (0.9995, 0, Encoding.RAW),
        (1, 0, Encoding.RAW),
    ],
)
def test_a_tensor_is_encoded_in_a_part_of_its_own_memory(density: float, values: int, encoding: Encoding) -> None:
    array = sparse_array((1500, 500, 3), density, values, np.random.default_rng(1))
    encode_tensor(Dense(array[:2], "F32"))  # what is made once, however much there is to encode
    tracemalloc.start()
    try:
        found, payload = encode_tensor(Dense(array, "F32"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == encoding
    own = 0 if encoding == Encoding.RAW else 2 * len(payload)  # its streams, and all of them joined
    assert peak - own < 0.3 * array.nbytes


@pytest.mark.parametrize("shape", [(40, 700, 1, 2), (700, 40), (3, 9000), (9000, 3), (2, 2, 5000)])
def test_pieces_give_the_bytes_of_the_whole(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    array = sparse_array(shape, 0.1, 5, np.random.default_rng(2))
    array[:, 1] = 0.5  # worth swapping the axes for
    in_pieces = encode_tensor(Dense(array, "F32"))
    for module in (encoder, tensors):
        monkeypatch.setattr(module, "PIECE", array.size)
    assert encode_tensor(Dense(array, "F32")) == in_pieces
