"""Networks that move the batch axis, or fold other axes into it and back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from networks import Call, captured, ops, randomise
from torch import Tensor, nn
from torch.nn import functional as F

from dcz.converters.frontends.exported.capture import lower_program
from dcz.converters.frontends.exported.torch_export import from_module
from dcz.converters.frontends.source import Source
from dcz.converters.torch.module import GraphModule
from dcz.dcformat import UnsupportedOpError

GRID = (6, 4, 5)
"""Rows, columns, channels."""
POSITIONS = torch.arange(5.0).view(5, 1, 1)


def partition(x: Tensor) -> Tensor:
    """Swin's windows of 2 x 2: (N, 6, 4, C) to (N * 6, 2, 2, C)."""
    samples, height, width, channels = x.shape
    x = x.view(samples, height // 2, 2, width // 2, 2, channels)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(-1, 2, 2, channels)


def reverse(windows: Tensor) -> Tensor:
    """The way back."""
    samples = windows.shape[0] // 6
    x = windows.view(samples, 3, 2, 2, 2, -1)
    return x.permute(0, 1, 3, 2, 4, 5).contiguous().view(samples, 6, 4, -1)


NETWORKS: dict[str, tuple[Callable[[Tensor], Tensor], tuple[int, ...]]] = {
    "windows and back": (lambda x: reverse(partition(x)), GRID),
    "windows rolled": (lambda x: reverse(partition(x).roll(1, -1).flip(1)).roll((1, -1), (1, 2)), GRID),
    "windows cut": (lambda x: reverse(torch.cat(partition(x).split([1, 4], -1)[::-1], -1)), GRID),
    "windows stacked": (lambda x: reverse(torch.stack(partition(x).unbind(2), 1)), GRID),
    "windows repeated": (lambda x: reverse(partition(x)[..., :1].expand(-1, -1, -1, 3)), GRID),
    "windows padded": (lambda x: reverse(partition(x)[:, :, 1:].repeat_interleave(2, 2)), GRID),
    "windows as sequences": (
        lambda x: reverse(partition(x).flatten(1, 2).transpose(1, 2).mT.unflatten(1, (2, 2))),
        GRID,
    ),
    "windows with a bias": (lambda x: reverse(partition(x) * torch.arange(20.0).view(1, 2, 2, 5).sigmoid() + 1), GRID),
    "windows with a mask": (
        lambda x: reverse((partition(x).view(-1, 6, 20) - torch.arange(6.0).view(1, 6, 1)).view(-1, 2, 2, 5)),
        GRID,
    ),
    "gates of windows": (lambda x: reverse(F.glu(F.dropout(partition(x), 0.5, False), 1).repeat(1, 2, 1, 1)), GRID),
    "time first, positions added": (
        lambda x: (F.silu(x.mT.mT.transpose(0, 1) + POSITIONS)).transpose(0, 1) + x,
        (5, 3),
    ),
    "time first": (lambda x: x.transpose(0, 1).flip(0)[1:].roll(1, 2).transpose(1, 0), (5, 3)),
    "time first, one step": (lambda x: x.transpose(0, 1)[-1], (5, 3)),
    "time first, steps stacked": (lambda x: torch.stack(x.transpose(0, 1).unbind(0)[::2]).permute(1, 0, 2), (5, 3)),
    "time first, heads": (
        lambda x: (
            x.transpose(0, 1)
            .reshape(5, -1, 3)
            .transpose(0, 1)
            .mT.permute(2, 0, 1)
            .view(5, -1, 6)
            .mT.permute(2, 1, 0)
            .mT
        ),
        (5, 6),
    ),
    "batch last": (lambda x: x.permute(1, 2, 0)[1:, ::2].permute(2, 1, 0), (5, 3)),
    "steps and samples joined": (
        lambda x: x.transpose(0, 1).flatten(0, 1)[:, 1:].view(5, -1, 2).transpose(0, 1),
        (5, 3),
    ),
    "new axis before the batch": (lambda x: x.unsqueeze(0).expand(3, -1, -1, -1)[1], (5, 3)),
    "samples copied for their windows": (
        lambda x: reverse(partition(x) + x[:, :2, :2].repeat_interleave(6, 0)),
        GRID,
    ),
    "copies of windows": (lambda x: partition(x).repeat_interleave(2, 0).view(-1, 6, 2, 20).sum(2), GRID),
    "queries, keys, values": (
        lambda x: torch.cat(x.reshape(-1, 5, 3, 2, 4).permute(2, 0, 3, 1, 4).unbind(0)[::-1], -1),
        (5, 24),
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_answers_are_the_networks(name: str) -> None:
    function, shape = NETWORKS[name]
    captured(Call(function), shape)


def test_moving_the_batch_alone_costs_nothing() -> None:
    assert ops(captured(Call(lambda x: x.transpose(0, 1)[:3].transpose(0, 1)), (5, 3))) == ["slice"]
    assert ops(captured(Call(lambda x: reverse(partition(x))), GRID)).count("permute") == 2


REFUSED: dict[str, Callable[[Tensor], Tensor]] = {
    "batch not first in the answer": lambda x: x.transpose(0, 1),
    "batch folded in the answer": lambda x: x.flatten(0, 1),
    "samples joined to others": lambda x: x.view(5, -1, 3).flip(0).reshape(-1, 5, 3),
    "sums of samples at different places": lambda x: (x.view(-1, 3) + x.transpose(0, 1).reshape(-1, 3)).view(-1, 5, 3),
    "samples of different constants": lambda x: (x.flatten(0, 1) + torch.arange(10.0).view(10, 1)).view(-1, 5, 3),
    "samples rolled": lambda x: x.transpose(0, 1).roll(1, 1).transpose(0, 1),
    "windows of all samples rolled": lambda x: x.flatten(0, 1).roll(1, 0).view(-1, 5, 3),
    "joined at different places": lambda x: torch.cat([x.view(-1, 3), x.transpose(0, 1).reshape(-1, 3)], 1).view(
        -1, 5, 6
    ),
    "transposed convolution of folded images": lambda x: F.conv_transpose1d(
        x.flatten(0, 1).unsqueeze(1), torch.ones(1, 1, 2)
    ).view(-1, 5, 4),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    with pytest.raises(UnsupportedOpError, match="batch"):
        from_module(Call(REFUSED[name]), (5, 3))


@pytest.mark.parametrize("samples", [1, 2, 3])
@pytest.mark.parametrize("dynamic", [False, True])
def test_programs_of_any_batch(samples: int, dynamic: bool) -> None:
    if dynamic and samples == 1:
        return
    x = torch.randn(samples, *GRID, generator=torch.Generator().manual_seed(0))
    function = Call(lambda x: reverse(partition(x).transpose(0, 1).flip(2).transpose(1, 0)))
    shapes = ({0: torch.export.Dim("batch", min=2)},) if dynamic else None
    program = torch.export.export(function, (x,), dynamic_shapes=shapes)
    torch.testing.assert_close(GraphModule(lower_program(program).graph, {})(x), function(x))


def test_a_token_for_each_sample_of_a_program_of_any_batch() -> None:
    token = torch.arange(3.0).view(1, 1, 3)

    def forward(x: Tensor) -> Tensor:
        samples = x.shape[0]
        tokens = token.expand(samples, -1, -1), token.repeat(samples, 2, 1), torch.ones(samples, 1, 3)
        return torch.cat([*tokens, x], 1).view(samples, 9, 3)

    x = torch.randn(3, 5, 3, generator=torch.Generator().manual_seed(0))
    program = torch.export.export(Call(forward), (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=2)},))
    captured_program = lower_program(program)
    source = Source({})
    captured_program.give(source, {})
    torch.testing.assert_close(GraphModule(captured_program.graph, source.tensors)(x), forward(x))


def test_batch_norm_of_rows_that_are_folded_into_the_batch() -> None:
    module = Call(lambda x, norm: norm(x.flatten(0, 1)).reshape_as(x), norm=nn.BatchNorm1d(3))
    assert ops(captured(randomise(module), (5, 3))) == ["permute", "batch_norm", "permute"]
