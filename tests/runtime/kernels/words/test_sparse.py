"""Sparse convolutions in words of 16 bits against their meaning, and against that of the layer."""

from __future__ import annotations

from dataclasses import replace

import kernel_cases
import numpy as np
import pytest
import word_cases as cases
from kernel_cases import ConvCase

from dcz.runtime.kernels.conv.direct.tile import Tiling
from dcz.runtime.kernels.words.sparse import ConvWordsSparse
from dcz.runtime.plan import select
from dcz.runtime.plan.target import HOST

CASES = {
    "plain": ConvCase(padding=(1, 1)),
    "odd tiles": ConvCase(size=(11, 8), padding=(1, 1)),
    "pointwise": ConvCase(kernel=(1, 1), channels=(13, 6), epilogue="none"),
    "one pixel": ConvCase(size=(1, 1), kernel=(1, 1), epilogue="relu"),
    "stride 2": ConvCase(stride=(2, 2), size=(11, 18), padding=(1, 1), epilogue="clip"),
    "stride 4, 11 x 11": ConvCase(stride=(4, 4), kernel=(11, 11), padding=(2, 2), size=(31, 29), channels=(3, 5)),
    "strides differ": ConvCase(stride=(1, 3), kernel=(2, 5), padding=(0, 3), size=(6, 17)),
    "dilation": ConvCase(dilation=(2, 3), padding=(2, 3), size=(12, 13), epilogue="relu6"),
    "groups": ConvCase(groups=3, channels=(6, 15), padding=(1, 1)),
    "depthwise": ConvCase(groups=6, channels=(6, 6), density=1.0, padding=(1, 1)),
    "no weights": ConvCase(density=0.0),
    "dense": ConvCase(density=1.0, form="dense", epilogue="scale"),
    "many blocks": ConvCase(channels=(60, 9), size=(14, 14), padding=(1, 1), density=0.2, batch=1),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_against_the_meaning(case: ConvCase) -> None:
    cases.check(case)


def test_wide_images() -> None:
    cases.check(replace(CASES["plain"], size=(5, 37)), (2, 16, 1))


def test_what_one_sample_holds_changes_no_other() -> None:
    case = ConvCase(batch=3, padding=(1, 1), epilogue="relu")
    weight, epilogue, g, x, _ = cases.made(case)
    packed = ConvWordsSparse(weight, Tiling(g, 2, 8, 2, 48), epilogue)
    shape = case.batch, case.channels[1], *case.out_size
    wanted = kernel_cases.run_layer(packed, x, shape, None)
    for bad in (np.nan, np.inf, -np.inf):
        x[1, 2, 3, 4] = bad
        found = kernel_cases.run_layer(packed, x, shape, None)
        assert np.isnan(found[1]).all()
        np.testing.assert_array_equal(found[::2], wanted[::2])
    x[1] = 0
    found = kernel_cases.run_layer(packed, x, shape, None)
    np.testing.assert_array_equal(found[1], np.broadcast_to(np.maximum(epilogue.shift, 0)[:, None, None], shape[1:]))


def test_words_are_chosen_only_where_they_are_allowed() -> None:
    case = ConvCase(channels=(64, 64), size=(28, 28), padding=(1, 1), density=0.3)
    weight, epilogue, g = kernel_cases._layer(case, np.random.default_rng(0), 1)
    exact = select.conv_choices(weight, g, epilogue)
    assert "conv_words_sparse" not in {choice.kernel for choice in exact}
    allowed = replace(HOST, words=True)
    assert select.conv_choices(weight, g, epilogue, allowed)[0].kernel == "conv_words_sparse"
    weight.codebook[3] = np.inf
    assert "conv_words_sparse" not in {choice.kernel for choice in select.conv_choices(weight, g, epilogue, allowed)}
