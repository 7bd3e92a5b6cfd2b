"""Values that are never negative."""

from __future__ import annotations

from dcz.dcformat import Graph, make_node
from dcz.runtime.plan.signs import nonnegative_values


def test_values_that_are_never_negative() -> None:
    nodes = (
        make_node("relu", (0,)),  # 1: yes
        make_node("max_pool2d", (1,), attrs={"kernel": (2, 2), "stride": (2, 2)}),  # 2: yes
        make_node("conv2d", (2,), {"weight": "w"}),  # 3
        make_node("clamp", (3,), attrs={"low": -1.0, "high": 1.0}),  # 4
        make_node("clamp", (3,), attrs={"low": 0.5, "high": 1.0}),  # 5: yes
        make_node("concat", (2, 4)),  # 6
        make_node("concat", (2, 5)),  # 7: yes
        make_node("add", (3, 5)),  # 8
        make_node("relu6", (8,)),  # 9: yes
        make_node("add", (5, 9)),  # 10: yes
        make_node("max_pool2d", (0,), attrs={"kernel": (2, 2), "stride": (2, 2)}),  # 11
    )
    assert nonnegative_values(Graph((3, 8, 8), nodes, 11)) == {1, 2, 5, 7, 9, 10}
