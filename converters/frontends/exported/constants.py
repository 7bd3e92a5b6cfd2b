"""What a captured graph computes from weights and constants alone: found and named. `fold` computes it.

Pruning that nobody made permanent (``weight_orig * weight_mask``), weight and spectral normalisation, masks that a
forward multiplies with: to the network these are weights, and a container holds them as such.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import torch
from torch import fx

from ....dcformat import Shape
from .place import Place
from .rows import CONVERSIONS, SAME, SWAPS, order_of, repeats, sizes_of

aten = torch.ops.aten

COPIES = (*CONVERSIONS, *SAME, aten.view.default, aten.reshape.default)
"""What gives the same tensor again, if type and shape stay."""
NAMESPACES = ("aten", "prims", "quantized_decomposed")
"""Of the operators that are computed at conversion. Others may do anything: a program may come from anybody."""
WITH_EFFECTS = (aten.from_file.default, aten._print.default)
NUMBERS = (
    operator.getitem,
    operator.add,
    operator.sub,
    operator.mul,
    operator.truediv,
    operator.floordiv,
    operator.mod,
    operator.neg,
)
"""What programs do with sizes and numbers beside the operators."""


@dataclass(frozen=True)
class Folded:
    """A tensor that is computed from others.

    Attributes
    ----------
    name : str
        Its name in the container.
    node : fx.Node
        The node that makes it.
    transposed : bool
        Whether the two axes of what the node makes are swapped.
    sources : tuple of str
        The tensors that it is computed from, that which gave the name first.
    """

    name: str
    node: fx.Node
    transposed: bool
    sources: tuple[str, ...]


class Constants:
    """The nodes of a captured graph that do not depend on its input, and the tensors that they stand for.

    Parameters
    ----------
    graph : fx.Graph
    names : mapping of fx.Node to str
        Name of the tensor behind each placeholder that stands for one.
    reserved : iterable of str
        Further names that a new tensor may not take.

    Attributes
    ----------
    nodes : set of fx.Node
    names : dict of fx.Node to str
        Of those that stand for a tensor of the network.
    shapes : dict of str to tuple of int
        Of each tensor that has a name.
    folded : dict of str to Folded
        The tensors that have to be computed: those that were asked for by `name`.
    """

    def __init__(self, graph: fx.Graph, names: Mapping[fx.Node, str], reserved: Iterable[str] = ()) -> None:
        self.graph = graph
        self.nodes: set[fx.Node] = set()
        self.shapes: dict[str, Shape] = {}
        self.folded: dict[str, Folded] = {}
        self.names = dict(names)
        self._reserved = set(reserved)
        self._first: dict[fx.Node, fx.Node] = {}
        self._rows: dict[tuple[fx.Node, Place], fx.Node] = {}
        for node, name in names.items():
            self.shapes[name] = tuple(node.meta["val"].shape)
            self.nodes.add(node)
        for node in graph.nodes:
            if node.op == "call_function" and _is_computable(node) and self.nodes.issuperset(node.all_input_nodes):
                self.nodes.add(node)
        self._find_first()

    def _find_first(self) -> None:
        """For each node find the first that makes the same tensor: a layer that is called twice computes twice."""
        computing: dict[str, fx.Node] = {}
        for node in self.graph.nodes:
            if node.op != "call_function" or node not in self.nodes:
                continue
            if _is_copy(node):
                self._first[node] = self._same(node.all_input_nodes[0])
            else:
                arguments = fx.node.map_arg((node.args, node.kwargs), self._same)
                self._first[node] = computing.setdefault(f"{node.target} {arguments}", node)

    def _same(self, node: fx.Node) -> fx.Node:
        return self._first.get(node, node)

    def _before_swaps(self, node: fx.Node, transposed: bool) -> tuple[fx.Node, bool]:
        """The node of which this one is a copy or the transpose, and whether that one has to be transposed."""
        node = self._same(node)
        while node.target in SWAPS and node.meta["val"].dim() == 2:
            transposed = transposed != _swaps(node)
            node = self._same(node.all_input_nodes[0])
        return node, transposed

    def __contains__(self, node: object) -> bool:
        return node in self.nodes

    def name(self, node: fx.Node, role: str, transposed: bool = False) -> str:
        """Name of the tensor that a constant node stands for: one of the network's, or one that is to be folded.

        Parameters
        ----------
        node : fx.Node
        role : str
            What the tensor is to a layer (weight, bias, ...): ``conv1.weight_orig`` becomes ``conv1.weight`` by it.
        transposed : bool
            Ask for the tensor with its two axes swapped.
        """
        node, transposed = self._before_swaps(node, transposed)
        if node in self.names and not transposed:
            return self.names[node]
        known = next((f for f in self.folded.values() if (f.node, f.transposed) == (node, transposed)), None)
        if known is not None:
            return known.name
        shape = tuple(node.meta["val"].shape)
        sources = self._sources(node, role, shape)
        shape = shape[::-1] if transposed else shape
        name = self._free_name(_plain(sources[0], role) if sources else node.name, shape, transposed, sources)
        self.folded[name] = Folded(name, node, transposed, sources)
        self.shapes[name] = shape
        return name

    def add(self, target: Any, args: tuple[Any, ...], value: torch.Tensor, before: fx.Node) -> fx.Node:
        """A new node that makes a constant, of the type and shape of `value`."""
        with self.graph.inserting_before(before):
            node = self.graph.call_function(target, args)
        node.meta["val"] = value
        self.nodes.add(node)
        return node

    def row(self, node: fx.Node, place: Place, batch: int) -> fx.Node | None:
        """A sample's part of a constant, as a new node; None if the samples are not known to be equal.

        Parameters
        ----------
        node : fx.Node
        place : Place
            Where the batch lies in it. What is folded before the batch has an axis of its own in the new node.
        batch : int
            Length of the batch.
        """
        sizes = sizes_of(node)
        if not place.fits(sizes, batch) or not repeats(node, place, batch):
            return None
        row = self._rows.get((node, place))
        if row is None:
            axis, inner = place.axis, place.inner
            whole, before, behind = node, sizes[:axis], sizes[axis + 1 :]
            if place.outer > 1:
                before, axis = (*before, place.outer), axis + 1
                whole = self.after(node, aten.view.default, (*before, batch * inner, *behind))
            row = self._rows[node, place] = self.after(whole, aten.slice.Tensor, axis, 0, inner)
        return row

    def after(self, node: fx.Node, target: Any, *more: Any) -> fx.Node:
        """A new node that reads a constant one."""
        with self.graph.inserting_after(node):
            made = self.graph.call_function(target, (node, *more))
        like = node.meta["val"]
        made.meta["val"] = target(torch.empty(sizes_of(node), dtype=like.dtype, device="meta"), *more)
        self.nodes.add(made)
        return made

    def _sources(self, node: fx.Node, role: str, shape: Shape) -> tuple[str, ...]:
        """The tensors behind a node: first that which most probably gives the name, by shape, role and size."""
        names = [self.names[source] for source in self.ancestors([node]) if source in self.names]

        def likelihood(name: str) -> tuple[bool, bool, int]:
            of_that_role = _plain(name, role).rpartition(".")[2] == role
            return (self.shapes[name] == shape, of_that_role, torch.Size(self.shapes[name]).numel())

        return tuple(sorted(names, key=likelihood, reverse=True))

    def ancestors(self, nodes: Iterable[fx.Node]) -> list[fx.Node]:
        """These nodes and all that they are computed from, in the graph's order."""
        found = set[fx.Node]()
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting += node.all_input_nodes
        return [node for node in self.graph.nodes if node in found]

    def _free_name(self, name: str, shape: Shape, transposed: bool, sources: tuple[str, ...]) -> str:
        """The name itself where it is free or that of a source of the same shape which nothing else uses."""
        replaces = name in sources and not transposed and self.shapes[name] == shape and name not in self._used()
        taken = {*self.shapes, *self._reserved}
        if replaces and name not in self.folded:
            taken.remove(name)
        endings = chain(("", ".folded"), (f".folded.{i}" for i in count(2)))
        return next(name + ending for ending in endings if name + ending not in taken)

    def _used(self) -> set[str]:
        """Tensors that a node with the input reads as they are."""
        readers = (node for node in self.graph.nodes if node not in self.nodes)
        behind = {self._before_swaps(source, False)[0] for node in readers for source in node.all_input_nodes}
        return {self.names[node] for node in behind if node in self.names}


