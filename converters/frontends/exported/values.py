"""Running nodes of a captured graph, at conversion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils import _pytree

from ....dcformat import ConversionError
from ....dcformat.constants import MAX_ELEMENTS
from .place import size_of

KNOWN = "dcz_known"
"""Key of a placeholder's numbers in its `meta`, where the program itself holds them: they are no weight."""
MOST_COMPARED = 1 << 22
"""Elements of the largest tensor that is computed only to compare its rows."""


def run(node: fx.Node, values: Mapping[fx.Node, Any]) -> Any:
    """The value of a node, from those of the nodes that it reads.

    Raises
    ------
    ConversionError
        torch cannot compute it, or it is too large.
    """
    args, kwargs = fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
    try:
        _check_size(node.target, args, kwargs)
        return node.target(*args, **kwargs)  # type: ignore[operator]
    except Exception as error:  # whatever torch raises where a checkpoint's tensors do not fit the network's steps
        raise ConversionError(
            f"a weight that the network computes cannot be computed: {error}", where=f"node {node.name!r}"
        ) from error


def of_numbers(node: fx.Node) -> Tensor | None:
    """The value of a node that follows from sizes and numbers alone; None behind a weight, or if it is large."""
    behind = _ancestors(node)
    if any(_is_weight(each) or _elements(each) > MOST_COMPARED for each in behind):
        return None
    values: dict[fx.Node, Any] = {}
    with torch.no_grad():
        for each in behind:
            values[each] = each.meta[KNOWN] if each.op == "placeholder" else run(each, values)
    found = values[node]
    return found if isinstance(found, Tensor) else None


def _is_weight(node: fx.Node) -> bool:
    return node.op == "placeholder" and KNOWN not in node.meta


def _ancestors(node: fx.Node) -> list[fx.Node]:
    """A node behind all that it is computed from."""
    found: dict[fx.Node, None] = {}
    waiting = [node]
    while waiting:
        each = waiting.pop()
        missing = [before for before in each.all_input_nodes if before not in found]
        if missing:
            waiting += [each, *missing]
        else:
            found[each] = None
    return list(found)


def _elements(node: fx.Node) -> int:
    made = node.meta.get("val")
    return torch.Size(map(size_of, made.shape)).numel() if isinstance(made, Tensor) else 0


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
