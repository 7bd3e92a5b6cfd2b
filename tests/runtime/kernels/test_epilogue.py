"""Epilogues: the array that carries one, and NaN, which no clamp may hide."""

from __future__ import annotations

import kernel_cases as cases
import numpy as np

from dcz.runtime.kernels.contract import ConvGeometry, Epilogue, LinearGeometry
from dcz.runtime.kernels.epilogue import epilogue_array
from dcz.runtime.plan import select, select_batch16

CLIP = Epilogue(low=-0.5, high=0.75)


def test_an_epilogue_is_one_array_in_the_order_of_the_kernel() -> None:
    scale, shift = np.array([1, 2, 3], np.float32), np.array([4, 5, 6], np.float32)
    found = epilogue_array(Epilogue(scale, shift, low=-1, high=7), 3, np.array([2, 0]))
    np.testing.assert_array_equal(found, np.array([3, 1, 6, 4, -1, 7], np.float32))
    np.testing.assert_array_equal(epilogue_array(Epilogue(), 2), [1, 1, 0, 0, -np.inf, np.inf])


def test_no_kernel_clamps_nan_away() -> None:
    rng = np.random.default_rng(0)
    conv, linear = ConvGeometry(16, 3, 4, 4, 5, (3, 3), (1, 1), (1, 1), (1, 1), 1, 4, 4), LinearGeometry(16, 48, 5)
    weight = cases.make_weight(rng, (5, 3, 3, 3), 1, "shared", 31)
    rows = cases.make_weight(rng, (5, 48), 1, "shared", 31)
    one, side_by_side = (16, 5, 4, 4), (5, 4, 4, 16)
    ways = [
        (select.conv_choices(weight, conv, CLIP), (16, 3, 4, 4), one),
        (select_batch16.conv_choices(weight, conv, CLIP), (3, 4, 4, 16), side_by_side),
        (select.linear_choices(rows, linear, CLIP), (16, 48), (16, 5)),
        (select_batch16.linear_choices(rows, linear, CLIP), (48, 16), (5, 16)),
    ]
    for choices, shape, out_shape in ways:
        x = np.full(shape, np.nan, np.float32)
        for name, pack in select.by_kernel(choices).items():
            assert np.isnan(cases.run_layer(pack(), x, out_shape, None)).all(), name
