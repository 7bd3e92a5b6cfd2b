"""Operators that torch defines by others, in terms of those; operators that write into tensors, without that."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram, default_decompositions

from .definitions import DEFINITIONS
from .ends import inputs_of
from .lowering import LOWERINGS
from .tracing import quiet
from .writes import without_writes, writes


def decomposed(program: ExportedProgram) -> tuple[ExportedProgram, fx.Graph]:
    """Say a program in operators that can be lowered, as far as torch knows how to.

    Operators that depend on weights alone stay as they are, so that these are computed as the network does, to the bit.

    Returns
    -------
    program : ExportedProgram
    graph : fx.Graph
        A copy of its graph, in which no operator writes into a tensor.
    """
    tried, graph = set[Any](), None if _has_blocks(program) else without_writes(program.graph)
    if graph is None:
        program, graph = _retraced(program, {})
    while table := _table(program, tried):
        program, graph = _retraced(program, table)
    return program, graph


def _has_blocks(program: ExportedProgram) -> bool:
    """Whether it has graphs within its graph: blocks of no_grad."""
    return any(isinstance(node.target, torch._ops.HigherOrderOperator) for node in program.graph.nodes)


def _table(program: ExportedProgram, tried: set[Any]) -> dict[Any, Any]:
    """Definitions of operators without a lowering that have not been tried; adds these to those that have."""
    moving = _moving(program)
    unknown = {node.target for node in moving if _is_unknown(node.target)} - tried
    tried |= unknown
    if not unknown:
        return {}
    defined = default_decompositions()
    every = {op: defined[op] for op in defined} | dict(DEFINITIONS)
    if unknown.isdisjoint(every) and not any(map(_is_composite, unknown)):
        return {}
    kept = (LOWERINGS.keys() | {node.target for node in program.graph.nodes if node not in moving}) - unknown
    return {op: every[op] for op in every if (op in unknown or _is_composite(op)) and op not in kept}


def _retraced(program: ExportedProgram, table: dict[Any, Any]) -> tuple[ExportedProgram, fx.Graph]:
    """The program by such definitions, without side effects such as those of ``x.relu_()``, and without blocks."""
    with quiet(), _views_as_reshapes(program):
        program = program.run_decompositions(table)
    return program, copy.deepcopy(program.graph)


@contextmanager
def _views_as_reshapes(program: ExportedProgram) -> Iterator[None]:
    """A view fits the strides that an operator's result has; `DEFINITIONS` may leave others."""
    views = [node for node in program.graph.nodes if node.target is torch.ops.aten.view.default]
    for node in views:
        node.target = torch.ops.aten.reshape.default
    try:
        yield
    finally:
        for node in views:
            node.target = torch.ops.aten.view.default


def _moving(program: ExportedProgram) -> set[fx.Node]:
    """Nodes that depend on an input."""
    inputs, moving = set(inputs_of(program)), set[fx.Node]()
    for node in program.graph.nodes:
        if node.name in inputs or not moving.isdisjoint(node.all_input_nodes):
            moving.add(node)
    return moving


def _is_unknown(target: Any) -> bool:
    return isinstance(target, torch._ops.OpOverload) and target not in LOWERINGS and not writes(target)


def _is_composite(target: Any) -> bool:
    """Whether torch defines an operator by others, for all that calls it."""
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    return isinstance(target, torch._ops.OpOverload) and target.has_kernel_for_dispatch_key(key)
