"""Our graph, as it grows while a captured graph is lowered.

A view costs nothing: it keeps the value and changes only the shape that it is read with. `FxBuilder.read` compares
that shape with the value's own when an operator wants it, and makes a ``reshape`` where there is need of one; so
squeeze, mean without keepdim and view need no cases of their own, and a reshape that nothing reads is never an error.

Nor does the batch have to be the first axis of what torch sees: `place` says where it lies. Lowerings ask for shapes
and axes of a sample: `FxBuilder.shape_of`, `FxBuilder.axis`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NoReturn

import torch
from torch import fx

from ....dcformat import Attr, FormatError, Graph, GraphBuilder, Input, Output, Shape, UnsupportedOpError, Value
from .constants import Constants
from .fold import evaluate
from .place import FIRST, Place, after_operator, after_view, size_of
from .refusals import DOCS

BATCH = "the batch axis must stay whole, and come first in an answer"
FIRST_ONLY = "the batch must be the first axis here, with no other folded into it"
ALONE = "squeeze() drops that of a single sample: export the network with two, or name the axes to squeeze"


class FxBuilder:
    """Builds our graph while the nodes of a captured one are lowered one by one.

    It knows for each node of the captured graph the value of ours, and the shape that torch sees it in.

    Parameters
    ----------
    inputs : tuple of int, or tuple of Input
        Shape of one sample of the one input, or all inputs.
    batch : int or torch.SymInt
        Length of the batch axis, the first of every activation.
    constants : Constants
        What the captured graph computes without the input.
    tensors : mapping of str to Tensor, optional
        Tensors of the network, by name, for indices that the graph takes from them.
    """

    def __init__(
        self,
        inputs: Shape | tuple[Input, ...],
        batch: int | torch.SymInt,
        constants: Constants,
        tensors: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        self._graph = GraphBuilder(inputs, constants.shapes)
        self.inputs, self.input = self._graph.inputs, self._graph.input
        self.batch = size_of(batch)
        self.batch_rule = f"{BATCH}; {ALONE}" if self.batch == 1 else BATCH
        self.constants = constants
        self.values: dict[fx.Node, Any] = {}
        self.node: fx.Node | None = None
        self._tensors = tensors or {}
        self._places: dict[fx.Node, Place | None] = {}
        self._unknown: set[fx.Node] = set()

    def finish(self, outputs: fx.Node | Mapping[str, fx.Node]) -> Graph:
        """The graph whose answer is what one node made, or several by name; one number a sample gets an axis of one."""
        if isinstance(outputs, fx.Node):
            outputs = {Output.name: outputs}
        values = {}
        for name, self.node in outputs.items():
            self.require(self.is_first(self.node), self.batch_rule)
            shape = self.shape_of(self.node)
            values[name] = self.read(self.node) if shape else self.reshape(self.value(self.node), (1,))
        return self._graph.finish(values)

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

    def sizes(self, node: fx.Node) -> Shape:
        """Sizes of all axes of a tensor, the first one's of several; the batch is `self.batch`."""
        value = meta(node)
        value = value[0] if isinstance(value, (tuple, list)) else value
        return tuple(map(size_of, value.shape))

    def place_of(self, node: fx.Node) -> Place:
        """The batch's place in what a node makes: that in its inputs, unless `set_place` gave another."""
        if node not in self._places:
            places = [
                (len(self.sizes(each)), self.place_of(each)) for each in node.all_input_nodes if each in self.values
            ]
            self._places[node] = after_operator(places, self.sizes(node), self.batch) if places else FIRST
        place = self._places[node]
        return place if place is not None else self.fail(self.batch_rule)

    def set_place(self, place: Place | None, node: fx.Node | None = None) -> None:
        """State the batch's place in what a node, or the one that is being lowered, makes; None refuses that one."""
        self.require(place is not None, self.batch_rule)
        node = node or self.node
        assert node is not None
        self._places[node] = place

    def has_batch_first(self, node: fx.Node) -> bool:
        """Whether all activations that a node reads have the batch as their first axis, whole."""
        return all(self.is_first(each) for each in node.all_input_nodes if each in self.values)

    def is_first(self, node: fx.Node) -> bool:
        """Whether the batch is the first axis of what a node made, with nothing folded into it.

        A single sample may be said to lie anywhere.
        """
        if self.batch == self.sizes(node)[0] == 1:
            self.set_place(FIRST, node)
        return self.place_of(node) == FIRST

    def check_batch(self, node: fx.Node) -> None:
        """Refuse a node that mixes the samples of a batch."""
        value, sizes = self.values.get(node), self.sizes(node)
        whole = not isinstance(value, Value) or prod(value.shape) * self.batch == prod(sizes)
        self.require(self.place_of(node).fits(sizes, self.batch) and whole, self.batch_rule)

    def assume(self, node: fx.Node) -> None:
        """Go on behind a node that was refused, to find out what else is not supported; the graph is lost."""
        result = meta(node)
        parts = result if isinstance(result, (tuple, list)) else [result]
        self._places[node] = FIRST
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
        return result.dim() >= 1 and size_of(result.shape[0]) == self.batch

    def shape_of(self, node: fx.Node) -> Shape:
        """Shape of one sample as the captured graph sees it."""
        return self.place_of(node).sample(self.sizes(node))

    def axis(self, node: fx.Node, dim: int) -> int:
        """The sample's axis that is the axis `dim` of what a node made, negative or not; refuses that of the batch."""
        sizes = self.sizes(node)
        place, dim = self.place_of(node), dim % len(sizes)
        if dim == place.axis and self.batch == 1 and len(sizes) > 1:
            beside = dim - 1 if dim else 1
            place = Place(beside, inner=sizes[beside])  # a single sample lies just as well in another axis
            self.set_place(place, node)
        self.require(dim != place.axis, self.batch_rule)
        return place.own_axis(dim)

    def value(self, node: Any) -> Value:
        """The value that a node made, in whatever shape it has: enough for operators that go element by element."""
        value = self.values.get(node) if isinstance(node, fx.Node) else None
        if not isinstance(value, Value):
            self.fail("takes a constant or a weight where dcz needs an activation")
        return value

    def read(self, node: Any) -> Value:
        """The value that a node made, in the shape that a sample of it has in the captured graph."""
        value, shape = self.value(node), self.shape_of(node)
        self.require(len(shape) > 0, "a sample must have one axis at least")
        return self.reshape(value, shape)

    def reshape(self, value: Value, shape: Shape) -> Value:
        """A value in another shape."""
        try:
            return self._graph.reshape(value, shape)
        except FormatError as error:
            self.fail(str(error))

    def view(self, node: fx.Node) -> Value:
        """What a node made, as the node that is being lowered views it: the same elements in row-major order."""
        assert self.node is not None
        sizes, viewed = self.sizes(node), self.sizes(self.node)
        self.set_place(after_view(sizes, self.place_of(node), viewed, self.batch))
        return self.value(node)

    def operand(self, node: Any, like: fx.Node | None = None) -> Value:
        """An activation as `read` gives it, or a constant as a value.

        Parameters
        ----------
        node : fx.Node
        like : fx.Node, optional
            Whose axes a constant is in line with, from the last; by default those of the node that is being lowered.
        """
        if node not in self.constants:
            return self.read(node)
        like = like or self.node
        assert like is not None
        place = self.place_of(like)
        behind = len(self.sizes(like)) - len(self.sizes(node))
        return self.constant(node, place._replace(axis=place.axis - behind))

    def constant(self, node: fx.Node, place: Place) -> Value:
        """A constant as a value.

        Parameters
        ----------
        node : fx.Node
        place : Place
            The constant's axis that is in line with the batch, negative if it has none, and what is folded into it.
        """
        axis, shape = place.axis, self.sizes(node)
        if axis >= 0:
            row, folded = node, (1,) * len(place.folded)
            if shape[axis] > 1 and (alike := self.constants.row(node, Place(axis), shape[axis])) is not None:
                row = alike
            elif shape[axis] > 1:  # what is folded into the batch differs
                row, folded = self.constants.row(node, place, self.batch) or self.fail(self.batch_rule), place.folded
            node, shape = row, (*shape[:axis], *folded, *shape[axis + 1 :])
        return self.reshape(self._graph.constant(self.constants.name(node, "value")), shape or (1,))

    def new_constant(self, target: Any, args: tuple[Any, ...], shape: Shape | None = None) -> Value:
        """What an operator of torch makes of some arguments, as a value, maybe in another shape."""
        assert self.node is not None
        made = target(*args)
        node = self.constants.add(target, args, made.to("meta"), self.node)
        if shape is not None:
            node = self.constants.add(
                torch.ops.aten.view.default, (node, shape), made.view(shape).to("meta"), self.node
            )
        return self._graph.constant(self.constants.name(node, "value"))

    def indices(self, node: Any) -> torch.Tensor:
        """The values of a constant of integers."""
        self.require(node in self.constants, "takes computed indices where dcz needs constant ones")
        found = self.numbers(node)
        known = found is not None and found.dtype in (torch.int64, torch.int32)
        self.require(known, "takes indices that are not known numbers")
        assert found is not None
        return found.long()

    def numbers(self, node: fx.Node) -> torch.Tensor | None:
        """The values of a constant; None of what is no constant, or has no values yet."""
        return evaluate(self.constants, node, self._tensors) if node in self.constants else None

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
