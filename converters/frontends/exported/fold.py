"""Computing, once and for all, what a network computes of its weights in each run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, fx

from .constants import Constants, Folded
from .values import run


def fold(constants: Constants, tensors: Mapping[str, Tensor]) -> Iterator[tuple[Folded, Tensor]]:
    """Compute what is folded as the network does, with torch's operators: bits and element types are the same.

    Parameters
    ----------
    constants : Constants
    tensors : mapping of str to Tensor
        By name, at least the sources of each folded tensor.

    Raises
    ------
    ConversionError
        torch cannot compute one, or it is too large.
    """
    values: dict[fx.Node, Any] = {}
    with torch.no_grad():
        for node in constants.ancestors([folded.node for folded in constants.folded.values()]):
            name = constants.names.get(node)
            values[node] = run(node, values) if name is None else tensors[name]
        for folded in constants.folded.values():
            value = values[folded.node]
            yield folded, value.t() if folded.transposed else value


def evaluate(constants: Constants, node: fx.Node, tensors: Mapping[str, Tensor]) -> Tensor | None:
    """The value of a constant node; None if it depends on a tensor that has no values yet.

    Raises
    ------
    ConversionError
        As `fold`.
    """
    values: dict[fx.Node, Any] = {}
    with torch.no_grad():
        for each in constants.ancestors([node]):
            name = constants.names.get(each)
            if name is not None and (name not in tensors or tensors[name].is_meta):
                return None
            values[each] = run(each, values) if name is None else tensors[name]
    value: Tensor = values[node]
    return None if value.is_meta else value
