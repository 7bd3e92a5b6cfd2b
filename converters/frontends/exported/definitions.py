"""Operators in terms of others, where torch has no definition that can be lowered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log, prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

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


def _std_mean(x: Tensor, *args: Any, **more: Any) -> tuple[Tensor, Tensor]:
    var, mean = _var_mean(x, *args, **more)
    return var.sqrt(), mean


def _clamp(x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    """Limits that are tensors; the upper one counts where they cross."""
    x = x if low is None else torch.maximum(x, low)
    return x if high is None else torch.minimum(x, high)


def _cumsum(x: Tensor, dim: int, *, dtype: torch.dtype | None = None) -> Tensor:
    """A product with a triangle of ones."""
    kind = dtype or (x.dtype if x.dtype.is_floating_point else torch.int64)
    triangle = torch.ones(x.shape[dim], x.shape[dim], dtype=kind).triu()
    return (x.to(kind).transpose(dim, -1) @ triangle).transpose(dim, -1)


# Functions of one number -------------------------------------------------------------------------------------------


def _pow_of_number(base: float, x: Tensor) -> Tensor:
    return torch.full((), float(base)).pow(x)


def _expm1(x: Tensor) -> Tensor:
    """Exact near zero, as ELU is below it: ``exp(x) - 1 = -exp(x) (exp(-x) - 1)``."""
    above = x.relu()
    return F.elu(x - above) - above.exp() * F.elu(-above)


def _log1p(x: Tensor) -> Tensor:
    """Exact near zero: the rounding of 1 + x is divided out (W. Kahan)."""
    around = 1 + x
    rounded = around - 1
    return torch.where(rounded == 0, x, around.log() * x / rounded)


def _sinh(x: Tensor) -> Tensor:
    return (_expm1(x) - _expm1(-x)) / 2


def _cosh(x: Tensor) -> Tensor:
    return (x.exp() + (-x).exp()) / 2


def _trunc(x: Tensor) -> Tensor:
    """Towards zero."""
    return x.relu().floor() - (-x).relu().floor()


def _quotient(x: Tensor, y: Tensor | float) -> Tensor:
    """A division proper: times 1 / y, as one by a number is lowered, 41 / 41 is below 1."""
    return x / (y if isinstance(y, Tensor) else torch.full((), float(y)))


def _rounded_quotient(x: Tensor, y: Tensor | float, *, rounding_mode: str | None) -> Tensor:
    quotient = _quotient(x, y)
    return quotient if rounding_mode is None else quotient.floor() if rounding_mode == "floor" else _trunc(quotient)


def _fmod(x: Tensor, y: Tensor | float) -> Tensor:
    return x - _trunc(_quotient(x, y)) * y


def _remainder(x: Tensor, y: Tensor | float) -> Tensor:
    return x - _quotient(x, y).floor() * y


def _sign(x: Tensor) -> Tensor:
    return (x > 0).to(x.dtype) - (x < 0).to(x.dtype)


# Elements in other places ------------------------------------------------------------------------------------------


def _unfold(x: Tensor, dim: int, size: int, step: int) -> Tensor:
    """Windows of an axis, which lie along a new last one."""
    count, dim = (x.shape[dim] - size) // step + 1, dim % x.dim()
    places = torch.arange(count).unsqueeze(1) * step + torch.arange(size)
    windows = x.index_select(dim, places.flatten()).reshape(*x.shape[:dim], count, size, *x.shape[dim + 1 :])
    return windows.movedim(dim + 1, -1)


def _col2im(
    x: Tensor,
    output_size: Sequence[int],
    kernel_size: Sequence[int],
    dilation: Sequence[int],
    padding: Sequence[int],
    stride: Sequence[int],
) -> Tensor:
    """Windows of an image added up where they lie: a transposed convolution, each weight of which is one or zero."""
    places = prod(kernel_size)
    channels = x.shape[-2] // places
    counts, left = [], []
    for axis, size in enumerate(output_size):
        beyond = size + 2 * padding[axis] - dilation[axis] * (kernel_size[axis] - 1) - 1
        counts.append(beyond // stride[axis] + 1)
        left.append(beyond % stride[axis])
    weight = torch.eye(places).reshape(places, 1, *kernel_size).repeat(channels, 1, 1, 1)
    images = x.reshape(*x.shape[:-1], *counts)
    return F.conv_transpose2d(images, weight, None, stride, padding, left, channels, dilation)


def _diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """The diagonal of two axes, along a new last one."""
    x = x.movedim((dim1, dim2), (-2, -1))
    rows, columns = x.shape[-2:]
    count = min(rows, columns - offset) if offset >= 0 else min(rows + offset, columns)
    first = offset if offset >= 0 else -offset * columns
    return x.flatten(-2).index_select(-1, first + torch.arange(count) * (columns + 1))


def _copy(x: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    return source.to(x.dtype).expand_as(x)


def _slice_scatter(
    x: Tensor, source: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """Written elements of an axis between those that stay."""
    size = x.shape[dim]
    written = range(*slice(start, end, step).indices(size))
    if len(written) == size:
        return source
    if step == 1:
        parts = [x.narrow(dim, 0, written.start), source, x.narrow(dim, written.stop, size - written.stop)]
        return torch.cat([part for part in parts if part.shape[dim]], dim)
    places = torch.arange(size)
    steps = places - written.start
    is_written = (steps % step == 0) & (steps >= 0) & (places < written.stop)
    return torch.cat([x, source], dim).index_select(dim, torch.where(is_written, size + steps // step, places))


def _select_scatter(x: Tensor, source: Tensor, dim: int, index: int) -> Tensor:
    index %= x.shape[dim]
    return _slice_scatter(x, source.unsqueeze(dim), dim, index, index + 1)


# Elements together -------------------------------------------------------------------------------------------------


def _any(x: Tensor, dim: int, keepdim: bool = False) -> Tensor:
    return (x != 0).to(torch.float32).amax(dim, keepdim) != 0


def _all(x: Tensor, dim: int, keepdim: bool = False) -> Tensor:
    return (x != 0).to(torch.float32).amin(dim, keepdim) != 0


def _count_nonzero(x: Tensor, dim: Sequence[int]) -> Tensor:
    return (x != 0).to(torch.int64).sum(tuple(dim))


def _bilinear(first: Tensor, second: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """The first input times all matrices at once, and each product times the second."""
    outputs, rows, columns = weight.shape
    products = F.linear(first, weight.transpose(1, 2).reshape(outputs * columns, rows))
    y = (products.reshape(*first.shape[:-1], outputs, columns) * second.unsqueeze(-2)).sum(-1)
    return y if bias is None else y + bias


def _cdist(first: Tensor, second: Tensor, p: float, mode: int | None) -> Tensor:
    """Distances of all pairs of rows."""
    distances: Tensor = torch.linalg.vector_norm(first.unsqueeze(-2) - second.unsqueeze(-3), p, dim=-1)
    return distances


DEFINITIONS: Mapping[Any, Callable[..., Any]] = {
    aten.var.correction: lambda *args, **more: _var_mean(*args, **more)[0],
    aten.var_mean.correction: _var_mean,
    aten.std.correction: lambda *args, **more: _std_mean(*args, **more)[0],
    aten.std_mean.correction: _std_mean,
    aten.clamp.Tensor: _clamp,
    aten.cumsum.default: _cumsum,
    aten.pow.Scalar: _pow_of_number,
    aten.exp2.default: lambda x: _pow_of_number(2, x),
    aten.log2.default: lambda x: x.log() * (1 / log(2)),
    aten.log10.default: lambda x: x.log() * (1 / log(10)),
    aten.log1p.default: _log1p,
    aten.expm1.default: _expm1,
    aten.sinh.default: _sinh,
    aten.cosh.default: _cosh,
    aten.erfc.default: lambda x: 1 - x.erf(),
    aten.tan.default: lambda x: x.sin() / x.cos(),
    aten.trunc.default: _trunc,
    aten.fmod.Scalar: _fmod,
    aten.fmod.Tensor: _fmod,
    aten.remainder.Scalar: _remainder,
    aten.remainder.Tensor: _remainder,
    aten.div.Tensor_mode: _rounded_quotient,
    aten.div.Scalar_mode: _rounded_quotient,
    aten.floor_divide.default: lambda x, y: _quotient(x, y).floor(),
    aten.sign.default: _sign,
    aten.sgn.default: _sign,
    aten.hypot.default: lambda x, y: (x * x + y * y).sqrt(),
    aten.unfold.default: _unfold,
    aten.col2im.default: _col2im,
    aten.diagonal.default: _diagonal,
    aten.copy.default: _copy,
    aten.slice_scatter.default: _slice_scatter,
    aten.select_scatter.default: _select_scatter,
    aten.any.dim: _any,
    aten.all.dim: _all,
    aten.count_nonzero.dim_IntList: _count_nonzero,
    aten.bilinear.default: _bilinear,
    aten._cdist_forward.default: _cdist,
}
"""By operator, with the signature of its schema."""
