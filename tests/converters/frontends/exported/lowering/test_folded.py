"""Convolutions and pools of images of which a sample has several, folded into the batch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from networks import Call, captured, randomise
from torch import Tensor, nn
from torch.nn import functional as F

IMAGES = (3, 4, 7, 6)
"""Three images a sample, of four channels."""

CONVOLUTIONS = {
    "plain": nn.Conv2d(4, 5, 3),
    "padded": nn.Conv2d(4, 5, 3, padding=(1, 2)),
    "points": nn.Conv2d(4, 5, 1),
    "strided points": nn.Conv2d(4, 5, 1, stride=(3, 2)),
    "stride beyond the kernel": nn.Conv2d(4, 5, (2, 3), stride=(3, 2), padding=1, bias=False),
    "depthwise": nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=4),
    "dilated": nn.Conv2d(4, 5, (3, 2), dilation=(2, 3), padding=(3, 0)),
    "same": nn.Conv2d(4, 5, 3, padding="same"),
}

POOLS: dict[str, Callable[[Tensor], Tensor]] = {
    "largest": lambda x: F.max_pool2d(x, 3, 2, 1),
    "means": lambda x: F.avg_pool2d(x, 2, ceil_mode=True),
    "to a size": lambda x: F.adaptive_avg_pool2d(x, (3, 2)),
    "largest of lines": lambda x: F.max_pool1d(x.flatten(2), 4),
    "lines to a size": lambda x: F.adaptive_max_pool1d(x.flatten(2), 5),
}


def folded(x: Tensor, layer: Callable[[Tensor], Tensor]) -> Tensor:
    made = layer(x.flatten(0, 1))
    return made.view(-1, 3, *made.shape[1:])


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name: str) -> None:
    captured(randomise(Call(folded, layer=CONVOLUTIONS[name])), IMAGES)


def test_a_convolution_of_lines() -> None:
    captured(randomise(Call(folded, layer=nn.Conv1d(4, 5, 3, stride=2, padding=2))), (3, 4, 9))


@pytest.mark.parametrize("name", POOLS)
def test_pools(name: str) -> None:
    captured(Call(lambda x: folded(x, POOLS[name])), IMAGES)


def test_heads_are_images_as_well() -> None:
    """Keys of two heads that a convolution thins out: (N, heads, L, C) as (N * heads, C, height, width)."""

    def forward(x: Tensor, layer: nn.Conv2d) -> Tensor:
        x = layer(x.reshape(-1, 6, 5, 4).permute(0, 3, 1, 2))
        return x.reshape(-1, 2, 4, x.shape[2] * x.shape[3]).transpose(2, 3)

    captured(randomise(Call(forward, layer=nn.Conv2d(4, 4, 3, 2, 1, groups=4))), (2, 30, 4))
