"""Conversions from and to bytes, and moves of bytes, against NumPy."""

from __future__ import annotations

import integer_cases as cases
import numpy as np
import pytest

from dcz.runtime.kernels.integer.convert import dequantize, move_rows, quantize
from dcz.runtime.kernels.integer.planes import Planes

FORM = Planes(3, 5, 37, 2, 1)
SIZES = np.array([6, FORM.height, FORM.width, FORM.plane, FORM.start, FORM.pitch])


def test_quantize() -> None:
    x = (np.random.default_rng(5).standard_normal((2, 3, 5, 37)) * 9).astype(np.float32)
    x[0, 0, 0, :5] = np.nan, np.inf, -np.inf, 1e30, 0.5
    out, scale = np.full(2 * FORM.size, 170, np.uint8), np.float32(7)
    quantize(x.reshape(-1), out, scale, 130, SIZES)
    wanted = np.clip(np.rint(x * scale) + np.float32(130), 0, 255)
    np.testing.assert_array_equal(FORM.view(out), np.where(np.isnan(wanted), 0, wanted))
    assert (cases.padding(out, FORM) == 130).all()


def test_dequantize() -> None:
    x = np.random.default_rng(5).integers(0, 256, (2, 3, 5, 37)).astype(np.uint8)
    out = np.empty(x.size, np.float32)
    dequantize(cases.planes_of(x, FORM, 3), out, np.float32(0.3), 99, SIZES)
    np.testing.assert_array_equal(out.reshape(x.shape), (x.astype(np.float32) - np.float32(99)) * np.float32(0.3))


@pytest.mark.parametrize("replaced", [True, False])
def test_move_rows(replaced: bool) -> None:
    rng = np.random.default_rng(5)
    x, table = rng.integers(0, 256, (1, 3, 5, 37)).astype(np.uint8), rng.permutation(256).astype(np.uint8)
    made = Planes(7, 2, 12, 1, 2)
    out = np.full(made.size, 170, np.uint8)
    begin = FORM.start + 1 * FORM.pitch + 2
    sizes = np.array([7, 2, 2, 2, 12, made.plane, made.start, made.pitch, 0, 2, FORM.plane, begin, 2 * FORM.pitch, 3])
    move_rows(cases.planes_of(x, FORM, 1), out, table if replaced else table[:0], 44, sizes)
    wanted = np.full((1, 7, 2, 12), 44, np.uint8)
    moved = x[0, ::2, 1:5:2, 2:37:3]
    wanted[0, 2:4] = table[moved] if replaced else moved
    np.testing.assert_array_equal(made.view(out), wanted)
    assert (cases.padding(out, made) == 44).all()
