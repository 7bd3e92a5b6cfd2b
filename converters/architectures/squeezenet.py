"""SqueezeNet for ImageNet (Iandola et al. 2016), versions 1.0 and 1.1; keys as in torchvision."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Fire(nn.Module):
    """A 1x1 convolution that squeezes the channels, then 1x1 and 3x3 ones that expand them, side by side.

    Parameters
    ----------
    channels_in, squeeze, expand : int
        Channels of the input, of the squeeze, and of each of the two expansions.
    """

    def __init__(self, channels_in: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels_in, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, channels_in, H, W) to (N, 2 * expand, H, W)."""
        x = F.relu(self.squeeze(x))
        return torch.cat([F.relu(self.expand1x1(x)), F.relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    """Fire modules between pools, and a convolution as the classifier.

    Parameters
    ----------
    features : nn.Sequential
        Everything up to the 512 channels that the classifier takes.
    """

    def __init__(self, features: nn.Sequential) -> None:
        super().__init__()
        self.features = features
        self.classifier = nn.Sequential(nn.Dropout(), nn.Conv2d(512, 1000, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to scores (N, 1000)."""
        return torch.flatten(self.classifier(self.features(x)), 1)


def squeezenet1_0() -> SqueezeNet:
    """SqueezeNet 1.0, 1,248,424 parameters; takes (N, 3, 224, 224), or 227x227 as Caffe's does."""
    features = nn.Sequential(
        nn.Conv2d(3, 96, 7, stride=2),
        nn.ReLU(),
        _pool(),
        Fire(96, 16, 64),
        Fire(128, 16, 64),
        Fire(128, 32, 128),
        _pool(),
        Fire(256, 32, 128),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        _pool(),
        Fire(512, 64, 256),
    )
    return SqueezeNet(features)


def squeezenet1_1() -> SqueezeNet:
    """SqueezeNet 1.1, 1,235,496 parameters and 2.4 times less work than 1.0; takes (N, 3, 224, 224)."""
    features = nn.Sequential(
        nn.Conv2d(3, 64, 3, stride=2),
        nn.ReLU(),
        _pool(),
        Fire(64, 16, 64),
        Fire(128, 16, 64),
        _pool(),
        Fire(128, 32, 128),
        Fire(256, 32, 128),
        _pool(),
        Fire(256, 48, 192),
        Fire(384, 48, 192),
        Fire(384, 64, 256),
        Fire(512, 64, 256),
    )
    return SqueezeNet(features)


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)
