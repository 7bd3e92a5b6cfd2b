"""Boxes that overlap nowhere, edges that lead down, and places that are the nearest to those wanted."""

from __future__ import annotations

from itertools import groupby, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import isotonic_regression

from dcz.reporting.layout import _apart, lay_out

WIDTH, GAP = 50.0, 10.0
ROUNDING = 1e-6

Edges = list[tuple[int, int]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, Edges]:
    """Boxes, each of which reads some of those before it."""
    count = draw(st.integers(1, 12))
    reads = [draw(st.lists(st.integers(0, end - 1), unique=True, max_size=4)) for end in range(1, count)]
    return count, [(start, end) for end, starts in enumerate(reads, 1) for start in starts]


@given(graphs())
def test_boxes_lie_apart_and_edges_lead_down_row_by_row(graph: tuple[int, Edges]) -> None:
    count, edges = graph
    made = lay_out(count, edges, WIDTH, GAP)
    assert len(made.centres) == count
    assert made.rows == 1 + max(row for _, row in made.centres)
    by_row = sorted(made.centres, key=lambda place: (place[1], place[0]))
    for _, row in groupby(by_row, key=lambda place: place[1]):
        assert all(right - left >= WIDTH + GAP - ROUNDING for (left, _), (right, _) in pairwise(row))
    for (start, end), route in zip(edges, made.routes, strict=True):
        assert (route[0], route[-1]) == (made.centres[start], made.centres[end])
        assert [row for _, row in route] == list(range(made.centres[start][1], made.centres[end][1] + 1))
    for x, _ in made.centres:
        assert WIDTH / 2 - ROUNDING <= x <= made.width - WIDTH / 2 + ROUNDING


@given(graphs())
def test_a_box_stands_below_the_lowest_that_it_reads(graph: tuple[int, Edges]) -> None:
    count, edges = graph
    rows = [row for _, row in lay_out(count, edges, WIDTH, GAP).centres]
    for box in range(count):
        assert rows[box] == max((rows[start] + 1 for start, end in edges if end == box), default=0)


def test_a_chain_is_straight_and_a_shortcut_passes_beside_it() -> None:
    chain = [(0, 1), (1, 2), (2, 3)]
    straight = lay_out(4, chain, WIDTH, GAP)
    assert [x for x, _ in straight.centres] == [WIDTH / 2] * 4
    assert straight.width == WIDTH
    made = lay_out(4, [*chain, (0, 3)], WIDTH, GAP)
    passing = [x for x, _ in made.routes[-1][1:-1]]
    assert len(passing) == 2
    for x, (box, _) in zip(passing, made.centres[1:3], strict=True):
        assert abs(x - box) > WIDTH / 2


def test_branches_that_cross_are_put_in_order() -> None:
    """Two branches that are read in the other order: crossed as given, side by side as drawn."""
    edges = [(0, 1), (0, 2), (2, 3), (1, 4), (3, 5), (4, 5)]
    left = [x for x, _ in lay_out(6, edges, WIDTH, GAP).centres]
    assert (left[1] < left[2]) == (left[4] < left[3])


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(0.5, 10), st.floats(1, 50)), min_size=1, max_size=10))
def test_places_are_the_nearest_to_those_wanted(given: list[tuple[float, float, float]]) -> None:
    wanted, weights, sizes = (list(column) for column in zip(*given, strict=True))
    offsets = np.cumsum(sizes) - np.array(sizes) / 2
    expected = isotonic_regression(np.array(wanted) - offsets, sample_weight=weights) + offsets
    assert _apart(wanted, weights, sizes) == pytest.approx(expected)


def test_nothing_at_all() -> None:
    made = lay_out(0, [], WIDTH, GAP)
    assert (made.centres, made.routes, made.rows) == ([], [], 0)
