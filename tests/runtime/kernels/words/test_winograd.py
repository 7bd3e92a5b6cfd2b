"""Winograd's algorithm in words of 16 bits, in both directions and along columns, against the meaning of the layer."""

from __future__ import annotations

from dataclasses import replace

import kernel_cases
import numpy as np
import pytest
import word_cases as cases
from kernel_cases import ConvCase, make_weight

from dcz.runtime.kernels.contract import ConvGeometry, Epilogue
from dcz.runtime.kernels.conv.winograd.tiles import WinogradTiling
from dcz.runtime.kernels.words.strips import ConvWordsStrips, StripTiling
from dcz.runtime.kernels.words.winograd import ConvWordsWinograd
from dcz.runtime.plan import select
from dcz.runtime.plan.target import HOST
from dcz.runtime.simd import LANES

CASES = {
    "3 x 3": ConvCase(size=(19, 15), padding=(1, 1), channels=(5, 9)),
    "5 x 5, many blocks": ConvCase(kernel=(5, 5), size=(31, 38), padding=(2, 2), channels=(3, 5), epilogue="relu"),
    "7 x 7, stride 2": ConvCase(kernel=(7, 7), stride=(2, 2), size=(26, 21), channels=(3, 7), density=1.0),
    "11 x 11, stride 4": ConvCase(kernel=(11, 11), stride=(4, 4), size=(31, 29), padding=(2, 2), channels=(3, 5)),
    "no weights": ConvCase(size=(6, 6), density=0.0, batch=1),
}
GROUPS = ConvCase(size=(13, 13), padding=(1, 1), channels=(6, 15), groups=3, density=1.0, epilogue="clip")
STRIPS = {
    "strides and sides differ": ConvCase(kernel=(5, 4), stride=(1, 3), size=(9, 40), padding=(2, 3), channels=(2, 5)),
    "wide": ConvCase(kernel=(3, 2), size=(6, 71), channels=(2, 4), epilogue="relu6"),
    "one pixel": ConvCase(size=(3, 3), channels=(1, 1)),
}


@pytest.mark.parametrize("case", [*CASES.values(), GROUPS], ids=[*CASES, "groups"])
def test_in_both_directions(case: ConvCase) -> None:
    cases.check_winograd(case)


def test_with_a_pool() -> None:
    cases.check_winograd(CASES["3 x 3"], pool=True)


@pytest.mark.parametrize("case", [*CASES.values(), *STRIPS.values()], ids=[*CASES, *STRIPS])
def test_along_columns(case: ConvCase) -> None:
    cases.check_strips(case)


@pytest.mark.parametrize("size", [(19, 15), (18, 32), (5, 9)])
def test_along_columns_with_a_pool(size: tuple[int, int]) -> None:
    cases.check_strips(replace(CASES["3 x 3"], size=size, epilogue="relu"), pool=True)


@pytest.mark.parametrize("strips", [True, False])
def test_what_is_no_number_stays_in_its_sample(strips: bool) -> None:
    case = ConvCase(size=(9, 9), channels=(2, 3), padding=(1, 1), batch=3)
    weight, epilogue, g, x, _ = cases.made(case)
    packed = (
        ConvWordsStrips(weight, StripTiling(g, 3, 2), epilogue)
        if strips
        else ConvWordsWinograd(weight, WinogradTiling(g, 4, 2, LANES), epilogue)
    )
    shape = case.batch, case.channels[1], *case.out_size
    wanted = kernel_cases.run_layer(packed, x, shape, None)
    x[1, 1, 3, 4] = np.inf
    found = kernel_cases.run_layer(packed, x, shape, None)
    assert np.isnan(found[1, :, 2:5, 3:6]).all()
    np.testing.assert_array_equal(found[::2], wanted[::2])


def test_they_are_chosen_only_where_words_are_allowed() -> None:
    first = ConvGeometry(1, 3, 227, 227, 96, (7, 7), (2, 2), (0, 0), (1, 1), 1, 111, 111)
    second = ConvGeometry(1, 64, 27, 27, 192, (5, 5), (1, 1), (2, 2), (1, 1), 1, 27, 27)
    rng, allowed = np.random.default_rng(0), replace(HOST, words=True)
    for g, kernel, density in ((first, "conv_words_strips", 1.0), (second, "conv_words_winograd", 0.4)):
        weight = make_weight(rng, (g.out_channels, g.in_channels, *g.kernel), density, "sparse_shared", 32)
        choices = select.conv_choices(weight, g, Epilogue(), allowed)
        assert kernel in {choice.kernel for choice in choices}
        assert choices[0].kernel == kernel or not HOST.wide
        assert not any("words" in choice.kernel for choice in select.conv_choices(weight, g, Epilogue(), HOST))
        weight.codebook[3] = np.inf
        assert not any("words" in choice.kernel for choice in select.conv_choices(weight, g, Epilogue(), allowed))
