"""Tensors of which the input gives the size alone are constants; so is all that is computed of constants."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from networks import Call, captured, ops
from torch import Tensor, nn
from torch.nn import functional as F

from dcz.dcformat import UnsupportedOpError


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + torch.ones_like(x),
        lambda x: x * torch.full_like(x, 2.5),
        lambda x: torch.cat([torch.zeros_like(x), x], 1),
        lambda x: x + x.new_ones(x.shape[0], 4, 1, 1),
        lambda x: x - x.new_full((4, 1, 11), 1.5),
        lambda x: torch.cat([x.new_zeros(x.shape[0], 4, 1, 11), x], 2),
        lambda x: x + torch.arange(11).type_as(x),
        lambda x: x + torch.arange(11.0).expand_as(x),
        lambda x: x + torch.arange(4 * 9 * 11.0).reshape_as(x[:1]),
        lambda x: x * torch.arange(4 * 9 * 11.0).view_as(x[:1]),
    ],
)
def test_filled_tensors(function: object) -> None:
    assert "constant" in ops(captured(Call(function), samples=2))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "encoding",
    [
        lambda x: torch.arange(36.0).view(1, 4, 9).repeat(len(x), 1, 11).reshape(len(x), 4, 11, 9).permute(0, 1, 3, 2),
        lambda x: torch.arange(36.0).expand(len(x), 36).transpose(0, 1).view(4, 9, -1).permute(2, 0, 1).unsqueeze(3),
        lambda x: torch.arange(99.0).expand(len(x), 1, 99).squeeze(1).unsqueeze(0).view(1, -1, 9, 11).transpose(0, 1),
    ],
)
def test_equal_rows_are_seen_through_views(encoding: Callable[[Tensor], Tensor]) -> None:
    assert "constant" in ops(captured(Call(lambda x: x + encoding(x)), samples=2))


def test_rows_that_only_look_equal_are_refused() -> None:
    with pytest.raises(UnsupportedOpError, match="batch axis"):
        captured(Call(lambda x: x + torch.arange(8.0).view(4, 2).t().reshape(2, 4, 1, 1)), samples=2)


def standardised(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """As NFNets standardise weights: by a batch norm of the filters."""
    rows = conv.weight.reshape(1, len(conv.weight), -1)
    weight = F.batch_norm(rows, None, None, conv.weight.mean((1, 2, 3)), training=True).reshape_as(conv.weight)
    return F.conv2d(x, weight, conv.bias)


def test_standardised_weights_are_the_layers() -> None:
    source = captured(Call(standardised, a=nn.Conv2d(4, 6, 3)).eval())
    assert ops(source) == ["conv2d"]
    assert set(source.tensors) == {"layers.a.weight", "layers.a.bias"}


def with_anchors(x: Tensor) -> Tensor:
    rows, columns = torch.meshgrid(torch.arange(9) + 0.5, torch.arange(11) + 0.5, indexing="ij")
    return (x[:, :2] + torch.stack([columns, rows])) * torch.tensor(8.0)


def with_token(x: Tensor, layer: nn.Linear) -> Tensor:
    return torch.cat([layer.bias.view(1, 4, 1, 1).expand(len(x), -1, 9, 1), x], 3)


def test_anchors_and_class_tokens() -> None:
    assert ops(captured(Call(with_anchors))).count("constant") == 2
    assert "concat" in ops(captured(Call(with_token, a=nn.Linear(2, 4)).eval(), samples=2))
