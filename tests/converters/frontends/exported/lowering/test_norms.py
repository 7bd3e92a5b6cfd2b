"""Every form of normalisations and reductions, as called and as decomposed: the graph answers as the module does."""

from __future__ import annotations

import warnings

import pytest
import torch
from networks import IMAGE, Call, captured, noise, ops, randomise
from torch import Tensor, nn
from torch.nn import functional as F

from dcz.converters.frontends.arrays import from_torch
from dcz.converters.frontends.exported.capture import lower_program
from dcz.converters.frontends.exported.torch_export import from_module
from dcz.converters.torch.module import GraphModule
from dcz.dcformat import UnsupportedOpError

ROWS = (5, 7)
FORMS: dict[str, tuple[nn.Module, tuple[int, ...], list[str]]] = {
    "layer norm": (nn.LayerNorm(7, eps=1e-3), ROWS, ["layer_norm"]),
    "layer norm of all axes": (nn.LayerNorm(IMAGE, bias=False), IMAGE, ["layer_norm"]),
    "layer norm without weights": (nn.LayerNorm((9, 11), elementwise_affine=False), IMAGE, ["layer_norm"]),
    "layer norm of what a view joins": (Call(lambda x, a: a(x.flatten(1)), a=nn.LayerNorm(35)), ROWS, []),
    "rms norm": (nn.RMSNorm(7), ROWS, ["rms_norm"]),
    "rms norm of two axes": (nn.RMSNorm((5, 7), eps=0.1), ROWS, ["rms_norm"]),
    "rms norm without weights": (Call(lambda x: F.rms_norm(x, [7])), ROWS, ["rms_norm"]),
    "group norm": (nn.GroupNorm(2, 4, eps=1e-3), IMAGE, ["group_norm"]),
    "group norm of rows": (nn.GroupNorm(5, 5, affine=False), ROWS, ["group_norm"]),
    "instance norm": (nn.InstanceNorm2d(4, affine=True), IMAGE, ["group_norm"]),
    "instance norm of rows": (nn.InstanceNorm1d(5), ROWS, ["group_norm"]),
    "instance norm by running statistics": (
        nn.InstanceNorm2d(4, track_running_stats=True, affine=True),
        IMAGE,
        ["batch_norm"],
    ),
    "mean of channels": (Call(lambda x: x.mean(1)), IMAGE, ["reduce_mean", "reshape"]),
    "mean of channels, kept": (Call(lambda x: x.mean(1, keepdim=True)), IMAGE, ["reduce_mean"]),
    "mean of features": (Call(lambda x: x.mean((2, 3)).mean(1, keepdim=True)), IMAGE, []),
    "mean of the last axis": (Call(lambda x: x.mean(-1)), ROWS, ["reduce_mean", "flatten"]),
    "mean of some axes": (Call(lambda x: x.mean((1, 3))), IMAGE, ["reduce_mean", "flatten"]),
    "mean in the type that is there": (Call(lambda x: x.mean(1, dtype=torch.float32)), ROWS, []),
    "sum": (Call(lambda x: x.sum((1, -1))), IMAGE, ["reduce_sum", "flatten"]),
    "sum of pixels": (Call(lambda x: x.sum((2, 3), keepdim=True)), IMAGE, ["reduce_sum"]),
    "amax of channels": (Call(lambda x: x.amax(1)), IMAGE, ["reduce_max", "reshape"]),
    "max of channels": (Call(lambda x: x.max(1)[0]), IMAGE, ["reduce_max", "reshape"]),
    "amin": (Call(lambda x: x.amin((1, 2), keepdim=True)), IMAGE, ["reduce_min"]),
    "min": (Call(lambda x: x.min(-1, keepdim=True)[0]), IMAGE, ["reduce_min"]),
    "norm": (Call(lambda x: x.norm(dim=-1)), ROWS, ["reduce_l2", "flatten"]),
    "norm of order 2": (Call(lambda x: torch.norm(x, 2, 1, True)), IMAGE, ["reduce_l2"]),
    "vector norm": (Call(lambda x: torch.linalg.vector_norm(x, dim=(1, 2))), IMAGE, ["reduce_l2", "flatten"]),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_graph_answers_as_the_module(name: str) -> None:
    module, shape, expected = FORMS[name]
    assert ops(captured(randomise(module), shape)) == (expected or ops(captured(module, shape)))


def test_decomposed_normalisations_mean_the_same() -> None:
    def forward(x: Tensor, layer: nn.Module, group: nn.Module) -> Tensor:
        return torch.cat([layer(x), group(x)], 1)

    module = randomise(Call(forward, layer=nn.LayerNorm(11), group=nn.GroupNorm(2, 4)))
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (torch.zeros(2, *IMAGE),)).run_decompositions()
    graph = lower_program(program).graph
    tensors = {name: from_torch(name, value) for name, value in module.state_dict().items()}
    torch.testing.assert_close(GraphModule(graph, tensors)(noise(3, IMAGE)), module(noise(3, IMAGE)))
    assert graph == from_module(module, IMAGE).graph


@pytest.mark.parametrize("dims", [None, (0,), (0, 2)])
def test_a_reduction_of_the_batch_is_refused(dims: tuple[int, ...] | None) -> None:
    with pytest.raises(UnsupportedOpError, match="the batch axis must stay whole"):
        from_module(Call(lambda x: x + x.sum(dims, keepdim=True) if dims else x + x.sum()), IMAGE)


def test_a_norm_of_another_order_is_refused() -> None:
    for order in (0, 3):
        with pytest.raises(UnsupportedOpError, match=f"must be of order 1, 2 or infinity, found {order}"):
            from_module(Call(lambda x, order=order: torch.linalg.vector_norm(x, order, -1)), IMAGE)
