"""What costs nothing: views (see fx_builder), copies, and conversions to the type that is there; and permutations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import torch
from torch import fx

from .....dcformat import Shape, Value
from ..fx_builder import FxBuilder, meta
from ..rows import CONVERSIONS
from .comparisons import differs_from_zero
from .table import Args, Call, lowers

aten = torch.ops.aten
INTEGERS = (torch.int64, torch.int32)
"""Element types of row numbers: as fp32 they are the same numbers."""


@lowers(
    aten.flatten.using_ints,
    aten.view.default,
    aten._unsafe_view.default,
    aten.reshape.default,
    aten.view_as.default,
    aten.reshape_as.default,
    aten.unflatten.int,
    aten.squeeze.default,
    any_place=True,
)
def _view(g: FxBuilder, a: Args) -> Value:
    return g.view(a["self"])


@lowers(aten.unsqueeze.default, any_place=True)
def _unsqueeze(g: FxBuilder, a: Args) -> Value:
    place, dim = g.place_of(a["self"]), a["dim"] % (meta(a["self"]).dim() + 1)
    g.set_place(place._replace(axis=place.axis + (dim <= place.axis)))
    return g.value(a["self"])


@lowers(aten.squeeze.dim, aten.squeeze.dims, any_place=True)
def _squeeze(g: FxBuilder, a: Args) -> Value:
    place, sizes = g.place_of(a["self"]), g.sizes(a["self"])
    dims = {dim % len(sizes) for dim in ([a["dim"]] if isinstance(a["dim"], int) else a["dim"])}
    dropped = [dim for dim in dims if sizes[dim] == 1]
    if place.axis in dropped:
        return g.view(a["self"])
    g.set_place(place._replace(axis=place.axis - sum(dim < place.axis for dim in dropped)))
    return g.value(a["self"])


@lowers(
    aten.clone.default,
    aten.detach.default,
    aten.detach_.default,
    aten.alias.default,
    aten.contiguous.default,
    aten.lift_fresh_copy.default,
    any_place=True,
)
def _same(g: FxBuilder, a: Args) -> Value:
    return g.value(a["self"])


@lowers(aten.permute.default, any_place=True)
def _permute(g: FxBuilder, a: Args) -> Value:
    return _reorder(g, a["self"], a["dims"])


@lowers(aten.transpose.int, any_place=True)
def _transpose(g: FxBuilder, a: Args) -> Value:
    order = list(range(meta(a["self"]).dim()))
    order[a["dim0"]], order[a["dim1"]] = order[a["dim1"]], order[a["dim0"]]
    return _reorder(g, a["self"], order)


def _reorder(g: FxBuilder, node: fx.Node, order: Sequence[int]) -> Value:
    """Axes in another order: a view where those of one element, or the batch's, change places and no others."""
    place, order = g.place_of(node), [dim % len(order) for dim in order]
    axes: list[int] = []
    for dim in order:
        axes += place.folded_axes if dim == place.axis else [place.own_axis(dim)]
    g.set_place(place._replace(axis=order.index(place.axis)))
    shape = g.shape_of(node)
    long = [axis for axis in axes if shape[axis] > 1]
    if long == sorted(long):
        return g.value(node)
    return g.append("permute", [g.read(node)], attrs={"axes": tuple(axes)})


@lowers(aten.pixel_shuffle.default)
def _pixel_shuffle(g: FxBuilder, a: Args) -> Value:
    """Each r * r channels become a square of pixels."""
    r, (*_, height, width) = a["upscale_factor"], g.shape_of(a["self"])
    return _shuffle(g, a["self"], (-1, r, r, height, width), (0, 3, 1, 4, 2))


@lowers(aten.pixel_unshuffle.default)
def _pixel_unshuffle(g: FxBuilder, a: Args) -> Value:
    """Each square of r * r pixels becomes channels."""
    r, (*_, height, width) = a["downscale_factor"], g.shape_of(a["self"])
    return _shuffle(g, a["self"], (-1, height // r, r, width // r, r), (0, 2, 4, 1, 3))


@lowers(aten.channel_shuffle.default, aten.native_channel_shuffle.default)
def _channel_shuffle(g: FxBuilder, a: Args) -> Value:
    """Groups of channels are interleaved."""
    channels, *rest = g.shape_of(a["self"])
    return _shuffle(g, a["self"], (a["groups"], channels // a["groups"], prod(rest)), (1, 0, 2))


def _shuffle(g: FxBuilder, node: fx.Node, split: Shape, axes: Shape) -> Value:
    """A permutation of axes that a view makes, -1 for the one size that follows from the number of elements."""
    value = g.value(node)
    left = prod(value.shape) // abs(prod(split))
    split = tuple(left if n < 0 else n for n in split)
    return g.append("permute", [g.reshape(value, split)], attrs={"axes": axes})


@lowers(*CONVERSIONS, any_place=True)
def _to(g: FxBuilder, a: Args) -> Value:
    assert g.node is not None
    before, after = meta(a["self"]).dtype, meta(g.node).dtype
    if after == torch.bool and before != torch.bool:
        return differs_from_zero(g, g.value(a["self"]))
    looked_up = all(user.target is aten.embedding.default for user in g.node.users)  # it rounds down
    exact = before in (*INTEGERS, torch.bool) and after in (*INTEGERS, torch.float32)
    same = before == after or exact or (after in INTEGERS and before.is_floating_point and looked_up)
    rounds = before.is_floating_point and after.is_floating_point
    hint = "; dcz computes in float32 throughout: convert the network as it is in float32" if rounds else ""
    g.require(same, f"a change of element type is not supported, found {before} to {after}{hint}")
    return g.value(a["self"])


CALLS: Mapping[str, Call] = {
    "constant": lambda x, p, a: p["value"].reshape(1, *p["value"].shape or (1,)),
    "flatten": lambda x, p, a: x[0].flatten(1),
    "reshape": lambda x, p, a: x[0].reshape(len(x[0]), *a["shape"]),
    "permute": lambda x, p, a: x[0].permute(0, *(axis + 1 for axis in a["axes"])),
}
