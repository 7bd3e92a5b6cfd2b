"""Whether a constant is the same all along an axis: then one row of it serves each sample of a batch.

Positions are often computed for a batch, of zeros of its size, and class tokens are repeated for it. What a row holds
is not compared, as weights may be unknown: rows are equal because of how they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, cast

import torch
from torch import fx

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
)
"""What makes the same tensor again."""
ALIGNED = (*EXPANSIONS, *SAME, *CONVERSIONS)
"""What leaves each axis where it is, from the last on, beside the operators that go element by element."""
VIEWS = (
    aten.view.default,
    aten.reshape.default,
    aten.flatten.using_ints,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.unsqueeze.default,
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


def repeats(node: fx.Node, axis: int) -> bool:
    """Whether a constant is known to be the same all along an axis."""
    if node.target in FILLED:
        return True
    if node.target in TRACED:
        own = TRACED[node.target](node, axis)
        return own is not None and all(repeats(source, own) for source in _parts(node))
    if node.target not in ALIGNED and torch.Tag.pointwise not in getattr(node.target, "tags", ()):
        return False
    return all(_repeats_aligned(source, node, axis) for source in node.all_input_nodes if _has_axes(source))


def _has_axes(node: fx.Node) -> bool:
    return isinstance(node.meta["val"], torch.Tensor)


def _repeats_aligned(source: fx.Node, node: fx.Node, axis: int) -> bool:
    """Whether what is broadcast to a constant is the same all along the axis that meets `axis`."""
    sizes, made = source.meta["val"].shape, node.meta["val"].shape
    own = axis - (len(made) - len(sizes))
    return own < 0 or sizes[own] == 1 or (sizes[own] == made[axis] and repeats(source, own))


def _parts(node: fx.Node) -> list[fx.Node]:
    """The tensors that hold the axis: all that are joined, or the first argument."""
    first = node.args[0]
    return [first] if isinstance(first, fx.Node) else list(cast(Sequence[fx.Node], first))


def _viewed(node: fx.Node, axis: int) -> int | None:
    """The axis that a view shows as `axis`, whole and alone; None if there is none."""
    before, after = node.all_input_nodes[0].meta["val"].shape, node.meta["val"].shape
    alike = (i for i, size in enumerate(before) if size == after[axis] and prod(before[:i]) == prod(after[:axis]))
    return next(alike, None)


def _beside(node: fx.Node, axis: int) -> int | None:
    """The same axis, where the operator works along another."""
    return None if _dim(node) == axis else axis


def _beside_new(node: fx.Node, axis: int) -> int | None:
    """The axis before a new one came."""
    dim = _dim(node)
    return None if dim == axis else axis - (dim < axis)


def _dim(node: fx.Node) -> int:
    dim = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
    return cast(int, dim) % cast(int, node.meta["val"].dim())


def _convolved(node: fx.Node, axis: int) -> int | None:
    """The first axis: a convolution does the same to each image."""
    images, weight = (each.meta["val"].dim() for each in node.all_input_nodes[:2])
    return 0 if axis == 0 and images == weight else None


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


TRACED: Mapping[Any, Callable[[fx.Node, int], int | None]] = {
    **dict.fromkeys(VIEWS, _viewed),
    **dict.fromkeys(SWAPS, lambda node, axis: order_of(node)[axis]),
    **dict.fromkeys((aten.cat.default, aten.cumsum.default, aten.slice.Tensor), _beside),
    aten.stack.default: _beside_new,
    aten.conv2d.default: _convolved,
}
"""For an operator the axis, of what it reads, that it makes an axis of: equal rows of that one give equal rows."""
