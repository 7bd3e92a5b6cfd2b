"""Sums of integers against what the operators mean."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from dcz.calibration import products
from dcz.calibration.products import integer_sums
from dcz.calibration.windows import window_sums
from dcz.dcformat import OPS, make_node

ZERO = 37


def compare(op: str, shape: tuple[int, ...], weight: tuple[int, ...], attrs: dict | None = None) -> None:
    rng = np.random.default_rng(3)
    q = rng.integers(0, 256, (2, *shape)).astype(np.uint8)
    weights = rng.integers(-127, 128, weight).astype(np.int8)
    node = make_node(op, (0,), {"weight": "w"}, attrs)
    sums = integer_sums(node, q, weights, ZERO)
    centred = OPS[op].meaning(q.astype(np.float64) - ZERO, weight=weights.astype(np.float64), **node.attrs)
    rows = weights.reshape(len(weights), -1).sum(axis=1, dtype=np.int64)
    by_channel = rows if op == "linear" else rows.reshape(-1, *(1,) * (len(shape) - 1))
    np.testing.assert_array_equal(sums - ZERO * by_channel, centred)


@pytest.mark.parametrize(
    ("channels", "outputs", "groups", "stride", "padding", "dilation"),
    [(3, 4, 1, (1, 1), (0, 0), (1, 1)), (4, 6, 2, (2, 1), (1, 2), (1, 2)), (5, 5, 5, (1, 2), (2, 1), (1, 1))],
)
def test_convolutions(
    channels: int, outputs: int, groups: int, stride: tuple, padding: tuple, dilation: tuple, monkeypatch
) -> None:
    monkeypatch.setattr(products, "PIECE", 1)  # sample by sample
    attrs = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    compare("conv2d", (channels, 7, 9), (outputs, channels // groups, 3, 2), attrs)


def test_lines_and_rows() -> None:
    compare("conv1d", (4, 11), (6, 2, 3), {"padding": (1,), "stride": (2,), "groups": 2})
    compare("linear", (9,), (4, 9))


def test_sums_that_float32_does_not_hold() -> None:
    q, weights = np.full((1, 4096), 255, np.uint8), np.full((1, 4096), 127, np.int8)
    weights[0, 0] = 126
    (total,) = integer_sums(make_node("linear", (0,), {"weight": "w"}), q, weights, 0)[0]
    assert total == 255 * (127 * 4096 - 1)


AVERAGES = [
    ("avg_pool2d", (2, 7, 6), {"kernel": kernel, "stride": (2, 1), "padding": (1, 1), **counted})
    for kernel, counted in product(
        [(3, 2), (2, 3)],
        [{}, {"ceil_mode": True}, {"count_include_pad": False}, {"ceil_mode": True, "count_include_pad": False}],
    )
]


@pytest.mark.parametrize(
    ("op", "shape", "attrs"),
    [
        *AVERAGES,
        ("adaptive_avg_pool2d", (2, 7, 5), {"output": (3, 2)}),
        ("avg_pool1d", (2, 9), {"kernel": (3,), "stride": (2,), "padding": (1,)}),
        ("adaptive_avg_pool1d", (2, 9), {"output": (4,)}),
    ],
)
def test_windows(op: str, shape: tuple[int, ...], attrs: dict) -> None:
    x = np.random.default_rng(4).integers(-200, 200, (2, *shape))
    node = make_node(op, (0,), attrs=attrs)
    sums, counts = window_sums(node, x)
    np.testing.assert_allclose(sums / counts, OPS[op].meaning(x.astype(np.float64), **node.attrs), rtol=1e-14)