def _is_computable(node: fx.Node) -> bool:
    """Whether a node gives the same whenever it is run, and does nothing else."""
    target = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return target in NUMBERS
    return target.namespace in NAMESPACES and target not in WITH_EFFECTS and not _draws(node, target)


def _draws(node: fx.Node, target: torch._ops.OpOverload) -> bool:
    """Whether an operator draws random numbers: not with dropout that is switched off."""
    if torch.Tag.nondeterministic_seeded not in target.tags:
        return False
    names = [argument.name for argument in target._schema.arguments]
    given = {**dict(zip(names, node.args, strict=False)), **node.kwargs}
    off = given.get("train") is False or ("dropout_p" in names and not given.get("dropout_p"))
    return not off


def _is_copy(node: fx.Node) -> bool:
    if node.target not in COPIES:
        return False
    before, after = node.all_input_nodes[0].meta["val"], node.meta["val"]
    return (before.shape, before.dtype) == (after.shape, after.dtype)


def _swaps(node: fx.Node) -> bool:
    """Whether a node out of `SWAPS` does swap the two axes."""
    return order_of(node) == [1, 0]


def _plain(name: str, role: str) -> str:
    """The name of a layer's tensor before something was wrapped around it: pruning, a norm, a parametrisation."""
    head, wrapped, tail = name.partition("parametrizations.")
    if wrapped:
        return head + tail.partition(".")[0]
    module, dot, last = name.rpartition(".")
    return f"{module}{dot}{role}" if last.startswith(f"{role}_") else name
