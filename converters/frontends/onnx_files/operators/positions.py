"""Positions of elements: the greatest of an axis, elements in order, elements by their numbers; running sums."""

from __future__ import annotations

import torch
from torch import Tensor

from ..step import OnnxNode
from .table import axis_of, translates


@translates("ArgMax", "ArgMin")
def _argmax(n: OnnxNode) -> Tensor:
    n.require(not n.attribute("select_last_index", 0), "the last of several positions is not supported")
    find, x = torch.argmax if n.op == "ArgMax" else torch.argmin, n.tensor(0)
    return find(x, axis_of(n, x.dim()), keepdim=bool(n.attribute("keepdims", 1)))


@translates("TopK")
def _topk(n: OnnxNode) -> tuple[Tensor, ...]:
    x, count = n.tensor(0), int(n.numbers(1).item() if n.has(1) else n.attribute("k"))
    return tuple(x.topk(count, axis_of(n, x.dim(), -1), largest=bool(n.attribute("largest", 1))))


@translates("CumSum")
def _cumsum(n: OnnxNode) -> Tensor:
    x, axis = n.tensor(0), int(n.numbers(1).item())
    x = x.flip(axis) if n.attribute("reverse", 0) else x
    sums = x.cumsum(axis) - x if n.attribute("exclusive", 0) else x.cumsum(axis)
    return sums.flip(axis) if n.attribute("reverse", 0) else sums


@translates("GatherElements")
def _gather_elements(n: OnnxNode) -> Tensor:
    x, index = n.tensor(0), n.tensor(1).long()
    axis = axis_of(n, x.dim())
    return x.gather(axis, torch.where(index < 0, index + x.shape[axis], index))


@translates("Trilu")
def _trilu(n: OnnxNode) -> Tensor:
    first = int(n.numbers(1).item()) if n.has(1) else 0
    return (torch.triu if n.attribute("upper", 1) else torch.tril)(n.tensor(0), first)
