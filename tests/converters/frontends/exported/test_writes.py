"""Writing into tensors: what becomes plain without torch's help, and what must not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from networks import Call
from torch import Tensor, fx, nn

from dcz.converters.frontends.exported.writes import replace_writes, writes


def traced(forward: Callable[..., Tensor]) -> tuple[torch.export.ExportedProgram, Tensor]:
    torch.manual_seed(0)
    example = torch.randn(2, 4, 5, 5)
    module = Call(forward, conv=nn.Conv2d(4, 4, 1), norm=nn.BatchNorm2d(4)).eval()
    return torch.export.export(module, (example,)), example


def of_graph(program: torch.export.ExportedProgram, graph: fx.Graph, example: Tensor) -> Tensor:
    by_name = {**dict(program.named_parameters()), **dict(program.named_buffers())}
    order = [by_name.get(spec.target, example) for spec in program.graph_signature.input_specs]
    with torch.no_grad():
        return fx.GraphModule(nn.Module(), graph)(*order)[0]


@pytest.mark.parametrize(
    "forward",
    [
        lambda x, conv, norm: torch.relu_(norm(conv(x))),
        lambda x, conv, norm: norm(conv(x)).add_(x).relu_(),
        lambda x, conv, norm: (lambda y: torch.relu_(y) + y)(conv(x)),  # y is what was written
        lambda x, conv, norm: (lambda y: norm(y) + y.add_(x).clamp_(-1, 1) + y)(conv(x)),  # one reads it before
        lambda x, conv, norm: (lambda y: y.add_(y))(conv(x)),
    ],
)
def test_writes_into_a_tensor_of_its_own_become_plain(forward: Callable[..., Tensor]) -> None:
    program, example = traced(forward)
    expected = program.module()(example)
    graph = program.graph
    assert any(writes(node.target) for node in graph.nodes)
    assert replace_writes(graph)
    assert not any(writes(node.target) for node in graph.nodes)
    assert torch.equal(of_graph(program, graph, example), expected)


@pytest.mark.parametrize(
    "forward",
    [
        lambda x, conv, norm: x.relu_(),  # the caller's tensor
        lambda x, conv, norm: (lambda y: y.flatten(1).relu_() + y.flatten(1))(conv(x)),  # y changes too
        lambda x, conv, norm: (lambda y, z: y.relu_() + z)(*(lambda y: (y, y[:, :, 1:2]))(conv(x))),  # z changes too
        lambda x, conv, norm: (lambda y: nn.functional.dropout(y, training=False).relu_() + y)(conv(x)),
    ],
)
def test_writes_into_a_tensor_that_others_share_stay(forward: Callable[..., Tensor]) -> None:
    program, _ = traced(forward)
    assert not replace_writes(program.graph)
