"""Records: every form comes back byte for byte, and takes about its entropy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dcz.dcformat.coding import records
from dcz.dcformat.coding.records import FORMS, WORK_BYTES, Coded, Form, Workspace, decode_records, encode

rng = np.random.default_rng(8)


def decoded(coded: Coded, array: NDArray[Any]) -> NDArray[Any]:
    """The array again; the workspace and the output hold other numbers before."""
    work = Workspace.within(np.full(WORK_BYTES // 4, np.nan, np.float32))
    out = np.full(coded.nbytes, 0xAA, np.uint8)
    decode_records(coded.header, coded.lengths, coded.streams, coded.values, *work, out)
    found: NDArray[Any] = out[: array.nbytes].view(array.dtype).reshape(array.shape)
    return found


def offsets_and_symbols(count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """As a sparse kernel reads them: offsets ascend within a segment, and begin again in the next."""
    return np.cumsum(rng.geometric(0.1, count)) % 2000, np.minimum(rng.geometric(0.3, count), 31)


def words_of_two(count: int) -> NDArray[np.uint16]:
    offsets, symbols = offsets_and_symbols(count)
    return (offsets << 5 | symbols).astype(np.uint16)


def words_of_three(count: int) -> NDArray[np.uint8]:
    offsets, symbols = offsets_and_symbols(count)
    columns = np.stack([offsets & 255, offsets >> 8, symbols], axis=1).astype(np.uint8)
    return np.append(columns.reshape(-1), np.uint8(7))


CASES = {
    "words of two bytes": (words_of_two(3001), Form(2, low=5, width=11)),
    "words of three bytes, and one more": (words_of_three(2003), Form(3, width=16)),
    "columns": ((offsets_and_symbols(900)[0] * 9).astype(np.uint16), Form(2, width=16)),
    "symbols": (offsets_and_symbols(1201)[1].astype(np.uint8), Form(1)),
    "starts of rows": (np.cumsum(rng.integers(0, 90, 700)), Form(8, width=32)),
    "few weights": (rng.choice(rng.normal(size=9).astype(np.float32), (40, 50)), Form(4, values=True)),
    "some thousand weights": (
        rng.choice(rng.normal(size=1000), 9000, p=np.arange(1000) / 499500).astype(np.float32),
        Form(4, values=True),
    ),
    "counts": (rng.integers(0, 20, 700).astype(np.uint32), Form(4)),
    "all equal": (np.full(130, 9.5), Form(8)),
    "small differences below zero": (np.arange(4000, 0, -1, np.uint32) << 8, Form(4, width=32)),
}


@pytest.mark.parametrize("case", CASES)
def test_arrays_come_back_in_the_form_that_fits(case: str) -> None:
    array, form = CASES[case]
    coded = encode(array)
    assert coded is not None
    np.testing.assert_array_equal(decoded(coded, array).view(np.uint8), array.view(np.uint8))
    assert (coded.header[0], *coded.header[2:4]) == form[:3]
    assert (len(coded.values) > 0) == form.values


@pytest.mark.parametrize("form", {form for forms in FORMS.values() for form in forms})
@pytest.mark.parametrize("count", [1, 2, 3, 5, 31, 120])
def test_all_forms_take_any_numbers(form: Form, count: int) -> None:
    """Also arrays of fewer records than streams, whose last streams are empty."""
    for array in (rng.integers(0, 256, count * form.size, np.uint8), np.full(count * form.size, 255, np.uint8)):
        made = records._planes(array, form)
        assert made is not None
        np.testing.assert_array_equal(decoded(records._code(*made), array), array)


def test_words_take_the_entropy_of_their_parts() -> None:
    offsets, symbols = offsets_and_symbols(40_000)
    coded = encode((offsets << 5 | symbols).astype(np.uint16))

    def entropy(values: NDArray[Any]) -> float:
        share = np.unique(values, return_counts=True)[1] / len(values)
        return float(-(share * np.log2(share)).sum())

    bits = entropy(np.diff(offsets)) + entropy(symbols)
    assert coded is not None
    assert coded.coded_bytes < 1.03 * bits * len(offsets) / 8


def test_what_does_not_get_smaller_is_not_coded() -> None:
    assert encode(rng.normal(size=5000).astype(np.float32)) is None
    assert encode(np.zeros(250, np.float32)) is None  # 1,000 bytes
