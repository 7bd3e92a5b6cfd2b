"""Tables that are looked up by row number."""

from __future__ import annotations

from collections.abc import Mapping

import torch
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


CALLS: Mapping[str, Call] = {
    "embedding": lambda x, p, a: F.embedding(x[0].floor().long().clamp(0, len(p["weight"]) - 1), p["weight"])
}
