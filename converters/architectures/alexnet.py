"""AlexNet for ImageNet."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AlexNet(nn.Module):
    """AlexNet as torchvision has it (Krizhevsky 2014, "One weird trick"): 61,100,840 parameters, (N, 3, 224, 224) in.

    Keys are torchvision's. The Caffe network that the paper compresses is the older, two-GPU one (Krizhevsky et al.
    2012): 96-256-384-384-256 channels against 64-192-384-256-256 here, convolutions 2, 4 and 5 in two groups, local
    response normalisation after the first two pools, and 227x227 pictures; its fully connected layers are the same.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2),
        )
        self.classifier = nn.Sequential(
            nn.Dropout(),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, 1000),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map images (N, 3, 224, 224) to logits (N, 1000)."""
        return self.classifier(torch.flatten(self.features(x), 1))  # type: ignore[no-any-return]
