"""The operator graph of a network: pure data, in topological order, with static per-sample shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]
Attr: TypeAlias = int | float | bool | str | tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operator.

    Attributes
    ----------
    op : str
        A name in `dcz.dcformat.OPS`.
    inputs : tuple of int
        Values it reads. Value 0 is the network's input, value i + 1 is what node i makes.
    params : mapping of str to str
        Tensor names by role (``weight``, ``bias``, ``running_mean``, ...).
    attrs : mapping of str to Attr
        Attributes; `dcz.dcformat.make_node` fills in the defaults. Axes never count the batch axis.
    """

    op: str
    inputs: tuple[int, ...]
    params: Mapping[str, str] = field(default_factory=dict)
    attrs: Mapping[str, Attr] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """A network: a list of nodes, each reading only values made before it.

    Attributes
    ----------
    input_shape : tuple of int
        Shape of one sample, without the batch axis: (C, H, W) or (features,).
    nodes : tuple of Node
        In topological order.
    output : int
        The value that the network answers with.
    """

    input_shape: Shape
    nodes: tuple[Node, ...]
    output: int

    def tensor_names(self) -> list[str]:
        """Names of the tensors that the nodes use, in order of first use."""
        return list(dict.fromkeys(name for node in self.nodes for name in node.params.values()))

    def renamed(self, names: Mapping[str, str]) -> Graph:
        """The same graph, with other names for some of the tensors."""
        params = ({role: names.get(name, name) for role, name in node.params.items()} for node in self.nodes)
        nodes = (replace(node, params=own) for node, own in zip(self.nodes, params, strict=True))
        return replace(self, nodes=tuple(nodes))
