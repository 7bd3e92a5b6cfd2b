"""A container's network as a torch module: a second implementation of the same graph and weights."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from ...dcformat import Dense, Graph, Node
from ...dcformat.graph.ops import FILTERED
from ...dcformat.tensors import Array
from ..frontends.arrays import as_dense, to_torch
from ..frontends.exported.lowering import CALLS


class GraphModule(nn.Module):
    """Runs a graph with torch's operators in float32.

    Parameters
    ----------
    graph : Graph
    tensors : mapping of str to Dense or ndarray
        At least the tensors that the graph names; they become parameters.
    """

    def __init__(self, graph: Graph, tensors: Mapping[str, Array | Dense]) -> None:
        super().__init__()
        self.graph = graph
        # Parameter names must not contain dots, so they are numbers.
        self._attribute = {name: f"tensor_{i}" for i, name in enumerate(graph.tensor_names())}
        for name, attribute in self._attribute.items():
            value = to_torch(as_dense(tensors[name])).float()
            self.register_parameter(attribute, nn.Parameter(value, requires_grad=False))

    def forward(self, *inputs: Tensor) -> Any:
        """Map batches ``(N, *input_shape)`` to ``(N, *output shape)``; several outputs to a dict by name."""
        values = list(inputs)
        for node in self.graph.nodes:
            values.append(self._step(node, values))
        if len(self.graph.outputs) == 1:
            return values[self.graph.output]
        return {output.name: values[output.value] for output in self.graph.outputs}

    def time_weighted(self, *inputs: Tensor) -> Iterator[tuple[str, float]]:
        """Run once; return the weight's name and the seconds of each convolution, linear and recurrent layer."""
        values = list(inputs)
        for node in self.graph.nodes:
            start = time.perf_counter()
            values.append(self._step(node, values))
            if node.op in FILTERED:
                yield node.params[FILTERED[node.op][-1]], time.perf_counter() - start

    def _step(self, node: Node, values: list[Tensor]) -> Tensor:
        params = {role: getattr(self, self._attribute[name]) for role, name in node.params.items()}
        made = CALLS[node.op]([values[i] for i in node.inputs], params, node.attrs)
        return made if node.inputs else made.expand(len(values[0]), *made.shape[1:])
