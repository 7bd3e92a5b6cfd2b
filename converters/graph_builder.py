"""Our graph, as it grows while a captured graph is lowered.

A view costs nothing: it keeps the value and changes only the shape that it is read with. `GraphBuilder.read` compares
that shape with the value's own when an operator wants it, and makes a ``flatten`` where there is need of one; so
squeeze, mean without keepdim and view need no cases of their own, and a reshape that nothing reads is never an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NoReturn

import torch
from torch import fx

from ..dcformat import OPS, Attr, FormatError, Graph, Node, Shape, UnsupportedOpError, make_node


@dataclass(frozen=True)
class Value:
    """A value of our graph, under construction."""

    index: int


@dataclass(frozen=True)
class Param:
    """A tensor of the state dict; `transposed` if its two axes were swapped on the way."""

    name: str
    transposed: bool = False


class GraphBuilder:
    """Builds our graph while the nodes of a captured one are lowered one by one.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample.
    batch : int or torch.SymInt
        Length of the batch axis, the first of every activation.
    tensor_shapes : mapping of str to tuple of int
        Shapes of the tensors that the graph may use.
    """

    def __init__(self, input_shape: Shape, batch: int | torch.SymInt, tensor_shapes: Mapping[str, Shape]) -> None:
        self.input_shape = input_shape
        self.batch = str(batch)
        self.tensor_shapes = tensor_shapes
        self.nodes: list[Node] = []
        self.shapes: list[Shape] = [input_shape]
        self.values: dict[fx.Node, Any] = {}
        self.node: fx.Node | None = None
        self._flattened: dict[int, Value] = {}

    @property
    def input(self) -> Value:
        """The network's input."""
        return Value(0)

    def finish(self, output: fx.Node) -> Graph:
        """The graph whose answer is `output`."""
        self.node = output
        value = self.read(output)
        return Graph(self.input_shape, tuple(self.nodes), value.index)

    def fail(self, why: str) -> NoReturn:
        """Refuse the node that is being lowered."""
        node = self.node
        assert node is not None
        value = meta(node)
        value = value[0] if isinstance(value, (tuple, list)) and value else value
        shape = tuple(value.shape)[1:] if isinstance(value, torch.Tensor) else None
        op, hint = str(node.target).removesuffix(".default"), "docs/format.md, section 6, lists what dcz has"
        raise UnsupportedOpError(op, node=node.name, shape=shape, why=why, hint=hint)

    def require(self, condition: bool, why: str) -> None:
        """Refuse the node that is being lowered unless `condition` holds."""
        if not condition:
            self.fail(why)

    def check_batch(self, node: fx.Node) -> None:
        """Refuse a node that mixes the samples of a batch."""
        shape = meta(node).shape
        self.require(len(shape) >= 1 and str(shape[0]) == self.batch, "the batch axis must stay first and whole")

    def shape_of(self, node: fx.Node) -> Shape:
        """Shape of one sample as the captured graph sees it."""
        return tuple(meta(node).shape[1:])

    def value(self, node: Any) -> Value:
        """The value that a node made, in whatever shape it has: enough for operators that go element by element."""
        value = self.values.get(node) if isinstance(node, fx.Node) else None
        if not isinstance(value, Value):
            self.fail("takes a constant or a weight where dcz needs an activation")
        return value

    def read(self, node: Any) -> Value:
        """The value that a node made, in the shape that the captured graph gives it."""
        value = self.value(node)
        wanted, own = self.shape_of(node), self.shapes[value.index]
        if wanted == own:
            return value
        if wanted != (prod(own),):
            self.fail(f"a reshape from {list(own)} to {list(wanted)} is not supported, only to one axis")
        if value.index not in self._flattened:
            self._flattened[value.index] = self.append("flatten", [value])
        return self._flattened[value.index]

    def param(self, node: Any, transposed: bool = False) -> str | None:
        """Name of the tensor that a node stands for; None for an argument that is left out."""
        if node is None:
            return None
        value = self.values.get(node)
        if not isinstance(value, Param) or value.transposed != transposed:
            self.fail("takes a computed tensor where dcz needs a weight")
        return value.name

    def emit(
        self,
        op: str,
        inputs: Sequence[fx.Node],
        params: Mapping[str, str | None] | None = None,
        attrs: Mapping[str, Attr] | None = None,
    ) -> Value:
        """Append a node that reads what `inputs` made; parameters that are None are left out."""
        given = {role: name for role, name in (params or {}).items() if name is not None}
        return self.append(op, [self.read(node) for node in inputs], given, attrs)

    def append(
        self,
        op: str,
        inputs: Sequence[Value],
        params: Mapping[str, str] | None = None,
        attrs: Mapping[str, Attr] | None = None,
    ) -> Value:
        """Append a node that reads these values; refuses the node that is being lowered if they do not fit it."""
        try:
            node = make_node(op, [value.index for value in inputs], params, attrs)
            shapes = {role: self.tensor_shapes[name] for role, name in node.params.items()}
            shape = OPS[op].shape([self.shapes[value.index] for value in inputs], shapes, node.attrs)
        except (FormatError, ValueError) as error:
            self.fail(str(error))
        self.nodes.append(node)
        self.shapes.append(shape)
        return Value(len(self.nodes))


def meta(node: fx.Node) -> Any:
    """What tracing recorded of a node's result: a tensor without data, or a tuple of them; None if it has none."""
    return node.meta.get("val")
