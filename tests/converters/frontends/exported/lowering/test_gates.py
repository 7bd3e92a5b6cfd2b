"""Activations and layer norms that a graph spells out are found, in whatever order, and no others."""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt
from typing import Any

import pytest
import torch
from networks import Call
from torch import Tensor, nn
from torch.nn import functional as F

from dcz.converters.frontends.exported.lowering.gates import join_gates
from dcz.converters.frontends.exported.lowering.layer_norms import join_layer_norms

aten = torch.ops.aten
ROOT = 1.4142135381698608
"""The square root of 2 as fp32 has it."""

GATES: dict[str, tuple[Any, Callable[[Tensor], Tensor]]] = {
    "silu": (aten.silu.default, lambda x: x * torch.sigmoid(x)),
    "silu, turned": (aten.silu.default, lambda x: torch.sigmoid(x) * x),
    "gelu": (aten.gelu.default, lambda x: x * (torch.erf(x / ROOT) + 1) * 0.5),
    "gelu, half of x first": (aten.gelu.default, lambda x: (0.5 * x) * (1 + torch.erf(x * 0.70710678))),
    "gelu, half last": (aten.gelu.default, lambda x: 0.5 * (x * (1 + torch.erf(x / ROOT)))),
    "gelu, half inside": (aten.gelu.default, lambda x: x * ((1 + torch.erf(x / ROOT)) / 2)),
    "gelu by tanh": (
        aten.gelu.default,
        lambda x: 0.5 * x * (1 + torch.tanh(sqrt(2 / pi) * (x + 0.044715 * torch.pow(x, 3)))),
    ),
    "hard-swish": (aten.hardswish.default, lambda x: x * torch.clamp(x + 3, 0, 6) / 6),
    "hard-swish, a rounded sixth": (aten.hardswish.default, lambda x: x * (F.relu6(x + 3) * 0.1666667)),
    "hard-swish by hard-sigmoid": (aten.hardswish.default, lambda x: F.hardsigmoid(x) * x),
    "mish": (aten.mish.default, lambda x: x * torch.tanh(F.softplus(x))),
}
OTHERS: dict[str, Callable[[Tensor], Tensor]] = {
    "another factor": lambda x: x * torch.clamp(x + 3, 0, 6) / 5,
    "another x": lambda x: (x + 1) * torch.sigmoid(x),
    "a sigmoid that is used twice": lambda x: (lambda gate: x * gate + gate)(torch.sigmoid(x)),
    "x twice": lambda x: x * x * torch.sigmoid(x),
    "no half": lambda x: x * (torch.erf(x / ROOT) + 1),
    "a square": lambda x: torch.sigmoid(x) * torch.sigmoid(x),
}


def rewritten(module: nn.Module, x: Tensor) -> list[Any]:
    """Targets of a module's program after the rewrite, which must answer as before."""
    with torch.no_grad():
        program = torch.export.export(module.eval(), (x,), strict=False).module()
    constants = {node for node in program.graph.nodes if node.op == "get_attr"}
    for node in constants:
        node.meta["val"] = program.get_parameter(node.target)
    join_gates(program.graph)
    join_layer_norms(program.graph, constants)
    program.recompile()
    torch.testing.assert_close(program(x), module(x), rtol=1e-5, atol=2e-6)
    return [node.target for node in program.graph.nodes if node.op == "call_function"]


@pytest.mark.parametrize(("target", "function"), GATES.values(), ids=GATES)
def test_an_activation_in_parts(target: Any, function: Callable[[Tensor], Tensor]) -> None:
    assert [call for call in rewritten(Call(function), torch.randn(2, 3, 4) * 4) if "aten" in str(call)] == [target]


@pytest.mark.parametrize("function", OTHERS.values(), ids=OTHERS)
def test_what_only_looks_alike(function: Callable[[Tensor], Tensor]) -> None:
    found = rewritten(Call(function), torch.randn(2, 3, 4) * 4)
    assert not {aten.silu.default, aten.hardswish.default, aten.gelu.default} & set(found)


class Norm(nn.Module):
    def __init__(self, axes: int, squares: Callable[[Tensor], Tensor], affine: bool) -> None:
        super().__init__()
        shape = (5, 6)[2 - axes :]
        self.axes, self.squares, self.affine = list(range(-axes, 0)), squares, affine
        self.weight, self.bias = nn.Parameter(torch.randn(shape)), nn.Parameter(torch.randn(shape))

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(self.axes, keepdim=True)
        y = centred / torch.sqrt(self.squares(centred).mean(self.axes, keepdim=True) + 1e-5)
        return self.bias + y * self.weight if self.affine else y


@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("axes", [1, 2])
@pytest.mark.parametrize("squares", [lambda x: x.pow(2), lambda x: x * x], ids=["power", "product"])
def test_a_layer_norm_in_parts(axes: int, squares: Callable[[Tensor], Tensor], affine: bool) -> None:
    found = rewritten(Norm(axes, squares, affine), torch.randn(2, 5, 6))
    assert [call for call in found if "aten" in str(call)] == [aten.layer_norm.default]


def test_a_cube_is_no_layer_norm() -> None:
    assert aten.layer_norm.default not in rewritten(Norm(1, lambda x: x.pow(4), True), torch.randn(2, 5, 6))
