"""Every form of every operator, as called and as decomposed: the lowered graph answers as the module does."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dcz.converters.arrays import from_torch
from dcz.converters.torch_export import from_module, lower_program
from dcz.converters.torch_module import GraphModule
from dcz.dcformat import Graph, UnsupportedOpError


class Call(nn.Module):
    """A function as a module, with some layers for it to use."""

    def __init__(self, function: Callable[..., Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.layers = nn.ModuleDict(layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.layers.values())


def randomise(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(0)
    for name, value in module.state_dict().items():
        if name.endswith(("running_var", "weight")):
            value.uniform_(0.5, 1.5, generator=generator)
        elif value.is_floating_point():
            value.normal_(generator=generator)
    return module.eval()


def decomposed(module: nn.Module, shape: tuple[int, ...]) -> Graph:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lower_program(torch.export.export(module, (torch.zeros(2, *shape),)).run_decompositions())


IMAGE = (4, 9, 11)
SUPPORTED: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "conv": (nn.Conv2d(4, 6, 3), IMAGE),
    "conv all options": (nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 2), (1, 2), groups=2, bias=False), IMAGE),
    "depthwise": (nn.Conv2d(4, 8, 3, groups=4, padding=1), IMAGE),
    "conv same, even kernel": (nn.Conv2d(4, 3, (2, 4), padding="same", dilation=(1, 3)), IMAGE),
    "conv same, odd kernel": (nn.Conv2d(4, 3, 5, padding="same"), IMAGE),
    "conv valid": (nn.Conv2d(4, 3, 3, padding="valid"), IMAGE),
    "linear": (nn.Linear(7, 5), (7,)),
    "linear without bias": (nn.Linear(7, 5, bias=False), (7,)),
    "batch norm 2d": (nn.BatchNorm2d(4, eps=1e-3), IMAGE),
    "batch norm 1d": (nn.BatchNorm1d(7), (7,)),
    "batch norm without affine": (nn.BatchNorm2d(4, affine=False), IMAGE),
    "relu": (nn.ReLU(), IMAGE),
    "relu6": (nn.ReLU6(), IMAGE),
    "hardtanh 0 to 6": (nn.Hardtanh(0.0, 6.0), IMAGE),
    "clamp": (Call(lambda x: x.clamp(min=0)), IMAGE),
    "clamp 0 to 6": (Call(lambda x: x.clamp(0, 6)), IMAGE),
    "clamp_min": (Call(lambda x: torch.clamp_min(x, 0)), IMAGE),
    "max pool": (nn.MaxPool2d((3, 2), (2, 1), (1, 1), (1, 2), ceil_mode=True), IMAGE),
    "max pool, stride left out": (nn.MaxPool2d(2), IMAGE),
    "avg pool": (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), IMAGE),
    "avg pool, stride left out": (nn.AvgPool2d(2), IMAGE),
    "adaptive avg pool": (nn.AdaptiveAvgPool2d((2, 3)), IMAGE),
    "adaptive avg pool keeping an axis": (nn.AdaptiveAvgPool2d((None, 1)), IMAGE),
    "adaptive max pool": (nn.AdaptiveMaxPool2d(2), IMAGE),
    "mean": (Call(lambda x: x.mean((2, 3))), IMAGE),
    "mean keepdim": (Call(lambda x: x.mean((-1, -2), keepdim=True)), IMAGE),
    "add": (Call(lambda x, a, b: a(x) + b(x), a=nn.Conv2d(4, 4, 1), b=nn.BatchNorm2d(4)), IMAGE),
    "cat": (Call(lambda x, a: torch.cat([x, a(x), x], dim=1), a=nn.Conv2d(4, 2, 1)), IMAGE),
    "cat of columns": (Call(lambda x: torch.cat([x, x], dim=-1)), IMAGE),
    "flatten": (nn.Flatten(), IMAGE),
    "view": (Call(lambda x, a: a(x.view(x.size(0), -1)), a=nn.Linear(396, 3)), IMAGE),
    "reshape by size": (Call(lambda x: x.reshape(-1, 396)), IMAGE),
    "squeeze": (Call(lambda x: F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1)), IMAGE),
    "there and back": (Call(lambda x: x.flatten(1).unflatten(1, IMAGE).relu()), IMAGE),
    "one value flat twice": (Call(lambda x: x.flatten(1) + x.view(2, 396)), IMAGE),
    "softmax": (nn.Softmax(1), (7,)),
    "softmax over columns": (nn.Softmax(-1), IMAGE),
    "log softmax": (nn.LogSoftmax(dim=-1), (7,)),
    "dropout": (nn.Sequential(nn.Dropout(), nn.Dropout2d(), nn.AlphaDropout(), nn.Identity()), IMAGE),
    "slice": (Call(lambda x: x[:, 1:, ::2, -5:-1]), IMAGE),
    "slice with the whole batch": (Call(lambda x: x[0:, :, 3:7]), IMAGE),
    "pad": (Call(lambda x: F.pad(x, (1, 2, 0, 3, 2, 0))), IMAGE),
    "zero pad": (nn.ZeroPad2d((1, 2, 3, 0)), IMAGE),
    "clone, contiguous, detach": (Call(lambda x: x.clone().contiguous().detach().float() + x), IMAGE),
    "no grad": (Call(torch.no_grad()(lambda x: x.relu())), IMAGE),
    "in place": (Call(lambda x, a: F.relu(a(x), inplace=True), a=nn.Conv2d(4, 4, 1)), IMAGE),
    "matmul": (Call(lambda x, a: torch.mm(x, a.weight.t()), a=nn.Linear(7, 5, bias=False)), (7,)),
    "same layer twice": (Call(lambda x, a: a(a(x).relu()), a=nn.Conv2d(4, 4, 3, padding=1)), IMAGE),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("name", SUPPORTED)
def test_lowered_graph_answers_as_the_module(name: str) -> None:
    module, shape = SUPPORTED[name]
    randomise(module)
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1)) * 3
    if "flat twice" in name:
        x = x[:2]
    expected = module(x.clone())
    source = from_module(module, shape)
    assert source.graph is not None
    torch.testing.assert_close(GraphModule(source.graph, source.tensors)(x), expected)


def test_decomposed_operators_mean_the_same() -> None:
    def forward(x: Tensor, conv: nn.Module, norm: nn.Module, fc: nn.Linear, last: nn.Linear) -> Tensor:
        y, _ = F.adaptive_max_pool2d(F.max_pool2d(norm(conv(x)), 2).clamp(0, 6), (3, 4), return_indices=True)
        y = torch.cat([F.pad(y, (1, 0)), F.adaptive_avg_pool2d(x, (3, 5))], 1)
        y = fc(F.dropout(y, training=False).relu().mean((2, 3)))
        return torch.mm(F.log_softmax(y, 1), last.weight.t()).softmax(-1)

    layers = (nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.Linear(10, 7), nn.Linear(7, 5, bias=False))
    names = ("conv", "norm", "fc", "last")
    module = randomise(Call(forward, **dict(zip(names, layers, strict=True))))
    graph = decomposed(module, IMAGE)
    tensors = {name: from_torch(name, value) for name, value in module.state_dict().items()}
    x = torch.randn(3, *IMAGE)
    torch.testing.assert_close(GraphModule(graph, tensors)(x), module(x))
    assert graph == from_module(module, IMAGE).graph


def _write_through_a_view(x: Tensor, conv: nn.Module) -> Tensor:
    y = conv(x)
    y.view(x.shape[0], -1).relu_()
    return y


def test_writing_into_a_view_changes_what_it_views() -> None:
    module = randomise(Call(_write_through_a_view, a=nn.Conv2d(4, 4, 1)))
    source = from_module(module, IMAGE)
    assert source.graph is not None
    x = torch.randn(2, *IMAGE)
    torch.testing.assert_close(GraphModule(source.graph, source.tensors)(x), module(x))


def test_views_leave_no_node() -> None:
    module = Call(lambda x, a: a(x.unsqueeze(1).squeeze(1).view(2, 4, 99).flatten(1)), a=nn.Linear(396, 3))
    graph = from_module(module, IMAGE).graph
    assert graph is not None
    assert [node.op for node in graph.nodes] == ["flatten", "linear"]


UNSUPPORTED: dict[str, tuple[Callable[..., Tensor], str]] = {
    "sigmoid": (lambda x: x.sigmoid(), "aten.sigmoid"),
    "hard swish": (F.hardswish, "aten.hardswish"),
    "scalar add": (lambda x: x + 1, "aten.add"),
    "constant": (lambda x: x + torch.ones(4, 9, 11), "aten.ones"),
    "scaled add": (lambda x: torch.add(x, x, alpha=2), "aten.add"),
    "broadcast add": (lambda x: x + x.mean((2, 3), keepdim=True), "aten.add"),
    "product": (lambda x: x * x, "aten.mul"),
    "permute": (lambda x: x.permute(0, 2, 3, 1), "aten.permute"),
    "channel shuffle": (lambda x: x.view(-1, 2, 2, 9, 11).transpose(1, 2).reshape(-1, 4, 9, 11), "aten.transpose"),
    "reshape": (lambda x: F.max_pool2d(x.view(-1, 2, 18, 11), 2), "aten.max_pool2d"),
    "mean of one axis": (lambda x: x.mean(1), "aten.mean"),
    "batch mixed by mean": (lambda x: x.mean((0, 2)), "aten.mean"),
    "batch mixed by flatten": (lambda x: x.flatten(0), "aten.flatten"),
    "batch mixed by view": (lambda x: x.view(-1, 99), "aten.view"),
    "batch mixed by softmax": (lambda x: x.softmax(0), "aten.softmax"),
    "batch joined": (lambda x: torch.cat([x, x]), "aten.cat"),
    "batch cut": (lambda x: x[:1], "aten.slice"),
    "batch padded": (lambda x: F.pad(x, (0, 0, 0, 0, 0, 0, 1, 0)), "aten.pad"),
    "reflection": (lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"), "aten.pad"),
    "padding with ones": (lambda x: F.pad(x, (1, 1), value=1.0), "aten.pad"),
    "negative padding": (lambda x: F.pad(x, (-1, 0)), "aten.pad"),
    "clamp to 1": (lambda x: x.clamp(0, 1), "aten.clamp"),
    "leaky clamp": (lambda x: x.clamp(-1, 6), "aten.clamp"),
    "divisor": (lambda x: F.avg_pool2d(x, 2, divisor_override=3), "aten.avg_pool2d"),
    "computed weight": (lambda x: F.conv2d(x, x.relu()), "aten.conv2d"),
    "batch statistics": (lambda x: F.batch_norm(x, None, None, training=True), "aten.batch_norm"),
    "half": (lambda x: x.half().relu(), "aten.to"),
    "linear over columns": (lambda x: F.linear(x, x[0, 0]), "aten.select"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_refused_by_op_node_and_shape(name: str) -> None:
    function, op = UNSUPPORTED[name]
    with pytest.raises(UnsupportedOpError) as caught:
        from_module(Call(function), IMAGE)
    assert caught.value.op.startswith(op)
    assert caught.value.node
    assert caught.value.shape is not None
    assert all(part in str(caught.value) for part in (op, caught.value.node, "shape (", "docs/format.md"))


def test_decomposed_forms_are_refused_as_well() -> None:
    module: Any = nn.ConvTranspose2d(4, 2, 3)
    with pytest.raises(UnsupportedOpError, match="transposed"):
        decomposed(module.eval(), IMAGE)


def test_a_weight_that_is_computed_is_refused() -> None:
    module = Call(lambda x, a: F.linear(x, a.weight.view(7, 5).t()), a=nn.Linear(7, 5))
    with pytest.raises(UnsupportedOpError, match="cannot be reshaped"):
        from_module(module, (7,))


def test_names_and_shapes_come_from_the_state_dict() -> None:
    module = nn.Sequential(nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2))
    graph = from_module(module, IMAGE).graph
    assert graph is not None
    assert dict(graph.nodes[0].params) == {"weight": "0.weight", "bias": "0.bias"}
    roles = ("weight", "bias", "running_mean", "running_var")
    assert dict(graph.nodes[1].params) == {role: f"1.{role}" for role in roles}
    assert from_torch("x", module[0].weight).shape == (2, 4, 3, 3)
