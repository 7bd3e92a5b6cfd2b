"""Convolutions of bytes against their meaning, bit by bit."""

from __future__ import annotations

import integer_cases as cases
import pytest
from integer_cases import IntegerCase

CASES = {
    "plain": IntegerCase(),
    "wide planes": IntegerCase(wide=2, size=(7, 11)),
    "one pixel": IntegerCase(size=(1, 1), kernel=(1, 1), padding=(0, 0)),
    "pointwise": IntegerCase(kernel=(1, 1), padding=(0, 0), channels=(13, 6), residual=False),
    "stride 2": IntegerCase(stride=(2, 2), size=(11, 8)),
    "stride 2, pointwise": IntegerCase(stride=(2, 2), kernel=(1, 1), padding=(0, 0), residual=False),
    "stride 4, 11 x 11": IntegerCase(stride=(4, 4), kernel=(11, 11), padding=(2, 2), size=(31, 29), channels=(3, 5)),
    "strides differ": IntegerCase(stride=(1, 3), kernel=(2, 5), padding=(0, 3), size=(6, 17)),
    "no padding": IntegerCase(padding=(0, 0), residual=False),
    "dilation": IntegerCase(dilation=(2, 3), padding=(2, 3), size=(12, 13)),
    "groups": IntegerCase(groups=3, channels=(6, 15)),
    "depthwise": IntegerCase(groups=6, channels=(6, 6), density=1.0),
    "no weights": IntegerCase(density=0.0),
    "steep": IntegerCase(steep=True),
    "floats": IntegerCase(floats=True),
    "floats, stride 2": IntegerCase(floats=True, stride=(2, 2), residual=False, size=(10, 10)),
    "rows without padding": IntegerCase(apart=False, size=(8, 8)),
    "rows without padding, dilation": IntegerCase(apart=False, size=(6, 9), dilation=(1, 2), padding=(1, 2)),
    "rows without padding, stride 2": IntegerCase(apart=False, size=(9, 12), stride=(2, 2), kernel=(2, 3)),
    "blocks": IntegerCase(channels=(60, 9), size=(24, 24), batch=1, density=0.2),
    "blocks of one tile": IntegerCase(channels=(500, 5), size=(5, 5), batch=1, density=0.2),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_against_the_meaning(case: IntegerCase) -> None:
    cases.check(case)
