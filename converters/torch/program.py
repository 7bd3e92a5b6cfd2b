"""The way back to PyTorch: a container's graph and weights as a program of ``torch.export``."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.export import Dim, ExportedProgram

from ...dcformat import Dense, Graph
from ..frontends.exported.tracing import BATCH, quiet
from .module import GraphModule


def to_program(graph: Graph, tensors: Mapping[str, Dense]) -> ExportedProgram:
    """Export a graph, for batches of any size.

    Parameters
    ----------
    graph : Graph
    tensors : mapping of str to Dense
        At least the tensors that the graph names.

    Returns
    -------
    ExportedProgram
        In fp32. Its parameters have the tensors' names.
    """
    module = GraphModule(graph, tensors).eval()
    types = {"F32": torch.float32, "I64": torch.int64}
    examples = [torch.zeros(BATCH, *each.shape, dtype=types[each.dtype]) for each in graph.inputs]
    sizes = {0: Dim("batch")}
    with torch.no_grad(), quiet():
        program = torch.export.export(
            module, tuple(examples), dynamic_shapes=(tuple(sizes for _ in examples),), strict=False
        )
    names = dict(zip(module.state_dict(), graph.tensor_names(), strict=True))
    for spec in program.graph_signature.input_specs:
        spec.target = names.get(spec.target or "", spec.target)
    for attribute, name in names.items():
        program.state_dict[name] = program.state_dict.pop(attribute)
    return program
