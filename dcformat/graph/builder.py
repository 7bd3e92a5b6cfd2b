"""A graph as it grows, node by node, with the shape of each value. Front ends build with it; it knows no framework."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...core.errors import FormatError
from .graph import Attr, Graph, Input, Node, Output, Shape
from .legal import make_node
from .ops import OPS


@dataclass(frozen=True)
class Value:
    """A value of a graph under construction.

    Attributes
    ----------
    index : int
        Its number in the graph: first the inputs, then what the nodes make.
    shape : tuple of int
        Of one sample.
    """

    index: int
    shape: Shape


class GraphBuilder:
    """Grows a graph.

    Parameters
    ----------
    inputs : tuple of int, or tuple of Input
        Shape of one sample of the one input, or all inputs.
    tensor_shapes : mapping of str to tuple of int
        Shape of each tensor that nodes may name. It may grow together with the graph.

    Attributes
    ----------
    inputs : list of Value
        What the network is given.
    input : Value
        The first of these.
    nodes : list of Node
        Those appended so far.
    """

    def __init__(self, inputs: Shape | tuple[Input, ...], tensor_shapes: Mapping[str, Shape]) -> None:
        self._given = Graph(inputs, (), 0).inputs
        self.inputs = [Value(index, given.shape) for index, given in enumerate(self._given)]
        self.input = self.inputs[0]
        self.nodes: list[Node] = []
        self._tensor_shapes = tensor_shapes
        self._constants: dict[str, Value] = {}
        self._reshaped: dict[tuple[Value, Shape], Value] = {}

    def append(
        self,
        op: str,
        inputs: Sequence[Value],
        params: Mapping[str, str | None] | None = None,
        attrs: Mapping[str, Attr] | None = None,
    ) -> Value:
        """Append a node.

        Parameters
        ----------
        op : str
        inputs : sequence of Value
        params : mapping of str to (str or None), optional
            Tensor names by role; a role whose name is None is left out.
        attrs : mapping of str to Attr, optional
            Those that are not given have their defaults.

        Returns
        -------
        Value
            What the node makes.

        Raises
        ------
        FormatError
            The operator does not take these inputs, tensors or attributes, or does not know one of the tensors.
        """
        given = {role: name for role, name in (params or {}).items() if name is not None}
        node = make_node(op, [value.index for value in inputs], given, attrs)
        for role, name in given.items():
            if name not in self._tensor_shapes:
                raise FormatError(f"{role} tensor {name!r} is missing")
        shapes = {role: self._tensor_shapes[name] for role, name in given.items()}
        try:
            shape = OPS[op].shape([value.shape for value in inputs], shapes, node.attrs)
        except ValueError as error:
            raise FormatError(str(error)) from None
        self.nodes.append(node)
        return Value(len(self.inputs) + len(self.nodes) - 1, shape)

    def reshape(self, value: Value, shape: Shape) -> Value:
        """The value in another shape: by a ``flatten`` or a ``reshape``, one for all that ask, where there is need."""
        if value.shape == shape:
            return value
        if (value, shape) not in self._reshaped:
            flat = len(shape) == 1
            made = self.append("flatten", [value]) if flat else self.append("reshape", [value], attrs={"shape": shape})
            self._reshaped[value, shape] = made
        return self._reshaped[value, shape]

    def constant(self, name: str) -> Value:
        """The value that is a tensor, one for all that ask."""
        if name not in self._constants:
            self._constants[name] = self.append("constant", [], {"value": name})
        return self._constants[name]

    def finish(self, outputs: Value | Mapping[str, Value]) -> Graph:
        """The graph whose answer is one value, or several by name."""
        if isinstance(outputs, Value):
            return Graph(self._given, tuple(self.nodes), outputs.index)
        named = tuple(Output(value.index, name) for name, value in outputs.items())
        return Graph(self._given, tuple(self.nodes), named)
