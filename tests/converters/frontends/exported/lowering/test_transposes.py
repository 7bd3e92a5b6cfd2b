"""Transposes before and behind layers cancel each other, and answers stay."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from networks import Call, captured, ops
from torch import Tensor, nn

LAST, FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def layer(x: Tensor, conv: nn.Module) -> Tensor:
    """A convolution of a value with channels last."""
    return conv(x.permute(FIRST)).permute(LAST)


NETWORKS: dict[str, tuple[Callable[..., Tensor], int]] = {
    "one behind the other": (lambda x, a, b: layer(layer(x, a), b), 2),
    "activations between": (lambda x, a, b: layer(layer(x, a).relu().clamp(0, 6), b), 2),
    "two branches": (lambda x, a, b: layer(layer(x, a) + layer(x, b), b), 3),
    "joined channels": (lambda x, a, b: torch.cat([layer(x, a).relu(), layer(x, b)], 3).permute(FIRST), 2),
    "a mean over height and width": (lambda x, a, b: layer(x, a).relu().mean([1, 2]), 1),
    "a mean that keeps them": (lambda x, a, b: layer(layer(x, a).mean([1, 2], keepdim=True), a), 2),
}


@pytest.mark.parametrize(("function", "kept"), NETWORKS.values(), ids=NETWORKS)
def test_transposes_cancel(function: Callable[..., Tensor], kept: int) -> None:
    source = captured(Call(function, a=nn.Conv2d(4, 4, 1), b=nn.Conv2d(4, 4, 1)), (6, 5, 4))
    assert ops(source).count("permute") <= kept


def test_a_bias_of_the_last_axis_is_one_of_the_layer() -> None:
    def forward(x: Tensor, conv: nn.Module) -> Tensor:
        return layer(x, conv) + torch.arange(3.0)

    source = captured(Call(forward, conv=nn.Conv2d(4, 3, 1, bias=False)), (6, 5, 4))
    assert ops(source) == ["permute", "conv2d", "permute"]


def test_a_transpose_that_is_read_twice_stays() -> None:
    def forward(x: Tensor, conv: nn.Module) -> Tensor:
        turned = conv(x).permute(LAST)
        return turned.relu().permute(FIRST) + turned.permute(FIRST)

    captured(Call(forward, conv=nn.Conv2d(4, 4, 1)))
