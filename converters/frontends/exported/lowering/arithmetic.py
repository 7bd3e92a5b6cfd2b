"""Sums of two activations, and arithmetic with a number that changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import fx

from .....dcformat import Value
from ..fx_builder import FxBuilder
from .table import Args, Call, lowers

aten = torch.ops.aten

NEUTRAL: dict[Any, int] = {
    aten.add.Tensor: 0,
    aten.add.Scalar: 0,
    aten.sub.Tensor: 0,
    aten.sub.Scalar: 0,
    aten.mul.Tensor: 1,
    aten.mul.Scalar: 1,
    aten.div.Tensor: 1,
    aten.div.Scalar: 1,
}
"""The number with which an operator gives back its input: Python's ``sum([a, b])`` is 0 + a + b."""


@lowers(*NEUTRAL)
def _arithmetic(g: FxBuilder, a: Args) -> Value:
    assert g.node is not None
    if not isinstance(a["other"], fx.Node):
        neutral = NEUTRAL[g.node.target]
        g.require(a["other"] == neutral, f"with a number it is supported for {neutral} only, found {a['other']}")
        return g.value(a["self"])
    g.require(g.node.target == aten.add.Tensor, "operator is not supported")
    g.require(a["alpha"] == 1, "alpha must be 1")
    return g.emit("add", [a["self"], a["other"]])


CALLS: Mapping[str, Call] = {"add": lambda x, p, a: x[0] + x[1]}
