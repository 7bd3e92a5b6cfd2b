from __future__ import annotations

import torch
from networks import Call, captured
from torch import Tensor


def test_indices_of_two_axes_that_were_joined() -> None:
    """As ONNX takes an element of each sample."""

    def forward(x: Tensor) -> Tensor:
        samples = torch.arange(len(x)).unsqueeze(1)
        indices = torch.cat([samples, x[:, :, 0].argmax(1, keepdim=True)], -1)
        return x[indices.select(-1, 0), indices.select(-1, 1)]

    captured(Call(forward), (5, 7))
