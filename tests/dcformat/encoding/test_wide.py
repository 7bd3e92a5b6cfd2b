"""Codebooks of more than 256 centroids."""

from __future__ import annotations

import numpy as np
import pytest
from codec_cases import check_codec, sparse_array

from dcz.dcformat.constants import MAX_WIDE_CODEBOOK
from dcz.dcformat.encoding.table import Encoding, parse


@pytest.mark.parametrize("values", [257, 400, MAX_WIDE_CODEBOOK])
def test_many_values_take_their_numbers_and_a_codebook(values: int) -> None:
    array = np.resize(sparse_array((values,), 1, 0, np.random.default_rng(values)), 12 * values)
    np.random.default_rng(0).shuffle(array)
    encoding, payload = check_codec(array)
    assert encoding == Encoding.SHARED_WIDE
    assert len(payload) < array.size * (np.log2(values) + 1) / 8 + 4 * values
    parsed = parse(payload, 0, array.shape, "F32", encoding)
    assert len(parsed.codebook) == parsed.describe().codebook_size == values


def test_more_values_than_it_holds_are_planes() -> None:
    array = np.resize(sparse_array((MAX_WIDE_CODEBOOK + 1,), 1, 0, np.random.default_rng(1)), 100_000)
    assert check_codec(array)[0] == Encoding.PLANES


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16", "I64"])
def test_headers_that_are_cut_are_refused(dtype: str) -> None:
    rng = np.random.default_rng(2)
    values = rng.integers(1, 1 << 14, 300).astype("<u8")
    array = rng.choice(values, 4000).astype({"F64": "<u8", "F32": "<u4", "I64": "<u8"}.get(dtype, "<u2"))
    array = array.view({"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8"}.get(dtype, "<u2"))
    assert check_codec(array[:1500], dtype, truncate=True)[0] in (Encoding.SHARED_WIDE, Encoding.PLANES)
