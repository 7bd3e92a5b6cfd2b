"""Integers that are joined and taken apart again, as ONNX joins the indices of several axes: the parts themselves."""

from __future__ import annotations

from typing import cast

import torch
from torch import fx

aten = torch.ops.aten


def free_parts(graph: fx.Graph) -> None:
    """Read the part in place of a join of which it is selected, so that constant ones are known to be constant."""
    for node in list(graph.nodes):
        source = node.args[0] if node.target == aten.select.int else None
        if not isinstance(source, fx.Node) or source.target != aten.cat.default:
            continue
        made = source.meta["val"]
        dim, index = (cast(int, argument) for argument in node.args[1:])
        joined = source.args[1] if len(source.args) > 1 else 0
        if made.dtype == torch.int64 and dim % made.dim() == cast(int, joined) % made.dim():
            _read_part(node, cast("list[fx.Node]", source.args[0]), dim, index % made.shape[dim])


def _read_part(node: fx.Node, parts: list[fx.Node], dim: int, index: int) -> None:
    for part in parts:
        size = part.meta["val"].shape[dim]
        if index < size:
            node.args = (part, dim, index)
            return
        index -= size
