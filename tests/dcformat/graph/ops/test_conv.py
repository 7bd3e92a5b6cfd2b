"""Convolutions that the shape rules refuse."""

import re

import pytest

from dcz.dcformat import FormatError, Graph, infer_shapes, make_node

CASES = [
    ("conv_transpose2d", {"output_padding": (2, 0), "stride": (2, 2)}, "output_padding 2 must be less than the stride"),
    ("conv_transpose2d", {"groups": 3}, "4 channels do not divide into 3 groups"),
    ("conv_transpose2d", {"padding": (9, 0)}, "of a size that cannot be used"),
    ("conv_transpose2d", {"stride": (1,)}, "stride must be two integers >= 1, found [1]"),
    ("conv1d", {}, "input must be (C, L), found [4, 5, 5]"),
    ("conv2d", {"stride": (1,)}, "stride must be two integers >= 1, found [1]"),
]


@pytest.mark.parametrize(("op", "attrs", "message"), CASES)
def test_attributes_that_do_not_fit_are_refused(op, attrs, message):
    zero = (0,) if op.endswith("1d") else (0, 0)
    node = make_node(op, (0,), {"weight": "w"}, {"padding": zero, **attrs})
    with pytest.raises(FormatError, match=re.escape(message)):
        infer_shapes(Graph((4, 5, 5), (node,), 1), {"w": (4, 4, 3, 3)})


def test_filters_of_lines_have_three_axes():
    node = make_node("conv1d", (0,), {"weight": "w"}, {"stride": (2,)})
    with pytest.raises(
        FormatError, match=re.escape("weight must have three axes (O, I/groups, K), found [4, 4, 1, 3]")
    ):
        infer_shapes(Graph((4, 9), (node,), 1), {"w": (4, 4, 1, 3)})
