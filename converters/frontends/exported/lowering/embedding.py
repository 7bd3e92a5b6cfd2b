"""Tables that are looked up by row number."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import fx
from torch.nn import functional as F

from .....dcformat import Value
from ..fx_builder import FxBuilder
from ..place import FIRST
from .table import Args, Call, lowers

aten = torch.ops.aten

ONE_NUMBER = "looks up one number of each sample; give each such column of the input an input of its own, of shape [1]"


@lowers(aten.embedding.default)
def _embedding(g: FxBuilder, a: Args) -> Value:
    g.set_place(FIRST)
    g.require(len(g.shape_of(a["indices"])) > 0, ONE_NUMBER)
    return g.emit("embedding", [a["indices"]], {"weight": g.param(a["weight"], "weight")})


BAGS = ("reduce_sum", "reduce_mean", "reduce_max")
"""By the mode of an embedding bag."""


@lowers(
    aten.embedding_bag.padding_idx,
    aten._embedding_bag.default,
    aten._embedding_bag_forward_only.default,
    any_place=True,
)
def _embedding_bag(g: FxBuilder, a: Args) -> list[Value]:
    """Rows of a table, reduced to one: each sample is a bag."""
    g.require(a["per_sample_weights"] is None, "weighs the rows of a bag; use an embedding, and multiply")
    g.require(a["padding_idx"] in (None, -1), "leaves out a padding index; use an embedding and a mask")
    bag = g.shape_of(a["indices"])
    g.require(
        len(bag) == 1 and _are_even(a["offsets"], bag[0]), "takes bags of several lengths; give it ids of shape [N, L]"
    )
    g.set_place(FIRST)
    rows = g.emit("embedding", [a["indices"]], {"weight": g.param(a["weight"], "weight")})
    return [g.append(BAGS[a["mode"]], [rows], attrs={"axes": (0,)})]


def _are_even(offsets: fx.Node, length: int) -> bool:
    """Whether offsets are the multiples of a length, as torch makes them for bags of one length."""
    return offsets.target == aten.arange.start_step and (offsets.args[0], offsets.args[2]) == (0, length)


CALLS: Mapping[str, Call] = {
    "embedding": lambda x, p, a: F.embedding(x[0].floor().long().clamp(0, len(p["weight"]) - 1), p["weight"])
}
