"""Layout of a drawn graph: boxes in rows from top to bottom, edges that lead down.

The method is that of Sugiyama, Tagawa and Toda 1981 ("Methods for visual understanding of hierarchical system
structures"): longest paths give the rows, barycentres the order within a row, and an edge that passes a row occupies a
place in it. Each place then moves towards its neighbours as far as its row permits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

SWEEPS = 8
"""Passes over the rows, down and up: first to order them, then to move the places."""
PASSING = 12.0
"""Width of an edge in the rows that it passes."""
WEIGHT = 8.0
"""Weight of a box relative to a passing edge, for its neighbours and in conflicts about a place."""

Point = tuple[float, int]
"""Distance from the left edge, and number of the row."""


@dataclass(frozen=True)
class Layout:
    """A graph that was laid out.

    Attributes
    ----------
    centres : list of (float, int)
        Of each box: its centre's distance from the left edge, and its row.
    routes : list of list of (float, int)
        For each edge its start, its place in each row that it passes, and its end.
    width : float
        Of the widest row.
    rows : int
    """

    centres: list[Point]
    routes: list[list[Point]]
    width: float
    rows: int


def lay_out(count: int, edges: Sequence[tuple[int, int]], width: float, gap: float) -> Layout:
    """Lay out boxes of one width.

    Parameters
    ----------
    count : int
        Boxes.
    edges : sequence of (int, int)
        Pairs of boxes, the first of smaller number than the second.
    width : float
        Of a box.
    gap : float
        Least distance between neighbours in a row.
    """
    row_of = [0] * count
    for start, end in sorted(edges, key=lambda edge: edge[1]):
        row_of[end] = max(row_of[end], row_of[start] + 1)
    widths, weights = [width] * count, [WEIGHT] * count
    chains = []
    for start, end in edges:
        passed = range(row_of[start] + 1, row_of[end])
        chains.append([start, *range(len(row_of), len(row_of) + len(passed)), end])
        row_of += passed
        widths += [PASSING] * len(passed)
        weights += [1.0] * len(passed)
    rows = _in_order(row_of, chains)
    left = _moved(rows, _neighbours(len(row_of), chains), [size + gap for size in widths], weights)
    first = min((left[v] - widths[v] / 2 for v in range(len(left))), default=0.0)
    last = max((left[v] + widths[v] / 2 for v in range(len(left))), default=0.0)
    places = [(x - first, row) for x, row in zip(left, row_of, strict=True)]
    return Layout(places[:count], [[places[v] for v in chain] for chain in chains], last - first, len(rows))


def _neighbours(count: int, chains: Sequence[Sequence[int]]) -> tuple[list[list[int]], list[list[int]]]:
    """For each vertex, its neighbours in the row above and in the row below."""
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for chain in chains:
        for start, end in pairwise(chain):
            above[end].append(start)
            below[start].append(end)
    return above, below


def _in_order(row_of: Sequence[int], chains: Sequence[Sequence[int]]) -> list[list[int]]:
    """The vertices of each row, ordered to lie near their neighbours."""
    rows: list[list[int]] = [[] for _ in range(max(row_of, default=-1) + 1)]
    for vertex, row in enumerate(row_of):
        rows[row].append(vertex)
    place = [0.0] * len(row_of)
    neighbours = _neighbours(len(row_of), chains)
    for sweep in range(SWEEPS):
        for vertices in rows if sweep % 2 == 0 else reversed(rows):
            for vertex in vertices:
                if near := neighbours[sweep % 2][vertex]:
                    place[vertex] = sum(place[other] for other in near) / len(near)
            vertices.sort(key=place.__getitem__)
            for i, vertex in enumerate(vertices):
                place[vertex] = i - (len(vertices) - 1) / 2  # from the middle: rows have different lengths
    return rows


def _moved(
    rows: Sequence[Sequence[int]],
    neighbours: tuple[list[list[int]], list[list[int]]],
    sizes: Sequence[float],
    weights: Sequence[float],
) -> list[float]:
    """The distances from the left: each vertex as near to its neighbours as its row permits."""
    left = [0.0] * len(sizes)
    for sweep in range(SWEEPS + 1):  # ends downwards
        near = neighbours[sweep % 2]
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = []
            for vertex in row:
                total = sum(weights[v] for v in near[vertex])
                wanted.append(sum(weights[v] * left[v] for v in near[vertex]) / total if total else left[vertex])
            places = _apart(wanted, [weights[v] for v in row], [sizes[v] for v in row])
            for vertex, x in zip(row, places, strict=True):
                left[vertex] = x
    return left


def _apart(wanted: Sequence[float], weights: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Places in the given order, without overlap, of least weighted squared distance from the wanted ones.

    After subtraction of the sizes before them, the places must not decrease: isotonic regression, solved by pooling
    adjacent violators.
    """
    before, offsets = 0.0, []
    for size in sizes:
        offsets.append(before + size / 2)
        before += size
    pools: list[tuple[float, float, int]] = []  # mean, weight, members
    for x, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, total, members = x - offset, weight, 1
        while pools and pools[-1][0] > mean:
            other, more, count = pools.pop()
            mean = (mean * total + other * more) / (total + more)
            total, members = total + more, members + count
        pools.append((mean, total, members))
    means = [mean for mean, _, members in pools for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]
