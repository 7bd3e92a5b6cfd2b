"""Dense convolutions in words of 16 bits against their meaning, and against that of the layer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import word_cases as cases
from kernel_cases import ConvCase, make_weight

from dcz.runtime.kernels.contract import ConvGeometry, Epilogue
from dcz.runtime.plan import select
from dcz.runtime.plan.target import HOST

CASES = {
    "plain": ConvCase(padding=(1, 1)),
    "odd tiles": ConvCase(size=(11, 8), padding=(1, 1), channels=(6, 6), density=1.0),
    "one pixel": ConvCase(size=(1, 1), kernel=(1, 1), epilogue="relu"),
    "stride 2": ConvCase(stride=(2, 2), size=(11, 18), padding=(1, 1), epilogue="clip"),
    "stride 4, 11 x 11": ConvCase(stride=(4, 4), kernel=(11, 11), padding=(2, 2), size=(31, 29), channels=(3, 5)),
    "strides differ": ConvCase(stride=(1, 3), kernel=(2, 5), padding=(0, 3), size=(6, 17)),
    "dilation": ConvCase(dilation=(2, 3), padding=(2, 3), size=(12, 13), epilogue="relu6"),
    "groups of odd sizes": ConvCase(groups=3, channels=(9, 12), padding=(1, 1), form="dense", density=1.0),
    "depthwise": ConvCase(groups=6, channels=(6, 6), density=1.0, padding=(1, 1)),
    "no weights": ConvCase(density=0.0),
    "many blocks": ConvCase(channels=(31, 9), size=(14, 14), kernel=(1, 3), batch=1, epilogue="scale"),
}
POINTWISE = {
    "whole tiles": ConvCase(kernel=(1, 1), size=(8, 12), channels=(13, 7), density=1.0),
    "a rest": ConvCase(kernel=(1, 1), size=(7, 12), channels=(12, 6), epilogue="none"),
    "many blocks": ConvCase(kernel=(1, 1), size=(8, 8), channels=(75, 5), density=1.0, batch=1),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_against_the_meaning(case: ConvCase) -> None:
    cases.check_dense(case)


@pytest.mark.parametrize("case", POINTWISE.values(), ids=POINTWISE.keys())
def test_pointwise_layers(case: ConvCase) -> None:
    cases.check_dense(case, (2, 16, 1))


def test_pointwise_layers_with_few_zeros_are_computed_in_words() -> None:
    g = ConvGeometry(1, 32, 55, 55, 128, (1, 1), (1, 1), (0, 0), (1, 1), 1, 55, 55)
    rng = np.random.default_rng(0)
    dense, sparse = (make_weight(rng, (128, 32, 1, 1), density, "sparse_shared", 32) for density in (1.0, 0.1))
    allowed = replace(HOST, words=True)
    assert select.conv_choices(dense, g, Epilogue(), allowed)[0].kernel == "conv_words_dense"
    assert select.conv_choices(sparse, g, Epilogue(), allowed)[0].kernel != "conv_words_dense"
    assert not any("words" in choice.kernel for choice in select.conv_choices(dense, g, Epilogue(), HOST))
