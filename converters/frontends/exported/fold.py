"""Computing, once and for all, what a network computes of its weights in each run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, fx
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils import _pytree

from ....dcformat import ConversionError
from ....dcformat.constants import MAX_ELEMENTS
from .constants import Constants, Folded


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
            values[node] = _run(node, values) if name is None else tensors[name]
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
            values[each] = _run(each, values) if name is None else tensors[name]
    value: Tensor = values[node]
    return None if value.is_meta else value


def _run(node: fx.Node, values: Mapping[fx.Node, Any]) -> Any:
    args, kwargs = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
    try:
        _check_size(node.target, args, kwargs)
        return node.target(*args, **kwargs)  # type: ignore[operator]
    except Exception as error:  # whatever torch raises where a checkpoint's tensors do not fit the network's steps
        raise ConversionError(
            f"a weight that the network computes cannot be computed: {error}", where=f"node {node.name!r}"
        ) from error


def _check_size(target: Any, args: Any, kwargs: Any) -> None:
    """Ask torch what an operator would make, before it takes the memory."""
    with FakeTensorMode() as mode:
        args, kwargs = _pytree.tree_map_only(Tensor, mode.from_tensor, (args, kwargs))
        try:
            made = target(*args, **kwargs)
        except DataDependentOutputException:
            return  # one number
    elements = sum(part.numel() for part in _pytree.tree_leaves(made) if isinstance(part, Tensor))
    if elements > MAX_ELEMENTS:
        raise ValueError(f"{elements} elements, where a container holds up to {MAX_ELEMENTS}")
