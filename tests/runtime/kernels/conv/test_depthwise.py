"""The depthwise kernels against float64, over shapes, strides, multipliers and epilogues."""

from __future__ import annotations

from dataclasses import replace

import kernel_cases as cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import config

from dcz.runtime.kernels.contract import ConvGeometry, Epilogue
from dcz.runtime.kernels.conv.depthwise import ConvDepthwise, WindowTiling
from dcz.runtime.kernels.conv.depthwise_pairs import ConvDepthwisePairs, PairTiling
from dcz.runtime.kernels.conv.depthwise_taps import ConvDepthwiseTaps, PlaneTiling
from dcz.runtime.plan import select
from dcz.runtime.plan.target import AVX2, AVX512

SLOW = bool(config.DISABLE_JIT)
KERNELS = {3: 7, 5: 7, 7: 7}
"""Rows at a time for each kernel, so that few are compiled."""


def check_windows(case: cases.ConvCase, rows: int) -> None:
    """Compare the kernel that has all weights in registers with the oracle: `rows` rows of outputs at a time."""
    cases.check_packed(case, lambda weight, g, epilogue: ConvDepthwise(weight, WindowTiling(g, rows), epilogue))


def check_taps(case: cases.ConvCase, vectors: int) -> None:
    """Compare the kernel that goes tap by tap with the oracle: `vectors` of outputs at a time."""
    cases.check_packed(case, lambda weight, g, epilogue: ConvDepthwiseTaps(weight, PlaneTiling(g, vectors), epilogue))


def check_pairs(case: cases.ConvCase, rows: int) -> None:
    """Compare the kernel that has two channels in the lanes with the oracle: `rows` rows of outputs at a time."""
    cases.check_packed(case, lambda weight, g, epilogue: ConvDepthwisePairs(weight, PairTiling(g, rows), epilogue))


@st.composite
def layers(draw: st.DrawFn) -> tuple[cases.ConvCase, int]:
    """A depthwise layer, and rows at a time."""
    kernel = draw(st.sampled_from(list(KERNELS)))
    padding = draw(st.integers(0, kernel)), draw(st.integers(0, kernel))
    channels = draw(st.integers(2, 4))
    case = cases.ConvCase(
        seed=draw(st.integers(0, 999)),
        batch=draw(st.integers(1, 2)),
        channels=(channels, channels * draw(st.integers(1, 3))),
        size=tuple(draw(st.integers(max(1, kernel - 2 * p), 20 if SLOW else 70)) for p in padding),
        kernel=(kernel, kernel),
        stride=(draw(st.integers(1, 2)),) * 2,
        padding=padding,
        groups=channels,
        density=draw(st.sampled_from([0.3, 1.0])),
        form=draw(st.sampled_from(cases.FORMS)),
        epilogue=draw(st.sampled_from(cases.EPILOGUES)),
    )
    return case, KERNELS[kernel]


@settings(deadline=None, max_examples=6 if SLOW else 60)
@given(layers())
def test_it_agrees_with_the_oracle(layer: tuple[cases.ConvCase, int]) -> None:
    check_windows(*layer)


@settings(deadline=None, max_examples=6 if SLOW else 40)
@given(layers(), st.integers(1, 3), st.integers(1, 3))
def test_tap_by_tap_it_agrees_with_the_oracle(layer: tuple[cases.ConvCase, int], dilation: int, height: int) -> None:
    case = replace(layer[0], kernel=(height, layer[0].kernel[1]))
    reach = [max(1, d * (k - 1) + 1 - 2 * p) for d, k, p in zip((dilation, 1), case.kernel, case.padding, strict=True)]
    size = tuple(map(max, case.size, reach))
    check_taps(replace(case, dilation=(dilation, 1), size=size), 4)


