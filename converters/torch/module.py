"""A container's network as a torch module: a second implementation of the same graph and weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...dcformat import Dense, Graph, Node
from ...dcformat.tensors import Array
from ..frontends.arrays import as_dense, to_torch

Step = Callable[[list[Tensor], Mapping[str, Tensor], Mapping[str, Any]], Tensor]


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

    def forward(self, x: Tensor) -> Tensor:
        """Map a batch ``(N, *input_shape)`` to ``(N, *output shape)``."""
        values = [x]
        for node in self.graph.nodes:
            values.append(self._step(node, values))
        return values[self.graph.output]

    def time_weighted(self, x: Tensor) -> Iterator[tuple[str, float]]:
        """Run once; return the weight's name and the seconds of each convolution and linear layer."""
        values = [x]
        for node in self.graph.nodes:
            start = time.perf_counter()
            values.append(self._step(node, values))
            if node.op in ("conv2d", "linear"):
                yield node.params["weight"], time.perf_counter() - start

    def _step(self, node: Node, values: list[Tensor]) -> Tensor:
        params = {role: getattr(self, self._attribute[name]) for role, name in node.params.items()}
        return STEPS[node.op]([values[i] for i in node.inputs], params, node.attrs)


def _batch_norm(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    return F.batch_norm(x[0], p["running_mean"], p["running_var"], p.get("weight"), p.get("bias"), eps=a["eps"])


def _slice(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    axes = [slice(None)] * (a["axis"] + 1)
    return x[0][(*axes, slice(a["start"], a["stop"], a["step"]))]


def _pad(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    pairs = zip(reversed(a["before"]), reversed(a["after"]), strict=True)
    return F.pad(x[0], [width for pair in pairs for width in pair])


def _avg_pool2d(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    return F.avg_pool2d(x[0], a["kernel"], a["stride"], a["padding"], a["ceil_mode"], a["count_include_pad"])


def _softmax(x: list[Tensor], p: Mapping[str, Tensor], a: Mapping[str, Any]) -> Tensor:
    return (F.log_softmax if a["log"] else F.softmax)(x[0], a["axis"] + 1)


STEPS: Mapping[str, Step] = {
    "conv2d": lambda x, p, a: F.conv2d(x[0], p["weight"], p.get("bias"), **a),
    "linear": lambda x, p, a: F.linear(x[0], p["weight"], p.get("bias")),
    "batch_norm": _batch_norm,
    "relu": lambda x, p, a: F.relu(x[0]),
    "relu6": lambda x, p, a: F.relu6(x[0]),
    "max_pool2d": lambda x, p, a: F.max_pool2d(
        x[0], a["kernel"], a["stride"], a["padding"], a["dilation"], a["ceil_mode"]
    ),
    "avg_pool2d": _avg_pool2d,
    "adaptive_avg_pool2d": lambda x, p, a: F.adaptive_avg_pool2d(x[0], a["output"]),
    "adaptive_max_pool2d": lambda x, p, a: F.adaptive_max_pool2d(x[0], a["output"]),
    "add": lambda x, p, a: x[0] + x[1],
    "concat": lambda x, p, a: torch.cat(x, a["axis"] + 1),
    "flatten": lambda x, p, a: x[0].flatten(1),
    "softmax": _softmax,
    "slice": _slice,
    "pad": _pad,
}
"""The torch call of each operator. Axes in attributes do not count the batch."""
