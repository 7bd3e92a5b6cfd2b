"""Pools of bytes against NumPy."""

from __future__ import annotations

import integer_cases as cases
import numpy as np
import pytest

from dcz.runtime.kernels.contract import tag
from dcz.runtime.kernels.integer.planes import Planes
from dcz.runtime.kernels.integer.pool import average_pool_bytes, max_pool_bytes, max_pool_rows

WINDOWS = {  # size, kernel, stride, padding, dilation
    "2 x 2": ((6, 8), (2, 2), (2, 2), (0, 0), (1, 1)),
    "3 x 3, stride 2, hanging over": ((8, 8), (3, 3), (2, 2), (0, 0), (1, 1)),
    "padded": ((7, 9), (3, 3), (1, 2), (1, 1), (1, 1)),
    "dilated, stride 3": ((17, 14), (2, 3), (3, 3), (1, 2), (2, 2)),
    "stride 4, long rows": ((5, 90), (2, 3), (2, 4), (0, 1), (1, 1)),
    "long rows": ((4, 83), (3, 3), (2, 2), (1, 1), (1, 1)),
}


@pytest.mark.parametrize("zero", [0, 9])
@pytest.mark.parametrize("windows", WINDOWS.values(), ids=WINDOWS.keys())
def test_maximum(windows: tuple[tuple[int, int], ...], zero: int) -> None:
    size, kernel, stride, padding, dilation = windows
    rng = np.random.default_rng(5)
    x = rng.integers(0, 256, (2, 3, *size)).astype(np.uint8)
    starts = [np.arange(-padding[i], size[i], stride[i]) for i in range(2)]
    taps = [start[:, None] + np.arange(kernel[i]) * dilation[i] for i, start in enumerate(starts)]
    rows, columns = (tap[((tap >= 0) & (tap < size[i])).any(axis=1)] for i, tap in enumerate(taps))
    wanted = np.zeros((2, 3, len(rows), len(columns)), np.uint8)
    for i, j in np.ndindex(wanted.shape[2:]):
        inside = [tap[(tap >= 0) & (tap < n)] for tap, n in ((rows[i], size[0]), (columns[j], size[1]))]
        wanted[..., i, j] = x[:, :, inside[0]][..., inside[1]].max(axis=(2, 3))
    given, made = Planes(3, *size, 1, 2), Planes(3, len(rows), len(columns), 2, 1)
    out = np.full(2 * made.size, 170, np.uint8)
    forms = (part for form in (given, made) for part in (form.height, form.width, form.plane, form.start, form.pitch))
    down, across = zip(kernel, stride, padding, dilation, strict=True)
    sizes = np.array([6, *forms, *across[1:]], np.int64)
    lines = max_pool_rows(size[0], len(rows), *down).ravel() * given.pitch
    tags = tag(stride[1] if stride[1] in (1, 2, 4) else 1), tag(kernel[0]), tag(kernel[1])
    max_pool_bytes(*tags, cases.planes_of(x, given, zero), out, zero, lines, sizes)
    np.testing.assert_array_equal(made.view(out), wanted)
    assert (cases.padding(out, made) == zero).all()


def test_average() -> None:
    x = np.random.default_rng(6).integers(0, 256, (2, 3, 7, 9)).astype(np.uint8)
    form, sums = Planes(3, 7, 9, 1, 1), np.empty(2 * 3 * 2 * 2, np.float32)
    rows, columns = np.array([[0, 4], [3, 7]]), np.array([[0, 9], [2, 5]])
    sizes = np.array([6, form.plane, form.start, form.pitch])
    factors = np.array([0.5, 0.3, 0.1, 2], np.float32)
    average_pool_bytes(cases.planes_of(x, form, 7), sums, factors, 100, rows, columns, sizes)
    less = x.astype(np.int64) - 100
    wanted = [[less[..., a:b, c:d].sum(axis=(2, 3)) for c, d in columns] for a, b in rows]
    products = np.array(wanted, np.float32).transpose(2, 3, 0, 1) * factors.reshape(2, 2)
    np.testing.assert_array_equal(sums.reshape(2, 3, 2, 2), products)
