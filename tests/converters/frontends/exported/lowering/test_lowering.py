"""Every form of every operator, as called and as decomposed: the lowered graph answers as the module does."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from networks import IMAGE, LINE, Call, captured, noise, ops, randomise
from torch import Tensor, nn
from torch.nn import functional as F

from dcz.converters.frontends.arrays import from_torch
from dcz.converters.frontends.exported.capture import lower_program
from dcz.converters.frontends.exported.torch_export import from_module
from dcz.converters.torch.module import GraphModule
from dcz.dcformat import Graph, UnsupportedOpError


def decomposed(module: nn.Module, shape: tuple[int, ...]) -> Graph:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lower_program(torch.export.export(module, (torch.zeros(2, *shape),)).run_decompositions()).graph


SUPPORTED: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "conv": (nn.Conv2d(4, 6, 3), IMAGE),
    "conv all options": (nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 2), (1, 2), groups=2, bias=False), IMAGE),
    "depthwise": (nn.Conv2d(4, 8, 3, groups=4, padding=1), IMAGE),
    "conv same, even kernel": (nn.Conv2d(4, 3, (2, 4), padding="same", dilation=(1, 3)), IMAGE),
    "conv same, odd kernel": (nn.Conv2d(4, 3, 5, padding="same"), IMAGE),
    "conv valid": (nn.Conv2d(4, 3, 3, padding="valid"), IMAGE),
    "conv of lines": (nn.Conv1d(4, 6, 3, 2, 1, 2, groups=2), LINE),
    "conv of lines, same, even kernel": (nn.Conv1d(4, 6, 4, padding="same"), LINE),
    "transposed conv": (nn.ConvTranspose2d(4, 6, (3, 2), (2, 3), (1, 0), (1, 2), groups=2, dilation=(1, 3)), IMAGE),
    "transposed conv without bias": (nn.ConvTranspose2d(4, 2, 4, 2, 1, bias=False), IMAGE),
    "transposed conv of lines": (nn.ConvTranspose1d(4, 6, 5, 3, 1, 2), LINE),
    "linear": (nn.Linear(7, 5), (7,)),
    "linear without bias": (nn.Linear(7, 5, bias=False), (7,)),
    "batch norm 2d": (nn.BatchNorm2d(4, eps=1e-3), IMAGE),
    "batch norm 1d": (nn.BatchNorm1d(7), (7,)),
    "batch norm without affine": (nn.BatchNorm2d(4, affine=False), IMAGE),
    "relu": (nn.ReLU(), IMAGE),
    "relu6": (nn.ReLU6(), IMAGE),
    "leaky relu": (nn.LeakyReLU(0.2), IMAGE),
    "leaky relu, slope left out": (Call(F.leaky_relu), IMAGE),
    "leaky relu in place, whole slope": (Call(lambda x, a: F.leaky_relu(a(x), 2, True), a=nn.Conv2d(4, 4, 1)), IMAGE),
    "leaky relu of a view": (Call(lambda x: F.leaky_relu(x.flatten(1), -0.5)), IMAGE),
    "prelu": (nn.PReLU(4), IMAGE),
    "prelu of one number": (nn.PReLU(), IMAGE),
    "sigmoid": (nn.Sigmoid(), IMAGE),
    "log sigmoid": (nn.LogSigmoid(), IMAGE),
    "silu": (nn.SiLU(), IMAGE),
    "gelu": (nn.GELU(), IMAGE),
    "gelu by tanh": (nn.GELU("tanh"), IMAGE),
    "glu": (nn.GLU(1), IMAGE),
    "tanh": (nn.Tanh(), IMAGE),
    "hard sigmoid": (nn.Hardsigmoid(), IMAGE),
    "hard swish": (nn.Hardswish(), IMAGE),
    "mish": (nn.Mish(), IMAGE),
    "elu": (nn.ELU(1.5), IMAGE),
    "selu": (nn.SELU(), IMAGE),
    "celu": (nn.CELU(0.5), IMAGE),
    "softplus": (nn.Softplus(2.0, 5.0), IMAGE),
    "softsign": (nn.Softsign(), IMAGE),
    "functions": (Call(lambda x: (x.abs() + 1).log().exp().sqrt().erf().reciprocal()), IMAGE),
    "whole numbers": (Call(lambda x: x.floor() + 2 * (x * 3).ceil() + 4 * (x * 5).round()), IMAGE),
    "waves": (Call(lambda x: x.sin() * (3 * x).cos()), IMAGE),
    "reciprocal of a root": (Call(lambda x: (x.abs() + 1).rsqrt()), IMAGE),
    "powers": (Call(lambda x: x**2 + x**3.0 + x**1 + x.square() + (x.abs() + 1) ** -0.5), IMAGE),
    "hardtanh": (nn.Hardtanh(-0.5, 2.0), IMAGE),
    "hardtanh 0 to 6": (nn.Hardtanh(0.0, 6.0), IMAGE),
    "clamp": (Call(lambda x: x.clamp(min=0)), IMAGE),
    "clamp 0 to 6": (Call(lambda x: x.clamp(0, 6)), IMAGE),
    "clamp from above": (Call(lambda x: x.clamp(max=0.5)), IMAGE),
    "clamp with limits that cross": (Call(lambda x: x.clamp(2, 1)), IMAGE),
    "clamp_min": (Call(lambda x: torch.clamp_min(x, 0)), IMAGE),
    "max pool": (nn.MaxPool2d((3, 2), (2, 1), (1, 1), (1, 2), ceil_mode=True), IMAGE),
    "max pool, stride left out": (nn.MaxPool2d(2), IMAGE),
    "avg pool": (nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False), IMAGE),
    "avg pool, stride left out": (nn.AvgPool2d(2), IMAGE),
    "adaptive avg pool": (nn.AdaptiveAvgPool2d((2, 3)), IMAGE),
    "adaptive avg pool keeping an axis": (nn.AdaptiveAvgPool2d((None, 1)), IMAGE),
    "adaptive max pool": (nn.AdaptiveMaxPool2d(2), IMAGE),
    "local response norm": (nn.LocalResponseNorm(3, 1e-2, 0.7, 2.0), IMAGE),
    "max pool of lines": (nn.MaxPool1d(3, 2, 1, 2, ceil_mode=True), LINE),
    "max pool of lines, indices unused": (Call(lambda x: F.max_pool1d(x, 2, return_indices=True)[0]), LINE),
    "avg pool of lines": (nn.AvgPool1d(3, 2, 1, count_include_pad=False), LINE),
    "adaptive pools of lines": (nn.Sequential(nn.AdaptiveAvgPool1d(5), nn.AdaptiveMaxPool1d(2)), LINE),
    "adaptive pool of lines to one": (nn.AdaptiveAvgPool1d(1), LINE),
    "upsampling": (nn.Upsample(scale_factor=2), IMAGE),
    "upsampling by two factors": (nn.Upsample(scale_factor=(1.5, 2.3)), IMAGE),
    "upsampling of lines": (nn.Upsample(scale_factor=2), LINE),
    "nearest to a size": (nn.Upsample((5, 30)), IMAGE),
    "nearest, exact": (nn.Upsample((5, 30), mode="nearest-exact"), IMAGE),
    "bilinear": (nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE),
    "bilinear by a factor that leaves a rest": (nn.Upsample(scale_factor=1.3, mode="bilinear"), IMAGE),
    "bilinear, aligned": (nn.UpsamplingBilinear2d((4, 17)), IMAGE),
    "bilinear to one pixel": (nn.Upsample((1, 1), mode="bilinear"), IMAGE),
    "linear of lines": (nn.Upsample(7, mode="linear", align_corners=True), LINE),
    "bicubic": (nn.Upsample(scale_factor=(0.7, 1.9), mode="bicubic"), IMAGE),
    "area": (Call(lambda x: F.interpolate(x, (4, 5), mode="area")), IMAGE),
    "mean": (Call(lambda x: x.mean((2, 3))), IMAGE),
    "mean keepdim": (Call(lambda x: x.mean((-1, -2), keepdim=True)), IMAGE),
    "add": (Call(lambda x, a, b: a(x) + b(x), a=nn.Conv2d(4, 4, 1), b=nn.BatchNorm2d(4)), IMAGE),
    "numbers": (Call(lambda x: (3 - (x + 0.5) * 2 - 1) / 4), IMAGE),
    "number over activation": (Call(lambda x: 2 / (x.abs() + 1)), IMAGE),
    "scaled sums": (Call(lambda x: torch.add(-x, x.relu(), alpha=2) - torch.rsub(x, x.relu(), alpha=3)), IMAGE),
    "product, difference and ratio": (Call(lambda x: x * x.relu() - x / (x.abs() + 1)), IMAGE),
    "greater and lesser": (Call(lambda x: torch.maximum(x, -x) + torch.min(x, x * 2)), IMAGE),
    "power of activations": (Call(lambda x: x.abs() ** x.sigmoid()), IMAGE),
    "channels scaled": (Call(lambda x: x * x.mean((2, 3), keepdim=True).sigmoid()), IMAGE),
    "pixels scaled": (Call(lambda x: x[:, :1] * x), IMAGE),
    "addcmul and addcdiv": (Call(lambda x: x.addcmul(x, x.relu(), value=2).addcdiv(x, x.abs() + 1)), IMAGE),
    "constant": (Call(lambda x: x + torch.arange(4 * 99.0).view(4, 9, 11)), IMAGE),
    "constant by channel": (Call(lambda x, a: x * a.weight.view(-1, 1, 1) - a.bias, a=nn.BatchNorm1d(11)), (11, 2, 11)),
    "constant with the batch's axis": (Call(lambda x: torch.arange(1, 5.0).view(1, 4, 1, 1) / (x.abs() + 1)), IMAGE),
    "constant of whole numbers": (Call(lambda x: x * torch.arange(11)), IMAGE),
    "constant of one number": (Call(lambda x, a: x**2 * a.bias, a=nn.Linear(1, 1)), IMAGE),
    "cat": (Call(lambda x, a: torch.cat([x, a(x), x], dim=1), a=nn.Conv2d(4, 2, 1)), IMAGE),
    "cat of columns": (Call(lambda x: torch.cat([x, x], dim=-1)), IMAGE),
    "flatten": (nn.Flatten(), IMAGE),
    "view": (Call(lambda x, a: a(x.view(x.size(0), -1)), a=nn.Linear(396, 3)), IMAGE),
    "reshape by size": (Call(lambda x: x.reshape(-1, 396)), IMAGE),
    "squeeze": (Call(lambda x: F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1)), IMAGE),
    "there and back": (Call(lambda x: x.flatten(1).unflatten(1, IMAGE).relu()), IMAGE),
    "one value flat twice": (Call(lambda x: x.flatten(1) + x.view(2, 396)), IMAGE),
    "position of the greatest": (Call(lambda x: x.argmax(1, keepdim=True) + x.round().argmax(-2, keepdim=True)), IMAGE),
    "position of the least": (Call(lambda x: x.argmin(-1)), IMAGE),
    "greatest and its position": (Call(lambda x: sum(x.max(1)) - sum(x.min(1))), IMAGE),
    "first of an axis": (Call(lambda x: torch.cat(x.topk(3, 1), 1)), IMAGE),
    "last of an axis": (Call(lambda x: torch.cat(x.topk(2, -1, largest=False), 1)), IMAGE),
    "in the middle": (Call(lambda x: sum(x.median(1, keepdim=True)) * x.median(-1, keepdim=True)[0]), IMAGE),
    "gathered": (Call(lambda x: x.gather(2, (torch.arange(72).view(1, 4, 2, 9) % 9).expand(len(x), 4, 2, 9))), IMAGE),
    "norms of other orders": (Call(lambda x: x.norm(1, 1) + torch.linalg.vector_norm(x, torch.inf, 1)), IMAGE),
    "in order": (Call(lambda x: torch.stack(x.sort(1), 1) - torch.stack(x.sort(2, descending=True), 1)), IMAGE),
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
    "reshape": (Call(lambda x: F.max_pool2d(x.view(-1, 2, 18, 11), 2)), IMAGE),
    "matmul": (Call(lambda x, a: torch.mm(x, a.weight.t()), a=nn.Linear(7, 5, bias=False)), (7,)),
    "same layer twice": (Call(lambda x, a: a(a(x).relu()), a=nn.Conv2d(4, 4, 3, padding=1)), IMAGE),
}


PRODUCT = nn.Linear(5, 7, bias=False)  # its weight (7, 5) is what seven features are multiplied with
OTHER_WORDS: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "mean of columns, then rows": (Call(lambda x: x.mean(3).mean(2)), IMAGE),
    "mean of rows, then columns": (Call(lambda x: x.mean(2).mean(-1)), IMAGE),
    "mean of one axis": (Call(lambda x: x.mean(3, keepdim=True)), IMAGE),
    "mean of joined axes": (Call(lambda x: x.flatten(2).mean(-1)), IMAGE),
    "mean of one channel": (Call(lambda x: x[:, 1].mean((1, 2), keepdim=True).flatten(1)), IMAGE),
    "mean of what is one pixel": (Call(lambda x: F.adaptive_avg_pool2d(x, 1).mean((2, 3))), IMAGE),
    "mean by a pool along one axis": (Call(lambda x: F.adaptive_avg_pool1d(x.flatten(2), 1).flatten(1)), IMAGE),
    "comparisons": (
        Call(lambda x: x * (x > -x) + (x >= 0) + (x < 0.5) + (x <= x.flip(2)) + x.eq(x) + x.ne(0.0)),
        IMAGE,
    ),
    "numbers as truth values": (Call(lambda x: x * x.relu().to(torch.bool)), IMAGE),
    "not a number": (Call(lambda x: torch.where(x.sqrt().isnan(), x, x.sqrt())), IMAGE),
    "empty part": (Call(lambda x: torch.cat([x[:, :0], x, x[:, 4:]], 1)), IMAGE),
    "logic": (Call(lambda x: x * ((x > 0) & ~(x > 1) | (x < -1)) + torch.logical_not(x > 0)), IMAGE),
    "where": (Call(lambda x: torch.where(x > 0, x, x * 2) + torch.where(x < 0, 1.0, x)), IMAGE),
    "where nothing else is finite": (Call(lambda x: torch.where(x.relu() == 0, 0.0, x / x.relu())), IMAGE),
    "filled by a mask": (Call(lambda x: x.masked_fill(x < 0, 2.0)), IMAGE),
    "one number a sample": (Call(lambda x: x.flatten(1) * (x.amax((1, 2, 3)) - x.mean((1, 2, 3)) * 2)[:, None]), IMAGE),
    "maximum": (Call(lambda x: x.amax((2, 3))), IMAGE),
    "maximum of one axis, then the other": (Call(lambda x: x.max(3)[0].amax(2)), IMAGE),
    "maximum by a pool along one axis": (Call(lambda x: F.adaptive_max_pool1d(x.flatten(2), 1).flatten(1)), IMAGE),
    "the pixel that is left": (Call(lambda x: F.adaptive_avg_pool2d(x, 1)[:, :, 0, 0]), IMAGE),
    "one row": (Call(lambda x: x[:, :, 3].flatten(1)), IMAGE),
    "one pixel": (Call(lambda x: x[..., -2, 3]), IMAGE),
    "some of the columns that are left": (Call(lambda x: x.mean(2)[:, :, 1:7:2].flatten(1)), IMAGE),
    "chunks": (Call(lambda x: torch.cat(x.chunk(2, 1)[::-1], 1)), IMAGE),
    "chunks of two sizes": (Call(lambda x: torch.cat(x.chunk(4, -1)[1:], 3)), IMAGE),
    "split": (Call(lambda x: x.split(3, 2)[1]), IMAGE),
    "split into sizes": (Call(lambda x: torch.cat(x.split([1, 3], 1)[::-1], 1)), IMAGE),
    "tensor_split": (Call(lambda x: torch.cat([x.tensor_split(2, 3)[1], x.tensor_split([2, 5], 3)[1]], 3)), IMAGE),
    "unbind": (Call(lambda x: x.unbind(1)[2].flatten(1)), IMAGE),
    "narrow": (Call(lambda x: x.narrow(1, 1, 2).narrow(2, -4, 3)), IMAGE),
    "hstack": (Call(lambda x: torch.hstack([x, x])), IMAGE),
    "dstack": (Call(lambda x: torch.dstack([x, x])), IMAGE),
    "type_as": (Call(lambda x, a: a(x.type_as(a.weight)), a=nn.Conv2d(4, 2, 1)), IMAGE),
    "to a weight's type": (Call(lambda x, a: a(x.to(a.weight).to("cpu")), a=nn.Conv2d(4, 2, 1)), IMAGE),
    "threshold": (nn.Threshold(0.0, 0.0), IMAGE),
    "lower limit, then upper one": (Call(lambda x: x.clamp(min=0).clamp(max=6)), IMAGE),
    "upper limit, then lower one": (Call(lambda x: x.clamp_max(6).relu()), IMAGE),
    "sum": (Call(lambda x, a: sum([a(x), x]), a=nn.Conv2d(4, 4, 1)), IMAGE),
    "neutral numbers": (Call(lambda x: ((x - 0) * 1 + 0.0) / 1.0), IMAGE),
    "product": (Call(lambda x, a: x @ a.weight, a=PRODUCT), (7,)),
    "product and bias": (Call(lambda x, a, b: b.bias + x @ a.weight, a=PRODUCT, b=nn.Linear(1, 5)), (7,)),
    "convolution and bias": (
        Call(lambda x, a, b: a(x) + b.bias.view(-1, 1, 1), a=nn.Conv2d(4, 3, 1, bias=False), b=nn.Linear(1, 3)),
        IMAGE,
    ),
    "dropout of features": (nn.FeatureAlphaDropout(), IMAGE),
    "padding by negative numbers": (Call(lambda x: F.pad(x, (-1, -2, -3, -1))), IMAGE),
    "padding and cutting": (Call(lambda x: F.pad(x, (-1, 2, 3, -2, 1, 0))), IMAGE),
    "channels last of one pixel": (Call(lambda x: x.mean((2, 3), keepdim=True).permute(0, 2, 3, 1).flatten(1)), IMAGE),
    "channels swapped with a lone row": (Call(lambda x: x.mean(2, keepdim=True).transpose(2, 3).flatten(1)), IMAGE),
    "unflattened": (Call(lambda x, a: a(x.flatten(1).view(-1, *IMAGE)), a=nn.Conv2d(4, 2, 1)), IMAGE),
    "what nothing uses": (Call(lambda x: (x.sigmoid().cumsum(1).chunk(2, 1), x.relu())[1]), IMAGE),
    "a filter of constants": (Call(lambda x: F.conv2d(x, torch.ones(4, 1, 2, 2) / 4, groups=4)), IMAGE),
}


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("name", [*SUPPORTED, *OTHER_WORDS])
def test_lowered_graph_answers_as_the_module(name: str) -> None:
    module, shape = {**SUPPORTED, **OTHER_WORDS}[name]
    captured(randomise(module), shape, samples=2 if "flat twice" in name else 3)


def test_only_the_pieces_that_are_used_are_cut() -> None:
    module = Call(lambda x: x.chunk(4, 1)[2].relu())
    assert ops(captured(module)) == ["slice", "relu"]


def test_reductions_are_single_pools() -> None:
    assert ops(captured(Call(lambda x: x.flatten(2).mean(-1)))) == ["adaptive_avg_pool2d", "flatten"]
    assert ops(captured(Call(lambda x: x.amax((2, 3))))) == ["adaptive_max_pool2d", "flatten"]


def test_decomposed_operators_mean_the_same() -> None:
    def forward(x: Tensor, conv: nn.Module, norm: nn.Module, fc: nn.Linear, last: nn.Linear) -> Tensor:
        y, _ = F.adaptive_max_pool2d(F.max_pool2d(norm(conv(x)), 2).clamp(0, 6), (3, 4), return_indices=True)
        y = torch.cat([F.pad(y, (1, 0)), F.adaptive_avg_pool2d(x, (3, 5))], 1)
        y = fc(F.leaky_relu(F.dropout(y, training=False).relu()).mean((2, 3)))
        return torch.mm(F.log_softmax(y, 1), last.weight.t()).softmax(-1)

    layers = (nn.Conv2d(4, 6, 3), nn.BatchNorm2d(6), nn.Linear(10, 7), nn.Linear(7, 5, bias=False))
    names = ("conv", "norm", "fc", "last")
    module = randomise(Call(forward, **dict(zip(names, layers, strict=True))))
    graph = decomposed(module, IMAGE)
    tensors = {name: from_torch(name, value) for name, value in module.state_dict().items()}
    x = noise(3, IMAGE)
    torch.testing.assert_close(GraphModule(graph, tensors)(x), module(x))
    assert graph == from_module(module, IMAGE).graph


def _write_through_a_view(x: Tensor, conv: nn.Module) -> Tensor:
    y = conv(x)
    y.view(x.shape[0], -1).relu_()
    return y


def test_writing_into_a_view_changes_what_it_views() -> None:
    captured(randomise(Call(_write_through_a_view, a=nn.Conv2d(4, 4, 1))))


def test_views_leave_no_node() -> None:
    module = Call(lambda x, a: a(x.unsqueeze(1).squeeze(1).view(2, 4, 99).flatten(1)), a=nn.Linear(396, 3))
    assert ops(captured(module, samples=2)) == ["flatten", "linear"]


UNSUPPORTED: dict[str, tuple[Callable[..., Tensor], str]] = {
    "activations of several ranks": (lambda x: x[:, :2, :1] + x.mean(2), "aten.add"),
    "ratio to zero": (lambda x: x / 0, "aten.div"),
    "constant of chance": (lambda x: x + torch.rand(4, 9, 11), "aten.rand"),
    "mean in another type": (lambda x: x.mean((2, 3), dtype=torch.float64), "aten.mean"),
    "mean of everything": (lambda x: x.mean(), "aten.mean"),
    "maximum of the batch": (lambda x: x.amax((0, 2)), "aten.amax"),
    "one sample": (lambda x: x[0], "aten.select"),
    "batch split": (lambda x: x.split(1)[0], "aten.split"),
    "batch unbound": (lambda x: x.unbind()[1], "aten.unbind"),
    "threshold with another value": (lambda x: F.threshold(x, 0.0, 1.0), "aten.threshold"),
    "batch mixed by mean": (lambda x: x.mean((0, 2)), "aten.mean"),
    "batch mixed by flatten": (lambda x: x.flatten(0), "aten.flatten"),
    "batch mixed by view": (lambda x: x.view(-1, 99), "aten.view"),
    "batch mixed by softmax": (lambda x: x.softmax(0), "aten.softmax"),
    "batch joined": (lambda x: torch.cat([x, x]), "aten.cat"),
    "batch cut": (lambda x: x[:1], "aten.slice"),
    "batch padded": (lambda x: F.pad(x, (0, 0, 0, 0, 0, 0, 1, 0)), "aten.pad"),
    "divisor": (lambda x: F.avg_pool2d(x, 2, divisor_override=3), "aten.avg_pool2d"),
    "computed weight": (lambda x: F.conv2d(x, x.relu()), "aten.conv2d"),
    "batch statistics": (lambda x: F.batch_norm(x, None, None, training=True), "aten.batch_norm"),
    "half": (lambda x: x.half().relu(), "aten.to"),
    "to a size that torch rounds": (lambda x: F.interpolate(x[..., :2], (9, 82)), "aten.upsample_nearest2d"),
    "antialias": (lambda x: F.interpolate(x, (4, 5), mode="bilinear", antialias=True), "aten._upsample_bilinear2d_aa"),
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
    module: Any = nn.Conv3d(4, 2, 3)
    with pytest.raises(UnsupportedOpError, match="layers on volumes"):
        decomposed(module.eval(), (4, 5, 6, 7))


def test_names_and_shapes_come_from_the_state_dict() -> None:
    module = nn.Sequential(nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2))
    graph = from_module(module, IMAGE).graph
    assert graph is not None
    assert dict(graph.nodes[0].params) == {"weight": "0.weight", "bias": "0.bias"}
    roles = ("weight", "bias", "running_mean", "running_var")
    assert dict(graph.nodes[1].params) == {role: f"1.{role}" for role in roles}
    assert from_torch("x", module[0].weight).shape == (2, 4, 3, 3)
