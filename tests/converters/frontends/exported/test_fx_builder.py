from __future__ import annotations

from math import prod

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import fx

from dcz.converters.frontends.exported.constants import Constants
from dcz.converters.frontends.exported.fx_builder import FxBuilder
from dcz.dcformat import UnsupportedOpError, Value

SIZES = st.sampled_from([1, 1, 2, 3, 5])


def viewed(own: tuple[int, ...], seen: tuple[int, ...]) -> tuple[FxBuilder, fx.Node]:
    """A builder, and a node whose value has one shape and is seen in another."""
    graph = fx.Graph()
    node = graph.placeholder("x")
    node.meta["val"] = torch.empty(2, *seen, device="meta")
    builder = FxBuilder(own, 2, Constants(graph, {}))
    builder.values[node] = Value(0, own)
    builder.node = node
    return builder, node


def coordinates(shape: tuple[int, ...]) -> np.ndarray:
    """For each element in row-major order its place on each axis."""
    return np.stack(np.unravel_index(np.arange(prod(shape)), shape), axis=1)


@given(st.data())
def test_axes_behind_a_view_are_those_that_move_along_it(data: st.DataObject) -> None:
    own = tuple(data.draw(st.lists(SIZES, min_size=1, max_size=4)))
    seen = list(data.draw(st.permutations(own)))
    if data.draw(st.booleans()) and len(seen) > 1:
        at = data.draw(st.integers(0, len(seen) - 2))
        seen[at : at + 2] = [seen[at] * seen[at + 1]]
    builder, node = viewed(own, tuple(seen))
    behind = builder.axes_behind(node)
    mine, theirs = coordinates(own), coordinates(tuple(seen))
    if behind is None:
        assert any(_is_split(mine, theirs[:, axis]) for axis in range(len(seen)))
        return
    for axis, group in enumerate(behind):
        columns = [tuple(row) for row in mine[:, group]]
        pairs = set(zip(columns, theirs[:, axis].tolist(), strict=True))
        assert len(pairs) == len(set(columns)) == seen[axis], "one to one"


def _is_split(mine: np.ndarray, coordinate: np.ndarray) -> bool:
    """Whether no set of whole axes of the value determines a coordinate one to one."""
    rank = mine.shape[1]
    for chosen in range(1 << rank):
        group = [axis for axis in range(rank) if chosen >> axis & 1]
        columns = [tuple(row) for row in mine[:, group]]
        pairs = set(zip(columns, coordinate.tolist(), strict=True))
        if len(pairs) == len(set(columns)) == len(set(coordinate.tolist())):
            return False
    return True


def test_one_axis_behind() -> None:
    builder, node = viewed((4, 1, 7), (4, 7))
    assert [builder.axis_behind(node, axis) for axis in range(2)] == [0, 2]
    builder, node = viewed((4, 3, 7), (4, 21))
    assert [builder.axis_behind(node, axis) for axis in range(2)] == [0, None]


def test_a_view_is_read_by_a_reshape() -> None:
    builder, node = viewed((4, 1, 7), (4, 7))
    assert builder.read(node) == Value(1, (4, 7))
    assert builder.read(node) == Value(1, (4, 7))


def test_a_constant_is_in_line_with_the_result() -> None:
    builder, node = viewed((4, 7), (4, 7))
    graph = node.graph
    for shape, expected in {(7,): (7,), (4, 1): (4, 1), (1, 4, 7): (4, 7), (): (1,)}.items():
        weight = graph.placeholder("weight")
        weight.meta["val"] = torch.empty(shape, device="meta")
        builder.constants = Constants(graph, {weight: f"weight of {shape}"})
        builder._graph._tensor_shapes = builder.constants.shapes
        assert builder.operand(weight).shape == expected
    weight.meta["val"] = torch.empty(2, 4, 7, device="meta")
    with pytest.raises(UnsupportedOpError, match="batch axis must stay"):
        builder.operand(weight)


def test_a_single_sample_that_was_squeezed_away() -> None:
    graph = fx.Graph()
    node = graph.placeholder("x")
    node.meta["val"] = torch.empty(1, 8, device="meta")
    squeezed = graph.call_function(torch.ops.aten.squeeze.default, (node,))
    squeezed.meta["val"] = torch.empty(8, device="meta")
    builder = FxBuilder((8,), 1, Constants(graph, {}))
    builder.values[node] = Value(0, (8,))
    builder.node = squeezed
    builder.values[squeezed] = builder.view(node)
    with pytest.raises(UnsupportedOpError, match=r"batch axis must stay .*export the network with two"):
        builder.finish(squeezed)
