"""VGG networks (Simonyan and Zisserman 2015): the original for ImageNet, and two for CIFAR-10."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

POOL = 0  # in a list of widths: halve the image here

WIDTHS_16 = (64, 64, POOL, 128, 128, POOL, *(256,) * 3, POOL, *(512,) * 3, POOL, *(512,) * 3, POOL)
WIDTHS_19 = (64, 64, POOL, 128, 128, POOL, *(256,) * 4, POOL, *(512,) * 4, POOL, *(512,) * 4, POOL)
WIDTHS_16_HALF = (32, 32, POOL, 64, 64, POOL, *(128,) * 3, POOL, *(256,) * 3, POOL, *(256,) * 3, POOL)


class VGG(nn.Module):
    """Convolutions (`features`), then linear layers (`classifier`): the key names of torchvision.

    Parameters
    ----------
    features, classifier : nn.Sequential
        The classifier takes the flattened features.
    """

    def __init__(self, features: nn.Sequential, classifier: nn.Sequential) -> None:
        super().__init__()
        self.features = features
        self.classifier = classifier
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to logits (N, classes)."""
        return self.classifier(torch.flatten(self.features(x), 1))  # type: ignore[no-any-return]


def vgg16() -> VGG:
    """VGG-16 for ImageNet, 138,357,544 parameters; takes (N, 3, 224, 224). Keys as in torchvision."""
    classifier = nn.Sequential(
        nn.Linear(512 * 7 * 7, 4096),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(4096, 1000),
    )
    return VGG(_features(WIDTHS_16, batch_norm=False, bias=True), classifier)


def vgg16_half() -> VGG:
    """VGG-16 of half the width for CIFAR-10, 3,811,680 weights, no biases, batch norm; takes (N, 3, 32, 32)."""
    classifier = nn.Sequential(
        nn.Linear(256, 256, bias=False),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Linear(256, 256, bias=False),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Linear(256, 10, bias=False),
    )
    return VGG(_features(WIDTHS_16_HALF, batch_norm=True, bias=False), classifier)


def vgg19_bn_cifar() -> VGG:
    """VGG-19 with batch norm and a 4096-4096-10 classifier for CIFAR-10; takes (N, 3, 32, 32).

    38,969,930 numbers, running statistics counted.
    """
    classifier = nn.Sequential(
        nn.Linear(512, 4096),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        nn.ReLU(),
        nn.Dropout(),
        nn.Linear(4096, 10),
    )
    return VGG(_features(WIDTHS_19, batch_norm=True, bias=True), classifier)


def _features(widths: Sequence[int], batch_norm: bool, bias: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for width in widths:
        if width == POOL:
            layers.append(nn.MaxPool2d(2))
            continue
        layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=bias))
        if batch_norm:
            layers.append(nn.BatchNorm2d(width))
        layers.append(nn.ReLU())
        channels = width
    return nn.Sequential(*layers)
