"""Our graph, as it grows while a captured graph is lowered.

A view costs nothing: it keeps the value and changes only the shape that it is read with. `FxBuilder.read` compares
that shape with the value's own when an operator wants it, and makes a ``reshape`` where there is need of one; so
squeeze, mean without keepdim and view need no cases of their own, and a reshape that nothing reads is never an error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NoReturn

import torch
from torch import fx

from ....dcformat import Attr, FormatError, Graph, GraphBuilder, Shape, UnsupportedOpError, Value
from .constants import Constants
from .refusals import DOCS

BATCH = "the batch axis must stay first and whole"
ALONE = "squeeze() drops that of a single sample: export the network with two, or name the axes to squeeze"


class FxBuilder:
    """Builds our graph while the nodes of a captured one are lowered one by one.

    It knows for each node of the captured graph the value of ours, and the shape that torch sees it in.

    Parameters
    ----------
    input_shape : tuple of int
        Shape of one sample.
    batch : int or torch.SymInt
        Length of the batch axis, the first of every activation.
    constants : Constants
        What the captured graph computes without the input.
    """

    def __init__(self, input_shape: Shape, batch: int | torch.SymInt, constants: Constants) -> None:
        self._graph = GraphBuilder(input_shape, constants.shapes)
        self.input = self._graph.input
        self.batch = str(batch)
        self.batch_rule = f"{BATCH}; {ALONE}" if self.batch == "1" else BATCH
        self.constants = constants
        self.values: dict[fx.Node, Any] = {}
        self.node: fx.Node | None = None
        self._unknown: set[fx.Node] = set()

    def finish(self, output: fx.Node) -> Graph:
        """The graph whose answer is `output`."""
        self.node = output
        return self._graph.finish(self.read(output))

    def fail(self, why: str) -> NoReturn:
        """Refuse the node that is being lowered."""
        node = self.node
        assert node is not None
        value = meta(node)
        value = value[0] if isinstance(value, (tuple, list)) and value else value
        shape = tuple(value.shape)[1:] if isinstance(value, torch.Tensor) else None
        raise UnsupportedOpError(
            str(node.target).removesuffix(".default"), node=node.name, shape=shape, why=why, hint=DOCS
        )

    def require(self, condition: bool, why: str) -> None:
        """Refuse the node that is being lowered unless `condition` holds."""
        if not condition:
            self.fail(why)

    def check_batch(self, node: fx.Node) -> None:
        """Refuse a node that mixes the samples of a batch."""
        self.require(self._has_batch(meta(node)), self.batch_rule)

    def assume(self, node: fx.Node) -> None:
        """Go on behind a node that was refused, to find out what else is not supported; the graph is lost."""
        result = meta(node)
        parts = result if isinstance(result, (tuple, list)) else [result]
        if all(isinstance(part, torch.Tensor) and self._has_batch(part) for part in parts):
            values = [Value(-1, tuple(part.shape[1:])) for part in parts]
            self.values[node] = values if isinstance(result, (tuple, list)) else values[0]
        else:
            self._unknown.add(node)

    def reads_unknown(self, node: fx.Node) -> bool:
        """Whether a node reads one of whose value nothing can be assumed; then that node is such a one as well."""
        unknown = not self._unknown.isdisjoint(node.all_input_nodes)
        if unknown:
            self._unknown.add(node)
        return unknown

    def _has_batch(self, result: torch.Tensor) -> bool:
        return result.dim() >= 1 and str(result.shape[0]) == self.batch

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
        self.require(self._has_batch(meta(node)), self.batch_rule)
        return self._graph.reshape(value, self.shape_of(node))

    def operand(self, node: Any) -> Value:
        """An activation as `read` gives it; or a constant as a value, in line with the result's axes from the last."""
        if node not in self.constants:
            return self.read(node)
        assert self.node is not None
        shape = tuple(meta(node).shape)
        if len(shape) == meta(self.node).dim():
            self.require(shape[0] == 1, self.batch_rule)
            shape = shape[1:]
        return self._graph.reshape(self._graph.constant(self.constants.name(node, "value")), shape or (1,))

    def axes_behind(self, node: fx.Node) -> list[list[int]] | None:
        """For each axis that the captured graph sees, the axes of the value that it views as one.

        None if the view does more than to join axes that follow each other and to add or drop axes of one element.
        """
        own = self.value(node).shape
        behind: list[list[int]] = []
        axis = 0
        for size in self.shape_of(node):
            group: list[int] = []
            while prod(own[i] for i in group) < size and axis < len(own):
                group.append(axis)
                axis += 1
            if prod(own[i] for i in group) != size:
                return None
            behind.append(group)
        return behind if prod(own[axis:]) == 1 else None

    def axis_behind(self, node: fx.Node, axis: int) -> int | None:
        """The one axis of the value that the captured graph sees as `axis`; None if there is no such one."""
        own, behind = self.value(node).shape, self.axes_behind(node)
        long = [i for i in behind[axis] if own[i] > 1] if behind else []
        return long[0] if len(long) == 1 else None

    def param(self, node: Any, role: str, transposed: bool = False) -> str | None:
        """Name of the tensor that a node stands for; None for an argument that is left out.

        Parameters
        ----------
        node : fx.Node or None
        role : str
            Of the tensor in our operator.
        transposed : bool
            Whether our operator takes it with its two axes swapped.
        """
        if node is None:
            return None
        if node not in self.constants:
            self.fail("takes a computed tensor where dcz needs a weight")
        return self.constants.name(node, role, transposed)

    def emit(
        self,
        op: str,
        inputs: Sequence[fx.Node],
        params: Mapping[str, str | None] | None = None,
        attrs: Mapping[str, Attr] | None = None,
    ) -> Value:
        """Append a node that reads what `inputs` made."""
        return self.append(op, [self.read(node) for node in inputs], params, attrs)

    def append(
        self,
        op: str,
        inputs: Sequence[Value],
        params: Mapping[str, str | None] | None = None,
        attrs: Mapping[str, Attr] | None = None,
    ) -> Value:
        """Append a node that reads these values; refuses the node that is being lowered if they do not fit it.

        Parameters that are None are left out.
        """
        try:
            return self._graph.append(op, inputs, params, attrs)
        except FormatError as error:
            self.fail(str(error))


def meta(node: fx.Node) -> Any:
    """What tracing recorded of a node's result: a tensor without data, or a tuple of them; None if it has none."""
    return node.meta.get("val")
