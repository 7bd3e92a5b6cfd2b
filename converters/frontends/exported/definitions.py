"""Operators in terms of others, where torch has no definition that can be lowered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

aten = torch.ops.aten


def _var_mean(
    x: Tensor, dim: Sequence[int] | None = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    """Variance with Bessel's correction, and mean."""
    axes = list(range(x.dim())) if not dim else [axis % x.dim() for axis in dim]
    count = prod(x.shape[axis] for axis in axes)
    mean = x.mean(axes, keepdim=True)
    away = x - mean
    squares = (away * away).sum(axes, keepdim=keepdim)
    return squares / max(0, count - (1 if correction is None else correction)), mean if keepdim else x.mean(axes)


def _clamp(x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """Limits that are tensors; the upper one counts where they cross."""
    x = x if low is None else torch.maximum(x, low)
    return x if high is None else torch.minimum(x, high)


def _std_mean(x: Tensor, *args: Any, **more: Any) -> tuple[Tensor, Tensor]:
    var, mean = _var_mean(x, *args, **more)
    return var.sqrt(), mean


DEFINITIONS: Mapping[Any, Callable[..., Any]] = {
    aten.var.correction: lambda *args, **more: _var_mean(*args, **more)[0],
    aten.var_mean.correction: _var_mean,
    aten.std.correction: lambda *args, **more: _std_mean(*args, **more)[0],
    aten.std_mean.correction: _std_mean,
    aten.clamp.Tensor: _clamp,
}
"""By operator, with the signature of its schema."""
