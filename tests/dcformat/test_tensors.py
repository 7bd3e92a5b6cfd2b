from __future__ import annotations

import numpy as np
import pytest

from dcz.dcformat import Dense, Shared, SparseRaw, SparseShared
from dcz.dcformat.tensors import bit_patterns


def test_bit_patterns_are_those_of_little_endian_elements() -> None:
    assert bit_patterns(np.array([[1.0, -0.0]], "<f4")).tolist() == [0x3F800000, 0x80000000]
    assert bit_patterns(np.array([-1], np.int8)).tolist() == [255]


BRAIN = np.array([0x3F80, 0xC020], np.uint16)
"""1 and -2.5 as BF16."""


@pytest.mark.parametrize(
    "tensor",
    [
        Dense(BRAIN, "BF16"),
        Shared((2,), BRAIN, np.array([0, 1], np.uint8), "BF16"),
        SparseShared((2,), np.arange(3), np.zeros(2, np.uint16), BRAIN, np.array([0, 1], np.uint8), "BF16"),
        SparseRaw((2,), np.arange(3), np.zeros(2, np.uint16), BRAIN, "BF16"),
        Dense(np.array([1, -2.5]), "F64"),
        Dense(np.array([1, -2.5], np.float16), "F16"),
    ],
)
def test_every_form_widens_to_float32(tensor: Dense | Shared | SparseShared | SparseRaw) -> None:
    widened = tensor.float32()
    assert type(widened) is type(tensor)
    assert widened.dtype == "F32"
    assert widened.dense().dtype == np.float32
    assert widened.dense().tolist() == [1, -2.5]
    assert widened.nnz == tensor.nnz == 2


def test_doubles_beyond_float32_become_infinite() -> None:
    assert Dense(np.array([1e300, -1e300, 1e-300]), "F64").float32().dense().tolist() == [np.inf, -np.inf, 0]


def test_a_negative_zero_of_bf16_is_zero_to_a_count() -> None:
    tensor = Shared((3,), np.array([0x3F80, 0x8000], np.uint16), np.array([0, 1, 1], np.uint8), "BF16")
    assert tensor.nnz == 1
