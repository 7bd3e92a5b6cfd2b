"""A network and data that the tests of training loops share."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, groups=2), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 36, 10),
    )  # fmt: skip


def batches(count: int, seed: int = 1) -> list[tuple[Tensor, Tensor]]:
    rng = torch.Generator().manual_seed(seed)
    make = lambda: torch.randn(16, 3, 8, 8, generator=rng)  # noqa: E731
    return [(make(), torch.randint(0, 10, (16,), generator=rng)) for _ in range(count)]


def loss_of(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    images, labels = batch
    return F.cross_entropy(model(images), labels)


def weights(model: nn.Module) -> list[Tensor]:
    return [p.detach() for p in model.parameters() if p.ndim > 1]


def density(model: nn.Module) -> float:
    return sum(int((w != 0).sum()) for w in weights(model)) / sum(w.numel() for w in weights(model))
