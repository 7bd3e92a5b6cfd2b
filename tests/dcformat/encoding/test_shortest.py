"""The encoding of a tensor is the shortest, though those that cannot be it are not written."""

import numpy as np
import pytest
from codec_cases import sparse_array

from dcz.dcformat import Dense
from dcz.dcformat.encoding.base import Counted
from dcz.dcformat.encoding.table import DEFAULT, LEAST_GAIN, encode_at_gains


@pytest.mark.parametrize("values", [3, 30, 0])
@pytest.mark.parametrize("density", [0.05, 0.3, 1])
@pytest.mark.parametrize("shape", [(7, 11), (60, 90), (50,)])
def test_it_is_that_of_all_payloads(shape: tuple[int, ...], density: float, values: int) -> None:
    tensor = Dense(sparse_array(shape, density, values, np.random.default_rng(1)), "F32")
    whole = [
        (encoding, payload)
        for encoding in DEFAULT
        if encoding.fits("F32", shape) and (payload := encoding.scheme.write(Counted.of(tensor, True))) is not None
    ]
    for gain, found in zip((LEAST_GAIN, 0), encode_at_gains(tensor, DEFAULT, (LEAST_GAIN, 0)), strict=True):
        assert found == min(whole, key=lambda one: len(one[1]) + gain * one[0].minor_version)
