"""An operator that stands in a program of torch's for a node that was refused, so that the nodes behind it are seen."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.library.custom_op("dcz::refused", mutates_args=())
def refused(x: Tensor, shape: list[int], step: int) -> Tensor:
    """A tensor of this shape that depends on `x`, for step number `step`. Lowering refuses it, so it is never run."""
    return x.new_zeros(shape)


@refused.register_fake
def _(x: Tensor, shape: list[int], step: int) -> Tensor:
    return x.new_empty(shape)
