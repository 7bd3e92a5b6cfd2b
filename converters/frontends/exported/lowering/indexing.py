"""Elements by their numbers, which are constant or computed.

A computed number is compared with the numbers of all elements. The sum of the elements, of which all but one are masked
out, is the one: that costs as much as reading all of them, and is exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import torch
from torch import Tensor, fx

from .....dcformat import Value
from ..fx_builder import FIRST_ONLY, FxBuilder, meta
from ..place import FIRST, Place
from .arithmetic import affine
from .table import Args, Call, lowers
from .takes import taken

aten = torch.ops.aten
MOST_COMPARED = 1 << 24
"""Elements of a sample that are masked to find those of computed numbers."""
OTHERS = "takes other elements of each sample"
OF_FIRST_AXIS = "takes computed indices of a constant, of another axis than its first"


@lowers(aten.index_select.default, any_place=True)
def _index_select(g: FxBuilder, a: Args) -> Value:
    if a["self"] in g.constants:
        g.require(a["dim"] == 0, OF_FIRST_AXIS)
        return _looked_up(g, a["self"], a["index"])
    return taken(g, g.read(a["self"]), g.axis(a["self"], a["dim"]), g.indices(a["index"]).reshape(-1).tolist())


@lowers(aten.index.Tensor, any_place=True)
def _index(g: FxBuilder, a: Args) -> Value:
    """Elements by numbers for one axis, or for some that follow each other."""
    given: dict[int, fx.Node] = {dim: index for dim, index in enumerate(a["indices"]) if index is not None}
    dims = list(given)
    if a["self"] in g.constants:
        g.require(dims == [0], OF_FIRST_AXIS)
        return _looked_up(g, a["self"], given[0], negative=True)
    g.require(dims == list(range(dims[0], dims[-1] + 1)), "takes indices for axes that do not follow each other")
    place = g.place_of(a["self"])
    if place.axis in given:
        return _of_each_sample(g, a["self"], given)
    numbers = {dim: g.indices(index) for dim, index in given.items()}
    rank = max(index.dim() for index in numbers.values())
    g.set_place(place._replace(axis=place.axis + (rank - len(dims) if place.axis > dims[0] else 0)))
    return _by_constants(g, a["self"], numbers)


def _by_constants(g: FxBuilder, node: fx.Node, given: Mapping[int, Tensor]) -> Value:
    """Elements by constant numbers for axes that follow each other: then these are one axis."""
    axes, shape = [g.axis(node, dim) for dim in given], g.shape_of(node)
    sizes = shape[axes[0] : axes[-1] + 1]
    g.require(len(sizes) == len(axes), g.batch_rule)
    tensors = torch.broadcast_tensors(*given.values())  # type: ignore[no-untyped-call]
    flat = torch.zeros_like(tensors[0])
    for size, index in zip(sizes, tensors, strict=True):
        g.require(bool(((index >= -size) & (index < size)).all()), f"takes an index that does not fit {size} elements")
        flat = flat * size + index % size
    value = g.reshape(g.value(node), (*shape[: axes[0]], prod(sizes), *shape[axes[-1] + 1 :]))
    return taken(g, value, axes[0], flat.reshape(-1).tolist())


def _of_each_sample(g: FxBuilder, node: fx.Node, given: Mapping[int, fx.Node]) -> Value:
    """Elements of each sample, by its number and others: ``x[torch.arange(n), index]``."""
    place = g.place_of(node)
    others = {dim: index for dim, index in given.items() if dim != place.axis}
    g.require(not place.folded and given[place.axis] in g.constants, g.batch_rule)
    rank = max(len(g.sizes(index)) for index in given.values())
    axis = _axis_that_counts(g.indices(given[place.axis]), g.batch, rank)
    g.require(axis is not None, g.batch_rule)
    assert axis is not None
    g.set_place(Place(min(given) + axis))
    if not others:
        return g.value(node)
    if any(index not in g.constants for index in others.values()):
        g.require(len(others) == 1, "takes computed indices for several axes")
        ((dim, index),) = others.items()
        g.require(g.place_of(index) == FIRST == place and axis == 0 and rank == len(g.sizes(index)), FIRST_ONLY)
        return _computed(g, node, g.axis(node, dim), index, along=False)
    return _by_constants(g, node, {dim: _of_a_sample(g, index, axis, rank) for dim, index in others.items()})


def _axis_that_counts(numbers: Tensor, batch: int, rank: int) -> int | None:
    """The axis, of `rank` to which a tensor is broadcast, along which it holds the numbers of the samples."""
    for axis, size in enumerate(numbers.shape):
        count = torch.arange(batch).view(-1, *(1,) * (numbers.dim() - axis - 1))
        if size == batch and bool((numbers == count).all()):
            return axis + rank - numbers.dim()
    return None


def _of_a_sample(g: FxBuilder, index: fx.Node, axis: int, rank: int) -> Tensor:
    """A constant index, without the axis of the batch, the same for all samples."""
    own = axis - rank + len(g.sizes(index))
    if own < 0:
        return g.indices(index)
    rows = g.indices(index).movedim(own, 0)
    g.require(bool((rows == rows[:1]).all()), OTHERS)
    return rows[0]


@lowers(aten.gather.default, any_place=True)
def _gather(g: FxBuilder, a: Args) -> Value:
    """Elements along an axis, by a number for each element of the answer."""
    node, index, dim = a["self"], a["index"], a["dim"] % len(g.sizes(a["self"]))
    if node in g.constants:
        return _gathered_from_constant(g, node, dim, index)
    axis, place = g.axis(node, dim), g.place_of(node)
    g.set_place(place)
    if index in g.constants:
        return _gathered_by_constant(g, node, axis, index)
    g.require(g.place_of(index) == FIRST == place, FIRST_ONLY)
    shape, wanted = g.shape_of(node), g.shape_of(index)
    same = all(m == n for i, (m, n) in enumerate(zip(shape, wanted, strict=True)) if i != axis)
    g.require(same, "takes computed indices for a part of the other axes")
    return _computed(g, node, axis, index, along=True)


def _gathered_by_constant(g: FxBuilder, node: fx.Node, axis: int, indices: fx.Node) -> Value:
    """Elements by constant numbers, the same for all samples: of all elements in a row."""
    place, shape = g.place_of(node), g.shape_of(node)
    row = g.constants.row(indices, place, g.batch)
    g.require(row is not None, OTHERS)
    index = g.indices(row).reshape(place.sample(g.sizes(indices)))
    places = torch.zeros_like(index)
    for each, size in enumerate(shape):
        count = torch.arange(index.shape[each]).view(-1, *(1,) * (index.dim() - each - 1))
        places = places * size + (index if each == axis else count)
    return taken(g, g.reshape(g.value(node), (prod(shape),)), 0, places.flatten().tolist())


def _gathered_from_constant(g: FxBuilder, node: fx.Node, dim: int, index: fx.Node) -> Value:
    """Elements of a constant of one row, the same for all samples, by computed numbers."""
    g.require(len(g.sizes(node)) == 2 and dim == 1, "takes computed indices of a constant of several rows")
    batch, size = g.sizes(node)
    row = node if batch == 1 else g.constants.row(node, FIRST, batch)
    g.require(row is not None, "takes elements of a constant that differs from sample to sample")
    assert row is not None
    return _looked_up(g, g.constants.after(row, aten.view.default, (size, 1)), index)


def _looked_up(g: FxBuilder, table: fx.Node, index: fx.Node, negative: bool = False) -> Value:
    """Rows of a constant by computed numbers, as an embedding has them."""
    rows, *rest = g.sizes(table)
    if meta(table).dtype != torch.float32:
        table = g.constants.after(table, aten.to.dtype, torch.float32)
    if len(rest) != 1:
        table = g.constants.after(table, aten.view.default, (rows, prod(rest)))
    g.set_place(g.place_of(index))
    numbers = g.reshape(g.value(index), g.shape_of(index) or (1,))
    numbers = _counted_from_start(g, numbers, rows) if negative else numbers
    return g.append("embedding", [numbers], {"weight": g.param(table, "weight")})


def _counted_from_start(g: FxBuilder, index: Value, size: int) -> Value:
    """Numbers of elements, of which the negative ones counted from the end."""
    zero = g.new_constant(aten.full.default, ((1,), 0.0))
    return g.append("add", [index, affine(g, g.append("less", [index, zero]), size)])


def _computed(g: FxBuilder, node: fx.Node, axis: int, index: fx.Node, along: bool) -> Value:
    """Elements of an axis of a sample by computed numbers.

    Parameters
    ----------
    node : fx.Node
        The batch is its first axis.
    axis : int
        Of a sample.
    index : fx.Node
    along : bool
        Whether it has a number for each element of the answer, or the axis is replaced by those of the numbers.
    """
    value, wanted = g.read(node), g.shape_of(index)
    before, size, behind = value.shape[:axis], value.shape[axis], value.shape[axis + 1 :]
    ones = (1,) * len(behind)
    outer, inner = (wanted[: axis + 1], wanted[axis + 1 :]) if along else (wanted, ones)
    start = axis + 1 if along else len(before) + len(wanted)
    masked = prod((*(() if along else before), *wanted, size)) * (1 if along else prod(behind))
    g.require(masked <= MOST_COMPARED, f"takes elements by computed numbers: {masked:,} would be compared")
    numbers = g.new_constant(aten.arange.default, (float(size),), (size, *ones))
    found = _counted_from_start(g, g.reshape(g.value(index), (*outer, 1, *inner)), size)
    spread = g.reshape(value, (*before, *(1,) * (start - len(before)), size, *behind))
    chosen = g.append("mask", [spread, g.append("equal", [found, numbers])])
    return g.append("reduce_sum", [chosen], attrs={"axes": (start,)})


CALLS: Mapping[str, Call] = {}
"""Elements by numbers are taken by other operators of ours."""
