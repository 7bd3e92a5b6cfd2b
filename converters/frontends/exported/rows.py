"""Whether a constant is the same all along an axis: then one row of it serves each sample of a batch.

Positions are often computed for a batch, of zeros of its size, and class tokens are repeated for it. Of weights, which
may be unknown, rows are equal because of how they are made. What follows from numbers alone is computed and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import fx

from ....dcformat import Shape
from .place import Place, after_view, size_of
from .values import of_numbers

aten = torch.ops.aten

CONVERSIONS = (
    *(getattr(aten.to, overload) for overload in aten.to.overloads()),  # type: ignore[no-untyped-call]
    aten._to_copy.default,
    aten.type_as.default,
)
"""What makes a tensor one of a certain element type."""
EXPANSIONS = (aten.expand.default, aten.expand_as.default, aten.broadcast_to.default, aten.repeat.default)
SAME = (
    aten.clone.default,
    aten.detach.default,
    aten.alias.default,
    aten.contiguous.default,
    aten.lift_fresh_copy.default,
    aten.dropout.default,
)
"""What makes the same tensor again. Dropout of a constant is switched off."""
BY_ELEMENT = (
    aten.where.Scalar,
    aten.where.ScalarSelf,
    aten.where.ScalarOther,
    aten.__and__.Tensor,
    aten.__or__.Tensor,
)
"""What goes element by element, and torch does not say so."""
ALIGNED = (*EXPANSIONS, *SAME, *CONVERSIONS, *BY_ELEMENT)
"""What leaves each axis where it is, from the last on, beside operators that are known to go element by element."""
VIEWS = (
    aten.view.default,
    aten.reshape.default,
    aten.flatten.using_ints,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.unsqueeze.default,
    aten.unflatten.int,
)
"""What gives the same elements in row-major order."""
FILLED = (
    aten.zeros.default,
    aten.ones.default,
    aten.full.default,
    aten.zeros_like.default,
    aten.ones_like.default,
    aten.full_like.default,
    aten.new_zeros.default,
    aten.new_ones.default,
    aten.new_full.default,
)
"""What makes a tensor of one number."""
SWAPS = (aten.t.default, aten.permute.default, aten.transpose.int, aten.numpy_T.default)
"""What puts axes in another order."""


def repeats(node: fx.Node, place: Place, batch: int) -> bool:
    """Whether a constant is known to be the same for all samples.

    Parameters
    ----------
    node : fx.Node
    place : Place
        Where the batch lies in it.
    batch : int
        Length of the batch.
    """
    if batch == 1:
        return True
    value = of_numbers(node) if place.fits(sizes_of(node), batch) else None
    return _made_alike(node, place, batch) if value is None else _are_equal(value, place, batch)


def _are_equal(value: torch.Tensor, place: Place, batch: int) -> bool:
    """Whether a tensor holds the same for all samples."""
    before, behind = value.shape[: place.axis], value.shape[place.axis + 1 :]
    samples = value.reshape(*before, place.outer, batch, place.inner, *behind).movedim(place.axis + 1, 0)
    return bool((samples == samples[:1]).all())


def _made_alike(node: fx.Node, place: Place, batch: int) -> bool:
    """Whether a constant is the same for all samples because of how it is made."""
    if node.target in FILLED:
        return True
    if node.target == aten.index.Tensor:
        return _takes_alike(node, place, batch)
    if node.target == aten.repeat.default and _repeats_whole(node, place, batch):
        return True
    if node.target in VIEWS:
        source = node.all_input_nodes[0]
        before = after_view(sizes_of(node), place, sizes_of(source), batch)
        return before is not None and repeats(source, before, batch)
    if node.target in TRACED:
        own = TRACED[node.target](node, place.axis)
        return own is not None and all(repeats(part, place._replace(axis=own), batch) for part in _parts(node))
    if node.target not in ALIGNED and torch.Tag.pointwise not in getattr(node.target, "tags", ()):
        return False
    return all(_repeats_aligned(source, node, place, batch) for source in node.all_input_nodes if _has_axes(source))


def _repeats_whole(node: fx.Node, place: Place, batch: int) -> bool:
    """Whether the whole of an axis is repeated for each sample."""
    source, repeats = cast(fx.Node, node.args[0]), cast(Sequence[int], node.args[1])
    sizes = sizes_of(source)
    own = place.axis - (len(repeats) - len(sizes))
    return own >= 0 and place.outer == 1 and repeats[place.axis] == batch and sizes[own] == place.inner


def _takes_alike(node: fx.Node, place: Place, batch: int) -> bool:
    """Whether an index takes the same for all samples: by the same numbers, or from where all numbers give the same."""
    source = cast(fx.Node, node.args[0])
    given = {dim: index for dim, index in enumerate(cast(Sequence[fx.Node | None], node.args[1])) if index is not None}
    first, last = min(given), max(given)
    rank = max(index.meta["val"].dim() for index in given.values())
    own = place.axis - first
    if len(given) != last - first + 1 or (place.outer, place.inner) != (1, 1):
        return False
    if own not in range(rank):
        return repeats(source, place if own < 0 else place._replace(axis=place.axis - rank + len(given)), batch)

    def alike(dim: int, index: fx.Node) -> bool:
        sizes = sizes_of(index)
        axis = own - rank + len(sizes)
        one_for_all = axis < 0 or sizes[axis] == 1
        return one_for_all or repeats(index, Place(axis), batch) or _is_even(source, dim)

    return all(alike(dim, index) for dim, index in given.items())


def _is_even(node: fx.Node, dim: int) -> bool:
    """Whether all that lies along an axis of a constant is the same."""
    return repeats(node, Place(dim), sizes_of(node)[dim])


def sizes_of(node: fx.Node) -> Shape:
    """Sizes of what a node makes."""
    return tuple(map(size_of, node.meta["val"].shape))


def _has_axes(node: fx.Node) -> bool:
    return isinstance(node.meta["val"], torch.Tensor)


def _repeats_aligned(source: fx.Node, node: fx.Node, place: Place, batch: int) -> bool:
    """Whether what is broadcast to a constant is the same for all samples."""
    sizes, made = source.meta["val"].shape, node.meta["val"].shape
    own = place.axis - (len(made) - len(sizes))
    if own < 0 or sizes[own] == 1:
        return True
    return sizes[own] == made[place.axis] and repeats(source, place._replace(axis=own), batch)


def _parts(node: fx.Node) -> list[fx.Node]:
    """The tensors that hold the axis: all that are joined or multiplied, or the first argument."""
    first = node.args[0]
    if node.target in (*PRODUCTS, aten.gather.default):
        return node.all_input_nodes
    if node.target == aten.embedding.default:
        return [cast(fx.Node, node.args[1])]
    return [first] if isinstance(first, fx.Node) else list(cast(Sequence[fx.Node], first))


def _beside(node: fx.Node, axis: int) -> int | None:
    """The same axis, where the operator works along another."""
    return None if _dim(node) == axis else axis


def _beside_gathered(node: fx.Node, axis: int) -> int | None:
    """The same axis, where another one is gathered along, and no element of it is left out."""
    whole = sizes_of(cast(fx.Node, node.args[0]))[axis] == sizes_of(node)[axis]
    return _beside(node, axis) if whole else None


def _beside_new(node: fx.Node, axis: int) -> int | None:
    """The axis before a new one came."""
    dim = _dim(node)
    return None if dim == axis else axis - (dim < axis)


def _beside_dropped(node: fx.Node, axis: int) -> int:
    """The axis before another one was dropped."""
    rank: int = cast(fx.Node, node.args[0]).meta["val"].dim()
    return axis + (cast(int, node.args[1]) % rank <= axis)


def _dim(node: fx.Node) -> int:
    dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
    return cast(int, dim) % cast(int, node.meta["val"].dim())


def _convolved(node: fx.Node, axis: int) -> int | None:
    """The first axis: a convolution does the same to each image."""
    images, weight = (each.meta["val"].dim() for each in node.all_input_nodes[:2])
    return 0 if axis == 0 and images == weight else None


def _outside_of(trailing: int) -> Callable[[fx.Node, int], int | None]:
    """The same axis, where the operator works along the last ones, and all tensors have as many axes."""

    def own(node: fx.Node, axis: int) -> int | None:
        ranks = {each.meta["val"].dim() for each in (node, *_parts(node))}
        return axis if len(ranks) == 1 and axis < max(ranks) - trailing else None

    return own


def _outside_of_norm(node: fx.Node, axis: int) -> int | None:
    trailing = len(cast(Sequence[int], node.args[1]))
    return axis if axis < node.meta["val"].dim() - trailing else None


def _of_indices(node: fx.Node, axis: int) -> int | None:
    """The axis of the row numbers, where it is one of theirs."""
    return axis if axis < cast(fx.Node, node.args[1]).meta["val"].dim() else None


def order_of(node: fx.Node) -> list[int]:
    """For each axis that a node out of `SWAPS` makes, the axis before."""
    order = list(range(node.meta["val"].dim()))
    if node.target == aten.permute.default:
        return [order[dim] for dim in cast(list[int], node.args[1])]
    if node.target == aten.transpose.int:
        first, second = (cast(int, dim) for dim in node.args[1:])
        order[first], order[second] = order[second], order[first]
        return order
    return order[::-1]


PRODUCTS = (aten.bmm.default, aten.matmul.default, aten.scaled_dot_product_attention.default)
"""What multiplies the last two axes of its tensors."""
TRACED: Mapping[Any, Callable[[fx.Node, int], int | None]] = {
    **dict.fromkeys(PRODUCTS, _outside_of(2)),
    **dict.fromkeys(SWAPS, lambda node, axis: order_of(node)[axis]),
    **dict.fromkeys((aten.cat.default, aten.cumsum.default, aten.slice.Tensor), _beside),
    **dict.fromkeys((aten.softmax.int, aten._softmax.default), _beside),
    aten.linear.default: _outside_of(1),
    aten.layer_norm.default: _outside_of_norm,
    aten.embedding.default: _of_indices,
    aten.gather.default: _beside_gathered,
    aten.select.int: _beside_dropped,
    aten.stack.default: _beside_new,
    aten.conv2d.default: _convolved,
}
"""For an operator the axis, of what it reads, that it makes an axis of: equal rows of that one give equal rows."""
