"""What costs nothing: views (see fx_builder), copies, and conversions to the type that is there."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from .....dcformat import Value
from ..constants import CONVERSIONS
from ..fx_builder import FxBuilder, meta
from .table import Args, Call, lowers

aten = torch.ops.aten


@lowers(
    aten.flatten.using_ints,
    aten.view.default,
    aten._unsafe_view.default,
    aten.reshape.default,
    aten.view_as.default,
    aten.reshape_as.default,
    aten.unflatten.int,
    aten.squeeze.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.unsqueeze.default,
    aten.clone.default,
    aten.detach.default,
    aten.detach_.default,
    aten.alias.default,
    aten.contiguous.default,
    aten.lift_fresh_copy.default,
)
def _same(g: FxBuilder, a: Args) -> Value:
    return g.value(a["self"])


@lowers(aten.permute.default, aten.transpose.int)
def _transpose(g: FxBuilder, a: Args) -> Value:
    """A view where only axes of one element change places."""
    shape = meta(a["self"]).shape
    order = list(range(len(shape)))
    if "dims" in a:
        order = [d % len(shape) for d in a["dims"]]
    else:
        order[a["dim0"]], order[a["dim1"]] = order[a["dim1"]], order[a["dim0"]]
    long = [d for d in order if d == 0 or shape[d] > 1]
    g.require(order[0] == 0 and long == sorted(long), "axes can change places only if all but one have one element")
    return g.value(a["self"])


@lowers(*CONVERSIONS)
def _to(g: FxBuilder, a: Args) -> Value:
    assert g.node is not None
    before, after = meta(a["self"]).dtype, meta(g.node).dtype
    g.require(before == after, f"a change of element type is not supported, found {before} to {after}")
    return g.value(a["self"])


CALLS: Mapping[str, Call] = {
    "constant": lambda x, p, a: p["value"].reshape(1, *p["value"].shape or (1,)),
    "flatten": lambda x, p, a: x[0].flatten(1),
    "reshape": lambda x, p, a: x[0].reshape(len(x[0]), *a["shape"]),
}
