"""Operators that torch defines by others, in terms of those; operators that write into tensors, without that."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import fx
from torch.export import ExportedProgram, default_decompositions

from .ends import inputs_of
from .lowering import LOWERINGS
from .tracing import quiet
from .writes import replace_writes


def decomposed(program: ExportedProgram) -> tuple[ExportedProgram, fx.Graph]:
    """Say a program in operators that can be lowered, as far as torch knows how to.

    Operators that depend on weights alone stay as they are, so that these are computed as the network does, to the bit.

    Returns
    -------
    program : ExportedProgram
    graph : fx.Graph
        A copy of its graph, in which no operator writes into a tensor.
    """
    moving = _moving(program)
    fixed = {node.target for node in program.graph.nodes if node not in moving}
    table: dict[Any, Any] = {}
    if any(_is_unknown(node.target) for node in moving):
        every = default_decompositions()
        table = {op: every[op] for op in every if _is_unknown(op) and op not in fixed}
    elif not any(isinstance(node.target, torch._ops.HigherOrderOperator) for node in program.graph.nodes):
        graph = copy.deepcopy(program.graph)
        if replace_writes(graph):
            return program, graph
    with quiet():  # x.relu_() and its views without side effects, no_grad inlined, einsum in other operators
        program = program.run_decompositions(table)
    return program, copy.deepcopy(program.graph)


def _moving(program: ExportedProgram) -> set[fx.Node]:
    """Nodes that depend on an input."""
    inputs, moving = set(inputs_of(program)), set[fx.Node]()
    for node in program.graph.nodes:
        if node.name in inputs or not moving.isdisjoint(node.all_input_nodes):
            moving.add(node)
    return moving


def _is_unknown(target: Any) -> bool:
    """Whether torch defines an operator by others, and it has no lowering."""
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    is_composite = isinstance(target, torch._ops.OpOverload) and target.has_kernel_for_dispatch_key(key)
    return is_composite and target not in LOWERINGS