def test_pairs_are_of_small_images_with_an_even_number_of_channels_and_no_residual() -> None:
    fits = geometry(height=14, width=14, stride=(2, 2), out_height=7, out_width=7)
    odd = replace(fits, in_channels=49, out_channels=49, groups=49)
    wide = replace(fits, width=16, out_width=8)
    assert [PairTiling.fits(layer) for layer in (fits, odd, wide)] == [True, False, False]
    weight = cases.make_weight(np.random.default_rng(0), (48, 1, 3, 3), 1, "dense", 2)
    choices = select.conv_choices(weight, fits, Epilogue(residual=True), AVX512)
    assert "conv_depthwise_pairs" not in select.by_kernel(choices)


@pytest.mark.parametrize("size", [(1, 1), (7, 7), (14, 14), (13, 17), (9, 200)])
@pytest.mark.parametrize("stride", [1, 2])
def test_whole_and_partial_vectors_and_bands_agree(size: tuple[int, int], stride: int) -> None:
    case = cases.ConvCase(channels=(5, 5), size=size, stride=(stride, stride), padding=(1, 1), groups=5)
    check_windows(case, 7)
    check_taps(case, 4)


@settings(deadline=None, max_examples=6 if SLOW else 40)
@given(layers(), st.sampled_from([1, 2]), st.sampled_from([3, 5]), st.integers(1, 15), st.integers(1, 15))
def test_in_pairs_it_agrees_with_the_oracle(
    layer: tuple[cases.ConvCase, int], stride: int, kernel: int, height: int, width: int
) -> None:
    case, pad = layer[0], kernel // 2
    case = replace(case, kernel=(kernel, kernel), stride=(stride, stride), padding=(layer[0].padding[0] % kernel, pad))
    size = max(height, kernel - 2 * case.padding[0]), min(width, 8 * stride)
    epilogue = "relu" if case.epilogue == "residual" else case.epilogue
    channels = 2 * case.channels[0], 2 * case.channels[1]
    check_pairs(replace(case, size=size, epilogue=epilogue, channels=channels, groups=channels[0]), 7)


def geometry(**changes: object) -> ConvGeometry:
    layer = ConvGeometry(1, 48, 56, 56, 48, (3, 3), (1, 1), (1, 1), (1, 1), 48, 56, 56)
    return replace(layer, **changes)  # type: ignore[arg-type]


def test_it_goes_by_tap_where_weights_or_pixels_are_few() -> None:
    rng = np.random.default_rng(0)
    weight, few = (cases.make_weight(rng, (48, 1, 3, 3), density, "sparse_raw", 2) for density in (1, 0.2))
    for size, kernel in ((7, "conv_depthwise_pairs"), (14, "conv_depthwise"), (56, "conv_depthwise")):
        layer = geometry(height=size, width=size, out_height=size, out_width=size)
        for tensor, name in ((weight, kernel), (few, "conv_depthwise_taps")):
            assert select.conv_choices(tensor, layer, Epilogue(), AVX512)[0].kernel == name


def test_it_is_taken_for_depthwise_layers_without_pools_and_dilation() -> None:
    weight = cases.make_weight(np.random.default_rng(0), (48, 1, 3, 3), 1, "dense", 2)
    assert select.conv_choices(weight, geometry(), Epilogue(), AVX512)[0].kernel == "conv_depthwise"
    assert "conv_depthwise" in select.by_kernel(select.conv_choices(weight, geometry(), Epilogue(), AVX2))
    others = [
        select.conv_choices(weight, geometry(), Epilogue(pool=True), AVX512),
        select.conv_choices(weight, geometry(dilation=(2, 2), padding=(2, 2)), Epilogue(), AVX512),
        select.conv_choices(weight, geometry(stride=(1, 2), out_width=28), Epilogue(), AVX512),
    ]
    assert all("conv_depthwise" not in select.by_kernel(choices) for choices in others)
    assert all("conv_depthwise_pairs" not in select.by_kernel(choices) for choices in others)
    assert all("conv_depthwise_taps" not in select.by_kernel(choices) for choices in (others[0], others[-1]))
